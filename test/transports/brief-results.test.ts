import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { prepare } from './samples.ts'
import { callRest, fetchWorker } from './worker-client.ts'

/** The token cost of results for a model that gets their structured content, as in Claude Code and Codex. */

const project = 'brief'
const query = 'How does the retry policy back off between attempts of an upload?'
const ITEMS = 40

/** Code of the maximum length shown in a search and much longer, with no two items alike. */
function snippet(n: number): string {
  const line = (i: number) =>
    `  if (attempt${n}_${i} > retryPolicy.limit) return backoff(upload, { seconds: ${n * i} }) // "attempt" ${i}\n`
  return `export function retryUpload${n}(policy) {\n${Array.from({ length: 80 }, (_, i) => line(i)).join('')}}`
}

interface Hit {
  context_id: string
  score: number
  fields?: Record<string, unknown>
}

let client: TestClient
let loop: TestClient
const post = (name: string, input: Record<string, unknown>) => {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return callRest(operation, input)
}
const cost = (value: unknown) => countTokens(JSON.stringify(value))
const call = async (name: string, input: Record<string, unknown>) => {
  const result = await client.call(name, input)
  expect(result.isError, result.content[0]?.text).toBeFalsy()
  return result.structuredContent as Record<string, unknown>
}

beforeAll(async () => {
  client = await connect(CLIENTS[2], fetchWorker, {}, `/mcp/${project}`)
  loop = await connect(CLIENTS[1], fetchWorker)
  const items = Array.from({ length: ITEMS }, (_, n) => ({
    key: `upload-${n}`,
    fields: {
      file_path: `src/storage/uploads/retry-policy-${n}.ts`,
      language: 'typescript',
      start_line: n,
      symbols: Array.from({ length: 50 }, (_, i) => `symbol${n}_${i}`),
      code_snippet: snippet(n),
    },
  }))
  await post('store_knowledge', { project, collection: 'codebase-context', items })
})

describe('hybrid_search', () => {
  test.each([
    [{}, 2600],
    [{ limit: 20 }, 9000],
    [{ limit: 20, keyword_limit: 20 }, 9000],
  ])('with %j costs less than %i tokens, however long the items are', async (options, most) => {
    const result = await call('hybrid_search', { query, ...options })
    expect((result.combined_results as Hit[]).length).toBe(
      Math.max(5, Number((options as { limit?: number }).limit ?? 0)),
    )
    expect(cost(result)).toBeLessThan(most)
    expect(result.result_tokens).toBeGreaterThan(cost(result) * 0.8)
  })

  test('has every item once, and both rankings as ids with scores', async () => {
    for (const result of [await call('hybrid_search', { query }), await post('hybrid_search', { project, query })]) {
      const combined = result.combined_results as Hit[]
      expect(new Set(combined.map(({ context_id }) => context_id)).size).toBe(combined.length)
      for (const list of ['semantic_results', 'keyword_results']) {
        const ranked = result[list] as Hit[]
        expect(ranked).toHaveLength(5)
        for (const entry of ranked) expect(Object.keys(entry)).toEqual(['context_id', 'score'])
      }
    }
  })

  test('marks a truncated text, and get_context_items returns the rest', async () => {
    const [first] = (await call('hybrid_search', { query, limit: 1 })).combined_results as (Hit & {
      truncated?: boolean
    })[]
    expect(first?.truncated).toBe(true)
    expect(String(first?.fields?.code_snippet)).toMatch(/…$/)
    const read = await call('get_context_items', { context_ids: [first?.context_id], token_budget: 5000 })
    expect(String(read.context)).toContain(String(first?.fields?.code_snippet).slice(0, -1).trimEnd())
  })
})

test.each([
  ['search_context', { query, collection: 'codebase-context', limit: 20 }, 9000],
  ['list_knowledge', { collection: 'codebase-context' }, 4500],
  ['augment_query', { query, token_budget: 1000 }, 1600],
])('%s %j costs less than %i tokens', async (name, input, most) => {
  expect(cost(await call(name, input))).toBeLessThan(most)
})

/** A result with fixed ids and delimiters, because random ones differ in tokens. */
function withoutDrawn(result: unknown): unknown {
  const text = JSON.stringify(result)
    .replace(/context-[0-9a-z]{4}(?![0-9a-z])/g, 'context-0000')
    .replace(/"retrieval_id":"[^"]*"/g, '"retrieval_id":"0"')
    .replace(/"result_tokens":\d+/g, '"result_tokens":0')
  return JSON.parse(text)
}

describe('relevant context', () => {
  const question = 'How do we rotate the signing keys of the release pipeline?'
  const sentence = 'with the rotate-keys job'

  beforeAll(async () => {
    await prepare('brief-loop')
  })

  test('is in the prompt, and nowhere else in the result', async () => {
    const input = { project: 'brief-loop', query: question }
    const { structuredContent, content } = await loop.call('augment_query', input)
    const { augmented_prompt: prompt, ...others } = structuredContent as Record<string, unknown>
    expect(Object.keys(others).sort()).toEqual(
      ['context_count', 'context_ids', 'original_query', 'result_tokens', 'retrieval_id'].sort(),
    )
    expect(prompt).toContain(sentence)
    expect(content[0]?.text).toBe(prompt)
    expect(content[1]?.text).not.toContain(sentence)
  })

  test.each([
    question,
    'Which job rotates keys?',
    'Deploy from which branch?',
    'What does nobody here know of zebras?',
  ])('an index never costs more than the passages: %s', async (asked) => {
    const input = { project: 'brief-loop', query: asked, score_threshold: 0 }
    const full = (await loop.call('augment_query', input)).structuredContent
    const index = (await loop.call('augment_query', { ...input, detail: 'index' })).structuredContent
    expect(cost(withoutDrawn(index))).toBeLessThanOrEqual(cost(withoutDrawn(full)))
  })

  test.each([query, 'retry policy of uploads', 'backoff between attempts'])(
    'a prompt needs at most 60 tokens more than its passages: %s',
    async (asked) => {
      const { contexts, token_count } = await post('augment_query', { project, query: asked, score_threshold: 0 })
      const passages = (contexts as { tokens: number }[]).reduce((sum, { tokens }) => sum + tokens, 0)
      expect(passages).toBeGreaterThan(0)
      expect(token_count).toBeLessThan(passages + 60)
    },
  )

  test('an index of long items costs less than their passages', async () => {
    const input = { query, score_threshold: 0 }
    const full = await call('augment_query', input)
    const index = await call('augment_query', { ...input, detail: 'index' })
    expect(String(index.augmented_prompt)).toContain('tokens |')
    expect(cost(index)).toBeLessThan(cost(full))
  })

  test('a routed query includes its passages once', async () => {
    const input = { project: 'brief-loop', query: question, generate_response: true }
    const routed = (await loop.call('route_query', input)).structuredContent as Record<string, unknown>
    expect(routed.augmented_prompt).toContain(sentence)
    expect(JSON.stringify({ ...routed, augmented_prompt: '' })).not.toContain(sentence)
  })
})
