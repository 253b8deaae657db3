import { describe, expect, it } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'
import { callRest } from '../transports/worker-client.ts'

const countTokens = await tokenCounter()

async function run<T = Record<string, unknown>>(name: string, input: Record<string, unknown>): Promise<T> {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return (await callRest(operation, input)) as T
}

interface Turn {
  context: string
  context_ids: string[]
  contexts: { context_id: string; number: number }[]
  already_sent: { context_id: string; number: number | null }[]
  absence_reason: string | null
  token_count: number
  tokens_saved: number
  session_id: string
  turn_number: number
  suggestions: string[]
}

interface Augmented {
  augmented_prompt: string
  context_ids: string[]
  token_count: number
  absence_reason: string | null
  retrieval_id: string
  index: { context_id: string; why: string[]; tokens: number; title: string }[]
}

const QUERY = 'How are session cookies signed and rotated?'
const sentences = (topic: string) =>
  `The ${topic} is described here. ${'It has a long history that nobody needs to read in full. '.repeat(30)}`

async function project(name: string): Promise<string> {
  await run('store_knowledge', {
    project: name,
    collection: 'best-practices',
    items: [
      {
        key: 'sign',
        fields: {
          title: 'Signing session cookies',
          description: `Session cookies are signed with HMAC. ${sentences('signature')}`,
        },
      },
      {
        key: 'rotate',
        fields: {
          title: 'Rotating cookie keys',
          description: `Keys of session cookies are rotated monthly. ${sentences('rotation')}`,
        },
      },
      { key: 'plants', fields: { title: 'Office plants', description: 'Water the ferns on Mondays.' } },
    ],
  })
  await run('store_knowledge', {
    project: name,
    collection: 'codebase-context',
    items: [
      {
        key: 'huge',
        fields: {
          file_path: 'src/cookies.ts',
          code_snippet: `// session cookies signed\n${'rotate(session, cookie);\n'.repeat(1200)}`,
        },
      },
    ],
  })
  return name
}

describe('budgets', () => {
  it('no answer exceeds its budget: 0, 1, 50 and 100,000 tokens', async () => {
    const name = await project('budgets')
    for (const token_budget of [0, 1, 50, 100_000]) {
      for (const detail of ['full', 'index']) {
        const answer = await run<Augmented>('augment_query', {
          project: name,
          query: QUERY,
          token_budget,
          detail,
          score_threshold: 0,
        })
        expect(answer.token_count).toBeLessThanOrEqual(token_budget)
        expect(countTokens(answer.augmented_prompt) - countTokens(QUERY)).toBeLessThanOrEqual(token_budget)
        if (token_budget === 0) expect(answer).toMatchObject({ augmented_prompt: QUERY, absence_reason: 'budget' })
        if (token_budget === 100_000) expect(answer.context_ids.length).toBeGreaterThan(1)
      }
      const turn = await run<Turn>('multi_turn_context', { project: name, query: QUERY, max_tokens: token_budget })
      expect(countTokens(turn.context)).toBeLessThanOrEqual(token_budget)
      const ids = (await run<Augmented>('augment_query', { project: name, query: QUERY, score_threshold: 0 }))
        .context_ids
      const items = await run<{ context: string; token_count: number }>('get_context_items', {
        project: name,
        context_ids: ids,
        token_budget,
      })
      expect(items.token_count).toBeLessThanOrEqual(token_budget)
      expect(countTokens(items.context)).toBeLessThanOrEqual(token_budget)
    }
  })

  it('one oversized hit does not empty the answer', async () => {
    const name = await project('oversized')
    const answer = await run<Augmented>('augment_query', {
      project: name,
      query: 'session cookies signed in src/cookies.ts',
      collections: ['codebase-context'],
      token_budget: 120,
      score_threshold: 0,
    })
    expect(answer.augmented_prompt).toContain('src/cookies.ts')
    expect(answer.token_count).toBeGreaterThan(40)
  })
})

