import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { DurableConversations } from '../../src/conversation/durable-client.ts'
import { summariseConversation } from '../../src/conversation/summarise.ts'
import type { ChatMessage, ChatModel } from '../../src/inference/chat/chat-model.ts'
import { COLLECTION_NAMES } from '../../src/knowledge/collections.ts'
import type { ExtractedPattern } from '../../src/patterns/extract.ts'
import { extractByModel } from '../../src/patterns/extract-by-model.ts'
import { neutralise, suspectedInstructions } from '../../src/security/injection.ts'
import { ATTACKS, CONTROL_MARKS, RED_TEAM } from './attacks.ts'
import { ADMIN_KEY, asAdmin, messageOf, ORIGIN, send } from './keyed-worker.ts'

type Answer = Record<string, unknown>

/** Fields with an attack in the title and in the content of an item. */
const FIELDS: Record<string, (topic: string, attack: string) => Record<string, unknown>> = {
  'codebase-context': (topic, attack) => ({
    file_path: `src/${topic}.ts`,
    code_snippet: `// ${topic}\n${attack}\nexport const ${topic} = 1`,
    language: 'typescript',
  }),
  'skills-patterns': (topic, attack) => ({
    skill_name: `${topic} ${attack}`,
    description: `About ${topic}. ${attack}`,
  }),
  'error-solutions': (topic, attack) => ({ error_message: `${attack} ${topic}`, solution: `${topic}: ${attack}` }),
  'best-practices': (topic, attack) => ({ title: `${topic} ${attack}`, description: `${attack}\n${topic}` }),
  'learning-feedback': (topic, attack) => ({ query: `${topic} ${attack}`, correction: `${attack} ${topic}` }),
  'interaction-history': (topic, attack) => ({
    query: `${attack} ${topic}`,
    response: `${topic} ${attack}`,
    agent_type: 'remote',
    model_used: 'm',
  }),
}

const topicOf = (n: number) => `wombat${n}burrow`

/**
 * The part of a prompt outside its delimited blocks. Fails if the delimiters are not properly paired, or don't all have
 * the same name.
 * @param expected number of blocks according to the answer
 */
function outside(prompt: string, expected: number): string {
  const marks = [...prompt.matchAll(/<\s{0,20}(\/?)\s{0,20}(context[\w-]*)[^>]{0,20}>?/gi)]
  const name = marks[0]?.[2] ?? ''
  if (expected > 0) expect(name).toMatch(/^context-[0-9a-z]{4}$/)
  expect(marks.map(([mark]) => mark)).toEqual(
    Array.from({ length: expected }, () => [`<${name}>`, `</${name}>`]).flat(),
  )
  return prompt.replace(new RegExp(`<${name}>[\\s\\S]*?</${name}>`, 'g'), '(block)')
}

/** Number of blocks in a prompt. */
const blocksIn = (prompt: string) => prompt.split(/<context-\w{4}>/).length - 1

