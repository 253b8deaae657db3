/**
 * Lists for browsing: interactions by words, order and conversation; projects, variants, figures of a period, and
 * previews.
 */
import { describe, expect, it } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { callRest } from '../transports/worker-client.ts'

async function run<T>(name: string, input: Record<string, unknown>): Promise<T> {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return (await callRest(operation, input)) as T
}

const track = (project: string, query: string, more: Record<string, unknown> = {}) =>
  run<{ interaction_id: string }>('track_interaction', {
    project,
    query,
    response: `Answer to: ${query}`,
    agent_type: 'remote',
    model_used: 'm',
    ...more,
  })

interface List {
  interactions: { interaction_id: string; query: string; latency_ms: number }[]
  total: number | null
  next_cursor: string | null
}

/** The queries of all pages. */
async function queries(input: Record<string, unknown>): Promise<string[]> {
  const found: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await run<List>('list_interactions', { limit: 2, ...input, ...(cursor && { cursor }) })
    found.push(...page.interactions.map(({ query }) => query))
    if (page.next_cursor === null) return found
    cursor = page.next_cursor
  }
}

describe('list_interactions', () => {
  it('finds words of query and answer in any order and case, and treats none as a pattern', async () => {
    await track('words', 'How do I rotate keys?')
    await track('words', 'Where are 100 % of the logs?', { response: 'In the KEYS bucket: rotate_them daily.' })
    await track('words', 'Unrelated')
    expect(await queries({ project: 'words', text: 'keys ROTATE' })).toEqual([
      'Where are 100 % of the logs?',
      'How do I rotate keys?',
    ])
    expect(await queries({ project: 'words', text: '100 %' })).toEqual(['Where are 100 % of the logs?'])
    expect(await queries({ project: 'words', text: 'rotate_keys' })).toEqual([])
    expect((await run<List>('list_interactions', { project: 'words', text: 'rotate' })).total).toBe(2)
  })

  it('pages through every order without losing or repeating one, including ties and unknown scores', async () => {
    for (const [i, latency] of [30, 10, 30, 20, 10].entries())
      await track('orders', `q${i}`, { latency_ms: latency, tokens_used: latency })
    const newest = ['q4', 'q3', 'q2', 'q1', 'q0']
    expect(await queries({ project: 'orders' })).toEqual(newest)
    expect(await queries({ project: 'orders', order: 'oldest' })).toEqual([...newest].reverse())
    expect(await queries({ project: 'orders', order: 'slowest' })).toEqual(['q2', 'q0', 'q3', 'q4', 'q1'])
    expect(await queries({ project: 'orders', order: 'most_tokens' })).toEqual(['q2', 'q0', 'q3', 'q4', 'q1'])
    expect(await queries({ project: 'orders', order: 'best' })).toEqual(newest)
    expect(await queries({ project: 'orders', order: 'worst' })).toEqual([...newest].reverse())
  })

  it('lists those without an outcome, and the turns of a conversation', async () => {
    const rated = await track('rate', 'rated', { conversation_id: 'c' })
    await track('rate', 'open', { conversation_id: 'c' })
    await track('rate', 'elsewhere', { conversation_id: 'd' })
    await run('update_outcome', { interaction_id: rated.interaction_id, outcome: 'success' })
    expect(await queries({ project: 'rate', outcome: 'none' })).toEqual(['elsewhere', 'open'])
    expect(await queries({ project: 'rate', conversation_id: 'c', order: 'oldest' })).toEqual(['rated', 'open'])
  })
})

