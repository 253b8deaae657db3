import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { OPERATIONS } from '../../src/operations/index.ts'
import { parseInput } from '../../src/operations/invoke.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { type Prepared, prepare } from './samples.ts'
import { callRest, fetchWorker } from './worker-client.ts'

const schema = z.strictObject({
  query: z.string().min(1),
  limit: z.int().min(1).max(100).default(5),
  threshold: z.number().min(0).max(1).optional(),
  generate: z.boolean().default(false),
  mode: z.enum(['auto', 'hybrid']).default('auto'),
  tags: z.array(z.string().min(1)).max(3).default([]),
  numbers: z.array(z.int()).optional(),
  filter: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  note: z.string().min(1).optional(),
})
const query = 'q'
const rest = { query, limit: 5, generate: false, mode: 'auto', tags: [] }

describe('an unambiguous mistake is corrected', () => {
  test.each([
    [{ limit: '7' }, { limit: 7 }],
    [{ limit: ' 7 ' }, { limit: 7 }],
    [{ threshold: '0.25' }, { threshold: 0.25 }],
    [{ generate: 'true' }, { generate: true }],
    [{ generate: 'False' }, { generate: false }],
    [{ mode: 'Hybrid' }, { mode: 'hybrid' }],
    [{ tags: '[]' }, { tags: [] }],
    [{ tags: '["a", "b"]' }, { tags: ['a', 'b'] }],
    [{ tags: 'a, b' }, { tags: ['a, b'] }],
    [{ numbers: '["1", "2"]' }, { numbers: [1, 2] }],
    [{ numbers: ['1', 2] }, { numbers: [1, 2] }],
    [{ filter: '{"language": "rust"}' }, { filter: { language: 'rust' } }],
    [{ note: '' }, {}],
    [{ limit: null, threshold: null, generate: null, mode: null, tags: null, filter: null, note: null }, {}],
  ])('%j', (given, meant) => {
    expect(parseInput(schema, { query, ...given }, true)).toEqual({ ...rest, ...meant })
  })
})

describe('ambiguous input is rejected as sent', () => {
  test.each([
    [{ limit: '7.5' }, 'limit'],
    [{ limit: '0' }, 'limit'],
    [{ limit: 'seven' }, 'limit'],
    [{ limit: '0x7' }, 'limit'],
    [{ limit: true }, 'limit'],
    [{ generate: 'yes' }, 'generate'],
    [{ generate: 1 }, 'generate'],
    [{ mode: 'magic' }, 'mode'],
    [{ tags: '[' }, 'tags'],
    [{ tags: [null] }, 'tags[0]'],
    [{ tags: '["a", "b", "c", "d"]' }, 'tags'],
    [{ filter: 'rust' }, 'filter'],
    [{ filter: '[1]' }, 'filter'],
    [{ query: '' }, 'query'],
    [{ query: null }, 'query'],
    [{ query: 7 }, 'query'],
    [{ other: null }, 'other'],
  ])('%j', (given, field) => {
    expect(() => parseInput(schema, { query, ...given }, true)).toThrow(expect.objectContaining({ field }))
  })

  test('a list as text that is nested too deeply', () => {
    const deep = `${'['.repeat(200)}${']'.repeat(200)}`
    expect(() => parseInput(schema, { query, tags: deep }, true)).toThrow(expect.objectContaining({ field: 'tags' }))
  })
})

test('a valid input is never changed, and the original object stays unchanged', () => {
  const valid = fc.record(
    {
      query: fc.string({ minLength: 1 }),
      limit: fc.integer({ min: 1, max: 100 }),
      generate: fc.boolean(),
      tags: fc.array(fc.constantFrom('a', 'true', '[]', '1', 'null'), { maxLength: 3 }),
      filter: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())),
    },
    { requiredKeys: ['query'] },
  )
  fc.assert(
    fc.property(valid, (input) => {
      expect(parseInput(schema, input, true)).toEqual(schema.parse(input))
    }),
  )
  const sent = { query, limit: '7', tags: null }
  parseInput(schema, sent, true)
  expect(sent).toEqual({ query, limit: '7', tags: null })
})

describe('on the surfaces', () => {
  let client: TestClient
  let prepared: Prepared
  beforeAll(async () => {
    client = await connect(CLIENTS[1], fetchWorker)
    prepared = await prepare('lenient')
  })

  const operationOf = (name: string) => {
    const operation = OPERATIONS.find((known) => known.name === name)
    if (!operation) throw new Error(`There is no operation ${name}.`)
    return operation
  }
  const interaction = { query: 'q', response: 'r', agent_type: 'remote', model_used: 'm', project: 'lenient' }

  test.each([
    [
      'augment_query',
      { query: 'retry policy', conversation_id: null, token_budget: null, collections: null, project: null },
    ],
    ['track_interaction', { ...interaction, context_ids: '[]' }],
    ['track_interaction', { ...interaction, context_ids: ['uuid1', 'uuid2'], tokens_used: '1500' }],
    ['hybrid_search', { query: 'retry policy', limit: '3', collections: 'best-practices' }],
  ])('%s accepts %j', async (name, input) => {
    const result = await client.call(name, input)
    expect(result.isError, result.content[0]?.text).toBeFalsy()
    await callRest(operationOf(name), input)
  })

  test('destructive and administrative operations require exact input', async () => {
    const key = { what: 'key', key_id: 'nobody', confirm: 'nobody', project: null }
    await expect(callRest(operationOf('delete_data'), key)).rejects.toThrow('400')
    await expect(callRest(operationOf('control_learning'), { daily_calls: '5' })).rejects.toThrow('400')
  })

  test('unknown context ids are reported, and the others are credited', async () => {
    const { item } = prepared
    const known = `best-practices/${item}`
    const absent = 'codebase-context/nope'
    const bare = '0199d2a0-0000-7000-8000-00000000dead'
    const input = { ...interaction, context_ids: [item, absent, 'uuid1', bare, known, 'secrets/1', 'best-practices/'] }
    const tracked = await callRest(operationOf('track_interaction'), input)
    expect(tracked.unknown_context_ids).toEqual([absent, 'uuid1', bare, 'secrets/1', 'best-practices/'])
    const { interaction_id } = tracked
    const read = await callRest(operationOf('get_interaction'), { interaction_id })
    const ids = (read.contexts as { context_id: string }[]).map(({ context_id }) => context_id)
    expect(ids).toEqual([known, absent])
    const plain = await callRest(operationOf('track_interaction'), { ...interaction, context_ids: [known] })
    expect(plain).not.toHaveProperty('unknown_context_ids')
  })
})