describe('a conversation', () => {
  it('sends each passage once, under a stable number, and again when it changes', async () => {
    const name = await project('turns')
    const first = await run<Turn>('multi_turn_context', { project: name, query: QUERY })
    expect(first).toMatchObject({ turn_number: 1, already_sent: [], absence_reason: null })
    expect(first.context).toContain('signed with HMAC')
    const session_id = first.session_id
    const second = await run<Turn>('multi_turn_context', { project: name, session_id, query: QUERY })
    expect(second.context).not.toContain('signed with HMAC')
    expect(second.tokens_saved).toBeGreaterThan(0)
    expect(second.token_count).toBeLessThan(first.token_count / 2)
    const known = first.contexts[0]
    expect(second.already_sent).toContainEqual(
      expect.objectContaining({ context_id: known?.context_id, number: known?.number }),
    )
    expect(second.context).toContain(`[${known?.number}]`)
    await run('store_knowledge', {
      project: name,
      collection: 'best-practices',
      items: [
        {
          key: 'sign',
          fields: { title: 'Signing session cookies', description: 'Session cookies are signed with Ed25519 now.' },
        },
      ],
    })
    const third = await run<Turn>('multi_turn_context', { project: name, session_id, query: QUERY })
    expect(third.context).toContain('Ed25519')
    const state = await run<{ turns: unknown[]; summary: { text: string; method: string } }>('get_session', {
      project: name,
      session_id,
    })
    expect(state.turns).toHaveLength(3)
    expect(state.summary).toMatchObject({ method: 'extractive', text: expect.stringContaining('session cookies') })
  })

  it('is shared by augment_query and multi_turn_context, and records answers', async () => {
    const name = await project('shared')
    const first = await run<Augmented>('augment_query', { project: name, query: QUERY, conversation_id: 'c' })
    await run('track_interaction', {
      project: name,
      query: QUERY,
      response: 'With HMAC, monthly.',
      agent_type: 'remote',
      model_used: 'm',
      context_ids: first.context_ids,
      conversation_id: 'c',
      retrieval_id: first.retrieval_id,
    })
    const second = await run<Turn>('multi_turn_context', { project: name, session_id: 'c', query: QUERY })
    expect(second.turn_number).toBe(2)
    expect(second.already_sent.map(({ context_id }) => context_id)).toEqual(expect.arrayContaining(first.context_ids))
    const { turns } = await run<{ turns: { answer: string | null }[] }>('get_session', {
      project: name,
      session_id: 'c',
    })
    expect(turns.map(({ answer }) => answer)).toEqual(['With HMAC, monthly.', null])
  })

  it('context that the model has according to the caller is not sent', async () => {
    const name = await project('previous')
    const { context_ids } = await run<Augmented>('augment_query', { project: name, query: QUERY })
    const turn = await run<Turn>('multi_turn_context', {
      project: name,
      query: QUERY,
      previous_context_ids: context_ids,
    })
    expect(turn.context_ids.filter((id) => context_ids.includes(id))).toEqual([])
  })
})

describe('progressive disclosure', () => {
  it('an index entry costs a fraction, and lists what to read', async () => {
    const name = await project('index')
    const index = await run<Augmented>('augment_query', {
      project: name,
      query: QUERY,
      detail: 'index',
      conversation_id: 'd',
    })
    expect(index.index[0]).toMatchObject({ title: expect.any(String), why: expect.arrayContaining(['session']) })
    expect(index.augmented_prompt).not.toContain('HMAC')
    const ids = index.index.map(({ context_id }) => context_id)
    const read = await run<{ context: string; missing: string[]; items: { complete: boolean }[] }>(
      'get_context_items',
      {
        project: name,
        context_ids: [...ids, 'best-practices/none'],
        conversation_id: 'd',
        token_budget: 100_000,
      },
    )
    expect(read.context).toContain('HMAC')
    expect(read.missing).toEqual(['best-practices/none'])
    expect(read.items.every(({ complete }) => complete)).toBe(true)
    const next = await run<Turn>('multi_turn_context', { project: name, session_id: 'd', query: QUERY })
    expect(next.context).not.toContain('HMAC')
  })
})

describe('the ledger', () => {
  it('counts added and unrepeated tokens, and the cost of the alternatives', async () => {
    const name = await project('ledger')
    const added: number[] = []
    for (let turn = 0; turn < 2; turn++) {
      added.push((await run<Turn>('multi_turn_context', { project: name, session_id: 's', query: QUERY })).token_count)
    }
    const stats = await run<{ token_ledger: { measured: Record<string, number>; unknown: { name: string }[] } }>(
      'get_stats',
      { project: name },
    )
    const { measured, unknown } = stats.token_ledger
    expect(measured.augmentations).toBe(2)
    expect(measured.context_added).toBe((added[0] ?? 0) + (added[1] ?? 0))
    expect(measured.not_repeated).toBeGreaterThan(0)
    expect(measured.whole_items).toBeGreaterThan(measured.context_added ?? 0)
    expect(unknown.map(({ name: what }) => what)).toContain('context_effect_on_tokens')
  })

  it('knows the cost of whole files', async () => {
    const name = 'files'
    const chunk = (n: number) => ({
      key: `c${n}`,
      fields: {
        file_path: 'src/cookies.ts',
        code_snippet: `export function cookie${n}() { return sign(session) } // ${'x '.repeat(200)}`,
      },
    })
    const items = Array.from({ length: 10 }, (_, n) => chunk(n))
    await run('ingest_documents', {
      project: name,
      source: 'app',
      documents: [{ path: 'src/cookies.ts', hash: 'h', items }],
    })
    await run('augment_query', { project: name, query: 'cookie3', score_threshold: 0, token_budget: 300 })
    const stats = await run<{
      token_ledger: { measured: { whole_documents: { tokens: number; added: number; augmentations: number } } }
    }>('get_stats', { project: name })
    const { tokens, added, augmentations } = stats.token_ledger.measured.whole_documents
    expect(augmentations).toBe(1)
    expect(tokens).toBeGreaterThan(10 * 200)
    expect(added).toBeLessThanOrEqual(300)
  })
})