describe('get_interaction', () => {
  it('shows the context of its prompt', async () => {
    await run('store_knowledge', {
      project: 'carried',
      collection: 'best-practices',
      items: [{ fields: { title: 'Rotate API keys', description: 'Rotate API keys every thirty days.' } }],
    })
    const query = 'How often are API keys rotated?'
    const augmented = await run<{ context_ids: string[]; retrieval_id: string; token_count: number }>('augment_query', {
      project: 'carried',
      query,
    })
    expect(augmented.context_ids).toHaveLength(1)
    const { interaction_id } = await track('carried', query, {
      context_ids: augmented.context_ids,
      retrieval_id: augmented.retrieval_id,
    })
    const { retrieval } = await run<{ retrieval: { shown: { context_id: string }[]; tokens_added: number } }>(
      'get_interaction',
      { interaction_id },
    )
    expect(retrieval.shown.map(({ context_id }) => context_id)).toEqual(augmented.context_ids)
    expect(retrieval.tokens_added).toBe(augmented.token_count)
    const alone = await track('carried', 'Without a prompt')
    expect(await run('get_interaction', { interaction_id: alone.interaction_id })).toMatchObject({ retrieval: null })
  })
})

describe('list_projects', () => {
  it('shows the content of each, in pages', async () => {
    await run('store_knowledge', {
      project: 'listed-notes',
      collection: 'best-practices',
      items: [{ fields: { description: 'One.' } }, { fields: { description: 'Two.' } }],
    })
    await track('listed-talk', 'q')
    await run('augment_query', { project: 'listed-talk', query: 'Who knows?' })
    type Listed = { projects: { project: string }[]; next_cursor: string | null }
    const { projects } = await run<Listed>('list_projects', { limit: 1000 })
    const named = (name: string) => projects.find(({ project }) => project === name)
    expect(named('listed-notes')).toMatchObject({ documents: 2, interactions: 0, augmentations: 0 })
    expect(named('listed-talk')).toMatchObject({ documents: 0, interactions: 1, augmentations: 1 })
    const names: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await run<Listed>('list_projects', { limit: 1, ...(cursor && { cursor }) })
      names.push(...page.projects.map(({ project }) => project))
      if (page.next_cursor === null) break
      cursor = page.next_cursor
    }
    expect(names).toEqual(projects.map(({ project }) => project))
  })
})

describe('list_variants', () => {
  it('counts the interactions of each', async () => {
    for (const [query, variant] of [
      ['a', 'short'],
      ['b', 'short'],
      ['c', 'long'],
    ] as const) {
      const { interaction_id } = await track('variants', query, { variant })
      if (query !== 'b') await run('update_outcome', { interaction_id, outcome: 'failure' })
    }
    await track('variants', 'd')
    const { variants } = await run<{ variants: object[] }>('list_variants', { project: 'variants' })
    expect(variants).toMatchObject([
      { variant: 'short', interactions: 2, success: 0, partial: 0, failure: 1 },
      { variant: 'long', interactions: 1, failure: 1 },
    ])
  })
})

describe('get_stats of recent days', () => {
  it('excludes older ones', async () => {
    await run('import_interactions', {
      project: 'period',
      interactions: [
        {
          query: 'old',
          response: 'r',
          agent_type: 'remote',
          model_used: 'm',
          created_at: Date.now() - 20 * 86_400_000,
          idempotency_key: 'old',
        },
      ],
    })
    await track('period', 'new')
    const counted = async (days?: number) =>
      (await run<{ interactions: number }>('get_stats', { project: 'period', ...(days && { days }) })).interactions
    expect(await counted()).toBe(2)
    expect(await counted(30)).toBe(2)
    expect(await counted(7)).toBe(1)
  })
})

describe('preview_training_data', () => {
  it('counts and shows the content of an export, and writes nothing', async () => {
    await run('learning_feedback', { project: 'preview', query: 'Which port?', correction: 'Port 8787.' })
    await run('learning_feedback', { project: 'preview', query: 'Which host?', correction: 'The loopback.' })
    const input = { project: 'preview', format: 'alpaca' }
    const preview = await run<{ rows: number; skipped: object; examples: string[] }>('preview_training_data', input)
    expect(preview.rows).toBe(2)
    expect(preview.examples.map((line) => JSON.parse(line).output)).toEqual(['Port 8787.', 'The loopback.'])
    expect(await run('list_datasets', { project: 'preview' })).toMatchObject({ datasets: [] })
    const made = await run<{ rows: number; skipped: object }>('generate_training_data', input)
    expect(made.rows).toBe(preview.rows)
    expect(made.skipped).toEqual(preview.skipped)
  })
})
