import { beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { callRest, callRoute, fetchWorker } from './worker-client.ts'

/** Answers about texts that exceed a limit of search: each says which field, which limit and what to do. */

const project = 'truncated'
/** Distinct words without suffixes, each one term. */
const word = (i: number) =>
  `q${[...i.toString(19)].map((digit) => 'bcdfghjklmnpqrtvwxz'[Number.parseInt(digit, 19)]).join('')}`
const words = (count: number, from = 0) => Array.from({ length: count }, (_, i) => word(from + i)).join(' ')
const examples = Array.from({ length: 50 }, (_, i) => words(300, 3_000 + i * 300))
const long = { description: words(3_000), examples }

const operationOf = (name: string) => {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return operation
}
const post = (name: string, input: Record<string, unknown>) => callRest(operationOf(name), { project, ...input })

let client: TestClient
let stored: Record<string, unknown>
beforeAll(async () => {
  client = await connect(CLIENTS[2], fetchWorker, {}, `/mcp/${project}`)
  stored = await post('store_knowledge', {
    collection: 'best-practices',
    items: [
      { key: 'short', fields: { description: 'Index foreign keys.' } },
      { key: 'bad', fields: {} },
      { key: 'long', fields: long },
      { key: 'long too', fields: { ...long, title: 'The same' } },
    ],
  })
})

describe('an item with more terms than the index keeps', () => {
  const distinct = (fields: string[]) => ({
    fields,
    count: fields.length,
    limit: 16_384,
    message: 'Keyword search covers 16,384 distinct terms of an item.',
    hint: 'Store the text as several items.',
    search: 'keyword',
  })

  test('is stored, and named with its limit', () => {
    expect(stored.totals).toMatchObject({ indexed: 3, rejected: 1 })
    expect(stored.truncated).toContainEqual(distinct(['items[2].fields.examples', 'items[3].fields.examples']))
  })

  test('is found by the terms within the limit, and not by those beyond it', async () => {
    const found = async (query: string) => {
      const { keyword_results } = await post('hybrid_search', { query, collections: ['best-practices'] })
      return (keyword_results as unknown[]).length
    }
    expect(await found(word(1))).toBe(2)
    expect(await found(word(17_999))).toBe(0)
  })

  test('is named when it is part of a document, and when it is updated', async () => {
    const items = [
      { key: 'a', fields: { description: 'Short.' } },
      { key: 'b', fields: long },
    ]
    const documents = [
      { path: 'no-items', hash: '1', items: 'none' },
      { path: 'notes.md', hash: '1', items },
    ]
    const ingested = await post('ingest_documents', { collection: 'best-practices', source: 'notes', documents })
    expect(ingested.truncated).toContainEqual(distinct(['documents[1].items[1].fields.examples']))
    const { id } = (stored.results as { id: string }[])[0] ?? {}
    const update = { collection: 'best-practices', id, fields: long }
    expect((await post('update_knowledge', update)).truncated).toContainEqual(distinct(['fields.examples']))
  })
})

test('an answer about short texts says nothing about limits', async () => {
  const short = { collection: 'best-practices', items: [{ fields: { description: 'Batch writes.' } }] }
  expect(await post('store_knowledge', short)).not.toHaveProperty('truncated')
  expect(await post('augment_query', { query: 'Should we batch writes?' })).not.toHaveProperty('truncated')
})

describe('a query with more terms than are searched', () => {
  const truncated = [
    {
      fields: ['query'],
      count: 1,
      limit: 32,
      message: 'Keyword search uses the 32 most informative terms of a query.',
      hint: 'Send a shorter query, or several queries.',
      search: 'keyword',
    },
  ]
  const calls: [string, Record<string, unknown>][] = [
    ['augment_query', {}],
    ['hybrid_search', {}],
    ['search_context', { collection: 'best-practices' }],
    ['route_query', {}],
    ['multi_turn_context', {}],
  ]
  test.each(calls)('%s says so over REST and MCP', async (name, input) => {
    const query = words(40)
    expect((await post(name, { query, ...input })).truncated).toEqual(truncated)
    const result = await client.call(name, { query, ...input })
    expect(result.structuredContent).toMatchObject({ truncated })
  })
})

describe('an interaction', () => {
  const turn = { query: 'q'.repeat(32_001), response: 'r'.repeat(32_000), agent_type: 'remote', model_used: 'm' }
  const limit = 32_000

  test('says which text the history holds in part', async () => {
    const tracked = await post('track_interaction', turn)
    expect(tracked.truncated).toMatchObject([{ fields: ['query'], count: 1, limit }])
    const imported = await post('import_interactions', { interactions: [{ ...turn, query: 'q' }, turn] })
    expect(imported.truncated).toMatchObject([{ fields: ['interactions[1].query'], count: 1, limit }])
  })

  test('that is imported without learning has no history', async () => {
    const imported = await post('import_interactions', { interactions: [turn], learn: false })
    expect(imported).not.toHaveProperty('truncated')
  })
})

describe('a filter by a text that is too long to be indexed', () => {
  test.each(['hybrid_search', 'search_context', 'route_query', 'list_knowledge'])('%s refuses it', async (name) => {
    const filter = { title: ['short', 'x'.repeat(201)] }
    const input = { query: 'keys', collection: 'best-practices', collections: ['best-practices'], filter }
    const operation = operationOf(name)
    const known = Object.fromEntries(Object.entries(input).filter(([field]) => field in operation.input.shape))
    const response = await callRoute(operation.http[0], { project, ...known })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      code: 'invalid_input',
      field: 'filter.title',
      limit: 200,
      hint: expect.stringContaining('query'),
    })
  })
})
