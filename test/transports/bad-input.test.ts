import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { isAudited } from '../../src/operations/audit.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { parseInput } from '../../src/operations/invoke.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { inputSchemaOf, type JsonSchema } from '../../src/transports/json-schema.ts'
import type { Problem } from '../../src/transports/problem.ts'
import { pathParameters } from '../../src/transports/rest.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { type Prepared, prepare, SAMPLES } from './samples.ts'
import { callRest, callRoute, fetchWorker } from './worker-client.ts'

type Input = Record<string, unknown>

let client: TestClient
let prepared: Prepared

beforeAll(async () => {
  client = await connect(CLIENTS[2], fetchWorker)
  prepared = await prepare('bad-input')
})

afterAll(() => client.close())

afterEach(() => {
  vi.restoreAllMocks()
})

function operationOf(name: string): Operation {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return operation
}

/** Calls an operation on both surfaces and returns the error that both must give; null if both succeed. */
async function errorOf(operation: Operation, input: Input): Promise<Omit<Problem, 'request_id'> | null> {
  const response = await callRoute(operation.http[0], input)
  expect(response.status, 'never 500').toBeLessThan(500)
  if (operation.offeredTo === 'rest') return response.ok ? null : ((await response.json()) as Problem)
  const result = await client.call(operation.name, input)
  expect(response.ok, `REST ${response.status}, MCP ${result.content[0]?.text?.slice(0, 300)}`).toBe(!result.isError)
  if (response.ok) return null
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const { request_id: _, ...rest } = (await response.json()) as Problem
  const { request_id: id, ...tool } = JSON.parse(result.content[0]?.text ?? '') as Problem
  expect(id).toBeTruthy()
  expect(tool).toEqual(rest)
  expect(JSON.stringify(rest)).not.toMatch(/SQLITE|D1_ERROR|Failed query|select |\bat \S+:\d+/i)
  return rest
}

describe('named mistakes', () => {
  const query = 'How do we deploy?'
  const none = '0199d2a0-0000-7000-8000-00000000dead'
  const huge = 'x'.repeat(300_000)

  test.each<[string, Input, Partial<Problem>]>([
    ['augment_query', {}, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: '' }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: '  \n ' }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: 7 }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: null }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: huge }, { code: 'invalid_input', field: 'query', limit: 100_000 }],
    ['augment_query', { query: 'a\0b' }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query: 'a\ud800b' }, { code: 'invalid_input', field: 'query' }],
    ['augment_query', { query, collections: ['no-such'] }, { code: 'invalid_input', field: 'collections[0]' }],
    ['augment_query', { query, collections: [] }, { code: 'invalid_input', field: 'collections' }],
    ['augment_query', { query, project: '../x' }, { code: 'invalid_input', field: 'project' }],
    ['augment_query', { query, unknown_field: 1 }, { code: 'invalid_input', field: 'unknown_field' }],
    ['augment_query', { query, token_budget: -1 }, { code: 'invalid_input', field: 'token_budget', limit: 0 }],
    ['augment_query', { query, token_budget: 1e9 }, { code: 'invalid_input', field: 'token_budget' }],
    ['hybrid_search', { query, mode: 'psychic' }, { code: 'invalid_input', field: 'mode' }],
    ['hybrid_search', { query, limit: 0 }, { code: 'invalid_input', field: 'limit', limit: 1 }],
    ['hybrid_search', { query, limit: -1 }, { code: 'invalid_input', field: 'limit', limit: 1 }],
    ['hybrid_search', { query, limit: 1e9 }, { code: 'invalid_input', field: 'limit', limit: 100 }],
    ['hybrid_search', { query, limit: 2.5 }, { code: 'invalid_input', field: 'limit' }],
    ['hybrid_search', { query, score_threshold: 2 }, { code: 'invalid_input', field: 'score_threshold', limit: 1 }],
    ['hybrid_search', { query, filter: { nothing: 'x' } }, { code: 'invalid_input', field: 'filter.nothing' }],
    ['search_context', { query, collection: 'no-such' }, { code: 'invalid_input', field: 'collection' }],
    ['list_knowledge', { collection: 'best-practices', limit: 0 }, { code: 'invalid_input', field: 'limit' }],
    ['list_knowledge', { collection: 'best-practices', limit: 1e9 }, { code: 'invalid_input', field: 'limit' }],
    ['list_knowledge', { collection: 'no-such' }, { code: 'invalid_input', field: 'collection' }],
    ['get_knowledge', { collection: 'best-practices', id: none }, { code: 'not_found', field: 'id' }],
    ['get_knowledge', { collection: 'best-practices', id: 'not-an-id' }, { code: 'invalid_input', field: 'id' }],
    ['delete_knowledge', { collection: 'best-practices', id: none }, { code: 'not_found', field: 'id' }],
    ['get_interaction', { interaction_id: none }, { code: 'not_found', field: 'interaction_id' }],
    ['update_outcome', { interaction_id: none, outcome: 'success' }, { code: 'not_found', field: 'interaction_id' }],
    ['update_outcome', { interaction_id: '', outcome: 'success' }, { code: 'invalid_input', field: 'interaction_id' }],
    ['update_outcome', { interaction_id: none, outcome: 'splendid' }, { code: 'invalid_input', field: 'outcome' }],
    [
      'update_outcome',
      { interaction_id: none, outcome: 'success', user_feedback: 2 },
      { code: 'invalid_input', field: 'user_feedback' },
    ],
    ['rate_interaction', { interaction_id: none, rating: 1 }, { code: 'not_found', field: 'interaction_id' }],
    [
      'track_interaction',
      { query, response: 'r', agent_type: 'robot', model_used: 'm' },
      { code: 'invalid_input', field: 'agent_type' },
    ],
    [
      'learning_feedback',
      { query, correction: 'c', interaction_id: none },
      { code: 'not_found', field: 'interaction_id' },
    ],
    ['get_session', { session_id: 'none' }, { code: 'not_found', field: 'session_id' }],
    ['delete_session', { session_id: 'none' }, { code: 'not_found', field: 'session_id' }],
  ])('%s %j', async (name, input, expected) => {
    expect(await errorOf(operationOf(name), input)).toMatchObject(expected)
  })

  test('reports an unknown tool', async () => {
    await expect(client.call('summon_demon', {})).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('summon_demon'),
    })
    expect((await fetchWorker(new Request('http://localhost/summon_demon', { method: 'POST' }))).status).toBe(404)
  })

  test('a batch stores its valid items and reports the invalid one', async () => {
    const items = [
      { key: 'good-1', fields: { title: 'First', description: 'Good.' } },
      { key: 'bad', fields: { title: 'Second' } },
      { key: 'surrogate', fields: { title: 'Third', description: '\ud800' } },
      { key: 'good-2', fields: { title: 'Fourth', description: 'Good.' } },
    ]
    const input = { project: 'batches', collection: 'best-practices', items }
    const rest = (await callRest(operationOf('store_knowledge'), input)) as {
      results: { status: string; error?: { field: string } }[]
    }
    expect(rest.results.map(({ status }) => status)).toEqual(['indexed', 'rejected', 'rejected', 'indexed'])
    expect(rest.results[1]?.error?.field).toBe('items[1].fields.description')
    expect(rest.results[2]?.error?.field).toBe('items[2].fields.description')
    const result = (await client.call('store_knowledge', input)).structuredContent as typeof rest
    expect(result.results.map(({ status }) => status)).toEqual(['unchanged', 'rejected', 'rejected', 'unchanged'])
    const listed = await callRest(operationOf('list_knowledge'), { project: 'batches', collection: 'best-practices' })
    expect(listed.items).toHaveLength(2)
  })
})

