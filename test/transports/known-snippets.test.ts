import { beforeAll, describe, expect, test } from 'vitest'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { prepare } from './samples.ts'
import { fetchWorker } from './worker-client.ts'

/**
 * Snippets from scripts of hybrid coordinators' users, unchanged: each input is accepted and each documented output
 * field exists, over MCP and with curl. Scripts don't use projects, so everything is in `default`.
 */

type Fields = Record<string, unknown>
let client: TestClient

beforeAll(async () => {
  client = await connect(CLIENTS[0], fetchWorker)
  await prepare('default')
})

async function callTool(name: string, input: Fields): Promise<Fields> {
  const result = await client.call(name, input)
  expect(result.isError, result.content[0]?.text).toBeFalsy()
  return result.structuredContent as Fields
}

async function curl(method: string, path: string, body?: Fields): Promise<Fields> {
  const headers = { 'Content-Type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const response = await fetchWorker(new Request(`http://localhost${path}`, init))
  // 202 if the work continues as a job.
  expect(response.ok, `${path}: ${response.status}`).toBe(true)
  return response.json()
}

test('the loop: context, answer, track, outcome', async () => {
  const result = await callTool('augment_query', { query: 'How do I configure nginx in NixOS?', agent_type: 'remote' })
  expect(result).toMatchObject({
    augmented_prompt: expect.stringMatching(/^How do I configure nginx in NixOS\?/),
    context_ids: expect.any(Array),
    original_query: 'How do I configure nginx in NixOS?',
    context_count: expect.any(Number),
  })
  const { interaction_id } = await callTool('track_interaction', {
    query: 'How do I configure nginx in NixOS?',
    response: 'Use services.nginx.enable = true;',
    agent_type: 'remote',
    model_used: 'claude-sonnet-4',
    context_ids: ['uuid1', 'uuid2'],
    tokens_used: 1500,
    latency_ms: 2000,
  })
  expect(interaction_id).toEqual(expect.any(String))
  const outcome = await callTool('update_outcome', { interaction_id, outcome: 'success', user_feedback: 1 })
  expect(outcome).toMatchObject({ status: 'recorded', job_id: expect.any(String) })
})

const searched = ['semantic_results', 'keyword_results', 'combined_results', 'tokens', 'collections', 'query']
const routed = ['route', 'backend', 'response', 'results', 'latency_ms', 'decision']

test.each([
  [
    'hybrid_search',
    {
      query: 'signing keys',
      collections: ['best-practices', 'error-solutions'],
      limit: 5,
      keyword_limit: 5,
      score_threshold: 0.2,
    },
    searched,
  ],
  [
    'route_query',
    {
      query: 'signing keys',
      mode: 'auto',
      prefer_local: true,
      context: '',
      limit: 5,
      keyword_limit: 5,
      score_threshold: 0.2,
      generate_response: false,
    },
    routed,
  ],
  [
    'learning_feedback',
    { query: 'q', correction: 'c', original_response: 'r', rating: -1, tags: ['nixos'], model: 'm', variant: 'v' },
    ['feedback_id'],
  ],
  ['generate_training_data', {}, ['dataset_path', 'rows']],
  ['search_context', { query: 'signing keys', collection: 'best-practices', limit: 5 }, ['items']],
])('%s accepts %j and returns its fields', async (name, input, fields) => {
  const output = await callTool(name, input)
  for (const field of fields) expect(output).toHaveProperty(field)
})

test.each([
  [
    'POST',
    '/augment_query',
    { query: 'signing keys', agent_type: 'local' },
    ['augmented_prompt', 'context_ids', 'context_count'],
  ],
  ['POST', '/query', { prompt: 'signing keys' }, routed],
  ['POST', '/hybrid_search', { query: 'signing keys' }, searched],
  [
    'POST',
    '/context/multi_turn',
    { query: 'signing keys', context_level: 'detailed', max_tokens: 2000 },
    ['context', 'context_ids', 'suggestions', 'token_count', 'collections_searched', 'session_id', 'turn_number'],
  ],
  ['POST', '/learning/export', {}, ['dataset_path']],
  ['GET', '/health', undefined, ['status']],
] as const)('%s %s', async (method, path, body, fields) => {
  const output = await curl(method, path, body)
  for (const field of fields) expect(output).toHaveProperty(field)
})

/** Scripts queried the vector database for points of interaction-history with a value score of at least 0.7. */
describe('monitoring', () => {
  const interaction = { query: 'How do I set up a reverse proxy?', agent_type: 'remote', tags: ['proxy'] }

  beforeAll(async () => {
    const now = Date.now()
    const track = async (model_used: string, outcome: string | null) => {
      const input = { ...interaction, response: `1. Install nginx.\n2. Configure it for ${model_used}.`, model_used }
      const { interaction_id } = await callTool('track_interaction', input)
      if (outcome)
        await callTool('update_outcome', { interaction_id, outcome, user_feedback: outcome === 'success' ? 1 : -1 })
    }
    await track('model-a', 'success')
    await track('model-b', 'failure')
    await track('model-b', null)
    for (let rounds = 0; rounds < 10; rounds++) {
      if ((await curl('POST', '/learning/process', { limit: 30 })).ran === 0) break
    }
    expect(now).toBeLessThanOrEqual(Date.now())
  })

  const listed = async (query: string) => {
    const { interactions, total } = await curl('GET', `/interactions?tags=proxy&${query}`)
    return { total, found: interactions as { model_used: string; value_score: number | null }[] }
  }

  test('interactions are filtered by value score, outcome, model, tag and time, and counted', async () => {
    const valuable = await listed('min_value_score=0.7')
    expect(valuable.total).toBe(1)
    expect(valuable.found[0]).toMatchObject({ model_used: 'model-a' })
    expect(valuable.found[0]?.value_score).toBeGreaterThanOrEqual(0.7)
    expect((await listed('')).total).toBe(3)
    expect((await listed('outcome=failure')).total).toBe(1)
    expect((await listed('model_used=model-b')).total).toBe(2)
    expect((await listed(`since=${Date.now() + 60_000}`)).total).toBe(0)
    expect((await listed('model_used=model-b&limit=1')).found).toHaveLength(1)
  })

  test.each([
    [{ value_score: { min: 0.7 } }, ['model-a']],
    [{ value_score: { max: 0.6 } }, ['model-b']],
    [{ outcome: 'failure' }, ['model-b']],
    [{ model_used: 'model-b' }, ['model-b', 'model-b']],
    [{ created_at: { min: 1, max: 2 } }, []],
  ])('the collection of interactions is filtered by %j', async (filter, models) => {
    const input = { collection: 'interaction-history', filter: { tags: 'proxy', ...filter } }
    const { items } = await callTool('list_knowledge', input)
    expect((items as { fields: { model_used: string } }[]).map(({ fields }) => fields.model_used)).toEqual(models)
  })
})