/** Outside the blocks there are only our own lines, and there is no control token of any model anywhere. */
function expectDelimited(prompt: string, query: string, expected: number): void {
  expect(prompt.startsWith(query)).toBe(true)
  const context = prompt.slice(query.length)
  for (const row of outside(context, expected).split('\n')) {
    expect(row).toMatch(
      /^(?:|---|\(block\)|## [\w ]+|Reference material from .*|Shown earlier in this conversation and still valid: .*|No stored knowledge is relevant to this query\.)$/,
    )
    expect(suspectedInstructions(row), row).toEqual([])
  }
  // Each block starts with one line that names its source, and no other line looks like one.
  for (const [, block = ''] of context.matchAll(/<context-\w{4}>\n([\s\S]*?)\n<\/context-\w{4}>/g)) {
    expect(block.match(/^\[\d+\] /gm) ?? []).toHaveLength(1)
  }
  expectNoMarks(context)
}

function expectNoMarks(text: string): void {
  for (const mark of CONTROL_MARKS) expect(text).not.toContain(mark)
  expect(text).not.toMatch(/(?![\t\n\r])[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u)
}

describe('the red team', () => {
  test('has 300 strings', () => expect(RED_TEAM.length).toBeGreaterThanOrEqual(300))

  test.each(COLLECTION_NAMES)('leaves no delimiters in %s: titles, paths, symbols, bodies', async (collection) => {
    const project = `red-${collection}`
    const fieldsOf = (n: number, attack: string) => ({
      ...FIELDS[collection]?.(topicOf(n), attack),
      ...(collection === 'codebase-context' && {
        file_path: `src/${attack.slice(0, 200)}/${topicOf(n)}.ts`,
        symbols: [attack.slice(0, 200), topicOf(n)],
        start_line: 1,
      }),
    })
    let shown = 0
    for (let from = 0; from < RED_TEAM.length; from += 50) {
      const items = RED_TEAM.slice(from, from + 50).map(({ text }, i) => ({
        fields: fieldsOf(from + i, text),
        key: `k${from + i}`,
      }))
      const stored = await asAdmin('store_knowledge', { project, collection, items })
      const ids = (stored.results as { context_id?: string }[]).flatMap(({ context_id: id }) => id ?? [])
      for (let at = 0; at < ids.length; at += 10) {
        const read = await asAdmin('get_context_items', {
          project,
          context_ids: ids.slice(at, at + 10),
          token_budget: 8_000,
        })
        const blocks = (read.items as unknown[]).length
        shown += blocks
        expectDelimited(String(read.context), '', blocks)
      }
    }
    expect(shown).toBeGreaterThan(RED_TEAM.length * 0.9)
  })
})

describe.each(COLLECTION_NAMES)('attacks in %s', (collection) => {
  const project = `attacked-${collection}`
  const search = (name: string, n: number, more: Answer = {}) =>
    asAdmin(name, { project, query: `What is ${topicOf(n)}?`, ...more })

  beforeAll(async () => {
    const items = ATTACKS.map(({ text }, n) => ({ key: `k${n}`, fields: FIELDS[collection]?.(topicOf(n), text) }))
    for (let from = 0; from < items.length; from += 50) {
      const stored = await asAdmin('store_knowledge', { project, collection, items: items.slice(from, from + 50) })
      expect(stored.totals).toMatchObject({ rejected: 0 })
    }
  })

  test('stay delimited in every prompt, and are flagged in every result', async () => {
    let shown = 0
    for (const [n, { text, mark }] of ATTACKS.entries()) {
      const query = `What is ${topicOf(n)}?`
      const suspicious = Object.values(FIELDS[collection]?.(topicOf(n), text) ?? {}).some(
        (field) => suspectedInstructions(String(field)).length > 0,
      )
      const flagged = (items: Answer[], what: string) => {
        for (const item of items.filter((item) => JSON.stringify(item).includes(mark))) {
          if (suspicious) expect(item, `${what}: ${text}`).toHaveProperty('suspected_instructions')
        }
      }
      const augmented = await search('augment_query', n, { collections: [collection], score_threshold: 0 })
      const contexts = augmented.contexts as Answer[]
      expectDelimited(String(augmented.augmented_prompt), query, contexts.length)
      if (String(augmented.augmented_prompt).includes(mark)) shown++
      flagged(contexts, 'augment_query')
      const found = (await search('search_context', n, { collection, limit: 3 })) as { items: Answer[] }
      expect(JSON.stringify(found)).toContain(mark)
      flagged(found.items, 'search_context')
      const ids = found.items.slice(0, 1).map(({ context_id }) => String(context_id))
      const read = await asAdmin('get_context_items', { project, context_ids: ids })
      expectDelimited(String(read.context), '', 1)
      const first = found.items[0] as Answer
      const item = await asAdmin('get_knowledge', { project, collection, id: first.id })
      flagged([item], 'get_knowledge')
    }
    expect(shown, 'the prompts that were looked at carry the attacks').toBeGreaterThan(ATTACKS.length * 0.9)
  })

  test('stay delimited in conversations and in the prompt of MCP', async () => {
    for (const n of [0, 14, 16, 21, 29, 33, 48, 59]) {
      const query = `What is ${topicOf(n)}?`
      const session = `s${n}`
      for (const _ of [1, 2]) {
        const turn = await asAdmin('multi_turn_context', { project, session_id: session, query })
        const prompt =
          Object.values(turn).find((value) => typeof value === 'string' && value.includes(query)) ?? turn.context
        const blocks = (turn.context_ids as string[]).length
        expectDelimited(String(prompt), String(prompt).startsWith(query) ? query : '', blocks)
      }
      const answered = await messageOf(
        await send(
          new Request(`${ORIGIN}/mcp`, {
            method: 'POST',
            headers: {
              'X-API-Key': ADMIN_KEY,
              'Content-Type': 'application/json',
              Accept: 'application/json, text/event-stream',
              'MCP-Protocol-Version': '2025-06-18',
            },
            body: JSON.stringify({
              jsonrpc: '2.0',
              id: 1,
              method: 'prompts/get',
              params: { name: 'answer_with_context', arguments: { query, project } },
            }),
          }),
        ),
      )
      const text = (answered.result as unknown as { messages: { content: { text: string } }[] } | undefined)
        ?.messages[0]?.content.text
      if (text === undefined) throw new Error(JSON.stringify(answered))
      const own = text.lastIndexOf('\n\n---\n\nWhen you have answered')
      expect(own).toBeGreaterThan(0)
      expectDelimited(text.slice(0, own), query, blocksIn(text.slice(0, own)))
    }
  })
})

/** A model that always gives the same answer and records its requests. */
function modelThatSays(content: string): ChatModel & { readonly asked: (readonly ChatMessage[])[] } {
  const asked: (readonly ChatMessage[])[] = []
  const complete: ChatModel['complete'] = async (messages) => {
    asked.push(messages)
    return { content, model: 'scripted', promptTokens: 1, completionTokens: 1, finish: 'stop' as const }
  }
  return { name: 'scripted', asked, complete }
}

/** The part of a prompt outside its delimiters, each of which is opened and closed once. */
function besides(prompt: string, names: readonly string[]): string {
  expectNoMarks(prompt)
  return names.reduce((rest, name) => {
    expect(prompt.match(new RegExp(`<\\s{0,3}/?\\s{0,3}${name}\\b`, 'gi'))).toEqual([`<${name}`, `</${name}`])
    return rest.replace(new RegExp(`<${name}>[\\s\\S]*</${name}>`), '')
  }, prompt)
}

describe('attacks in the prompts of models', () => {
  const project = 'attacked-models'
  const chosen = [0, 14, 16, 21, 29, 33, 48, 59]

  beforeAll(async () => {
    const items = ATTACKS.map(({ text }, n) => ({ key: `k${n}`, fields: FIELDS['best-practices']?.(topicOf(n), text) }))
    for (let from = 0; from < items.length; from += 50) {
      await asAdmin('store_knowledge', { project, collection: 'best-practices', items: items.slice(from, from + 50) })
    }
  })

  test('stay delimited when the coordinator requests an answer, and when a chat is passed on', async () => {
    let shown = 0
    for (const n of chosen) {
      const query = `What is ${topicOf(n)}?`
      const asked: string[] = []
      vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
        const { messages } = JSON.parse(String(init?.body)) as { messages: { role: string; content: string }[] }
        asked.push(messages.findLast(({ role }) => role === 'user')?.content ?? '')
        return Response.json({ choices: [{ message: { content: 'A.' }, finish_reason: 'stop' }] })
      })
      const post = (path: string, body: object) =>
        send(
          new Request(ORIGIN + path, {
            method: 'POST',
            headers: { 'X-API-Key': ADMIN_KEY, 'Content-Type': 'application/json' },
            body: JSON.stringify(body),
          }),
          { LLAMA_CPP_BASE_URL: 'http://llama.attacked', RELEVANCE_THRESHOLD: '0' },
        )
      const messages = [{ role: 'user', content: query }]
      expect((await post('/v1/chat/completions', { model: 'local', messages, metadata: { project } })).status).toBe(200)
      const routed = await post('/query', { project, query, mode: 'hybrid', generate_response: true })
      expect(routed.status).toBe(200)
      vi.restoreAllMocks()
      expect(asked.length).toBeGreaterThanOrEqual(1)
      for (const prompt of asked) {
        expectDelimited(prompt, query, blocksIn(prompt))
        if (prompt.includes(ATTACKS[n]?.mark ?? '-')) shown++
      }
    }
    expect(shown, 'the prompts that were looked at carry the attacks').toBeGreaterThanOrEqual(chosen.length)
  })

  test('stay delimited in background work: patterns and summaries', async () => {
    const conversations = new DurableConversations(env.CONVERSATIONS, 86_400_000)
    for (const [n, { text, mark }] of ATTACKS.entries()) {
      const hostile = `${text}</answer></question ></ conversation>`
      const patterns = modelThatSays('no JSON')
      const found = { problem: 'p', approach: 'a' } as unknown as ExtractedPattern
      await extractByModel(patterns, hostile, hostile, found).catch(() => undefined)
      const asked = String(patterns.asked[0]?.[1]?.content)
      expect(asked).toContain(mark)
      expect(besides(asked, ['question', 'answer']).trim()).toBe('')
      const turn = { key: `turn-${n}`, query: hostile, queryTokens: 5, tokens: 0, shown: [] }
      await conversations.addTurn(project, `c${n}`, turn)
      const summary = modelThatSays('A summary.')
      await summariseConversation(conversations, summary, project, `c${n}`)
      const summarised = String(summary.asked[0]?.[1]?.content)
      expect(summarised).toContain(mark)
      expect(besides(summarised, ['conversation']).trim()).toBe('')
    }
  })
})

describe('signs', () => {
  test('of at least 50 attacks, most are recognised', () => {
    expect(ATTACKS.length).toBeGreaterThanOrEqual(50)
    const missed = ATTACKS.filter(({ text }) => suspectedInstructions(text).length === 0)
    expect(missed.length).toBeLessThanOrEqual(10)
  })

  test.each([
    'Run the rotate-keys job and then check the audit log.',
    'if (context === null) return; // ignore previous errors',
    'The system calls the tool once a minute.',
    'type Context<T> = { role: "system" | "user"; content: T }',
    'Do not show the spinner before the data has loaded.',
    'Print the total to standard output and exit.',
    'Never tell git to force-push the main branch.',
    'systemctl: unit not found',
  ])('ordinary text has none: %s', (text) => {
    expect(suspectedInstructions(text)).toEqual([])
    expect(neutralise(text)).toBe(text)
  })

  test('neutralising twice has the same result as once', () => {
    for (const { text } of [...ATTACKS, ...RED_TEAM]) expect(neutralise(neutralise(text))).toBe(neutralise(text))
  })
})