/** Invalid values for a field of this schema. Each must be rejected on both surfaces. */
function wrongValues(schema: JsonSchema): unknown[] {
  switch (schema.type) {
    case 'string':
      return [7, {}, null, 'a\0b', ...(schema.maxLength ? ['x'.repeat(Number(schema.maxLength) + 1)] : [])]
    case 'integer':
    case 'number':
      return [
        'x',
        null,
        [],
        ...(schema.maximum !== undefined ? [Number(schema.maximum) + 1] : []),
        ...(schema.minimum !== undefined ? [Number(schema.minimum) - 1] : []),
      ]
    case 'boolean':
      return ['x', 2, null]
    case 'array':
      return [7, '[', null, {}, [{ no: 1 }, [null]]]
    case 'object':
      return [7, 'x', null, []]
    default:
      return []
  }
}

describe.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('%s rejects', (name, operation) => {
  const schema = inputSchemaOf(operation)
  const inQuery = operation.http[0].method === 'GET' || operation.http[0].method === 'DELETE'
  const inPath = pathParameters(operation.http[0].path)
  const sample = () => SAMPLES[name]?.(prepared) ?? {}
  /** A query string can't carry a type, and a path can't carry a missing value. */
  const carried = (field: string, value: unknown) =>
    inPath.includes(field) || inQuery
      ? typeof value === 'string' && (!inPath.includes(field) || value.length < 1000)
      : true

  const cases = Object.entries(schema.properties).flatMap(([field, property]) =>
    wrongValues(property)
      .filter((value) => carried(field, value) && !(inQuery && property.type === 'array'))
      // Any text is a position in the order of a list, so none is invalid.
      .filter((value) => field !== 'cursor' || value !== 'a\0b')
      // Except in destructive and administrative operations, null means an omitted field.
      .filter((value) => value !== null || isAudited(operation) || schema.required?.includes(field))
      .map((value) => [field, JSON.stringify(value).slice(0, 30), value] as const),
  )

  test.runIf(cases.length > 0).each(cases)('%s: %s', async (field, _, value) => {
    const problem = await errorOf(operation, { ...sample(), [field]: value })
    expect(problem).toMatchObject({ status: 400, code: 'invalid_input' })
    expect(problem?.field?.split(/[.[]/)[0]).toBe(field)
  })

  test.runIf(!isAudited(operation))('accepts null for omitted fields', async () => {
    const input = sample()
    const absent = Object.keys(schema.properties).filter((field) => !(field in input) && !inPath.includes(field))
    const raw = { ...input, ...Object.fromEntries(absent.map((field) => [field, null])) }
    expect(parseInput(operation.input, raw, true)).toEqual(parseInput(operation.input, input))
  })

  test
    .runIf((schema.required ?? []).length > inPath.length)
    .each((schema.required ?? []).filter((field) => !inPath.includes(field)))('a missing %s', async (field) => {
    const { [field]: _, ...rest } = sample()
    expect(await errorOf(operation, rest)).toMatchObject({ status: 400, code: 'invalid_input', field })
  })

  test('an unknown field', async () => {
    expect(await errorOf(operation, { ...sample(), unknown_field: 'x' })).toMatchObject({
      status: 400,
      field: 'unknown_field',
    })
  })
})
