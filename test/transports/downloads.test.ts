import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { exports } from '../../src/database/schema.ts'
import { parseRange } from '../../src/transports/downloads.ts'
import { send } from './small-table.ts'

const ID = '0199d2a0-0000-7000-8000-000000000001'
const GONE = '0199d2a0-0000-7000-8000-000000000002'
const CONTENT = '{"row":1}\n{"row":2}\n'
const PATH = `/learning/datasets/${ID}/download`

async function content(response: Response): Promise<string> {
  return new TextDecoder().decode(await response.arrayBuffer())
}

beforeAll(async () => {
  const row = {
    project: 'p',
    format: 'openai-chat',
    filters: {},
    rows: 2,
    bytes: CONTENT.length,
    createdAt: 0,
    skipped: {},
  }
  await env.DATASETS.put('datasets/one.jsonl', CONTENT)
  await openDatabase(env.DB)
    .insert(exports)
    .values([
      { ...row, id: ID, key: 'datasets/one.jsonl', sha256: 'abc' },
      { ...row, id: GONE, key: 'datasets/gone.jsonl', sha256: 'def' },
    ])
})

describe('a download', () => {
  test('is the whole file', async () => {
    const response = await send(PATH)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'content-type': 'application/x-ndjson',
      'content-disposition': `attachment; filename="${ID}.jsonl"`,
      etag: '"abc"',
    })
    expect(await content(response)).toBe(CONTENT)
  })

  test.each([
    ['bytes=0-4', 'bytes 0-4/20', CONTENT.slice(0, 5)],
    ['bytes=10-', 'bytes 10-19/20', CONTENT.slice(10)],
    ['bytes=-3', 'bytes 17-19/20', CONTENT.slice(-3)],
    ['bytes=15-99', 'bytes 15-19/20', CONTENT.slice(15)],
  ])('continues with %s', async (range, contentRange, expected) => {
    const response = await send(PATH, { headers: { Range: range } })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(contentRange)
    expect(await content(response)).toBe(expected)
  })

  test('beyond the end is a problem', async () => {
    const response = await send(PATH, { headers: { Range: 'bytes=20-' } })
    expect(response.status).toBe(416)
    expect(response.headers.get('content-range')).toBe('bytes */20')
    expect(await response.json()).toMatchObject({ status: 416, code: 'invalid_input', field: 'Range', limit: 20 })
  })

  test('is complete if the range refers to another file or is not understood', async () => {
    expect((await send(PATH, { headers: { Range: 'bytes=0-4', 'If-Range': '"other"' } })).status).toBe(200)
    expect((await send(PATH, { headers: { Range: 'bytes=0-4', 'If-Range': '"abc"' } })).status).toBe(206)
    expect((await send(PATH, { headers: { Range: 'lines=0-4' } })).status).toBe(200)
  })

  test('is not repeated if the caller has it', async () => {
    expect((await send(PATH, { headers: { 'If-None-Match': '"abc"' } })).status).toBe(304)
  })

  test.each([['/learning/datasets/nothing/download'], [`/learning/datasets/${GONE}/download`]])(
    'of %s is not found',
    async (path) => {
      const response = await send(path)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'not_found', field: 'dataset_id' })
    },
  )
})

describe('parseRange', () => {
  test('a range is always within the file', () => {
    const end = fc.option(fc.nat(3000), { nil: '' })
    fc.assert(
      fc.property(end, end, fc.nat(2000), (first, last, size) => {
        const range = parseRange(`bytes=${first}-${last}`, size)
        if (range === null || range === 'unsatisfiable') return
        expect(range.length).toBeGreaterThan(0)
        expect(range.offset).toBeGreaterThanOrEqual(0)
        expect(range.offset + range.length).toBeLessThanOrEqual(size)
      }),
    )
  })

  test.each(['bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'items=0-1', 'nonsense', ''])(
    '%j is ignored',
    (header) => {
      expect(parseRange(header, 10)).toBeNull()
    },
  )

  test.each(['bytes=-0', 'bytes=10-', 'bytes=10-20'])('%j is unsatisfiable', (header) => {
    expect(parseRange(header, 10)).toBe('unsatisfiable')
  })
})
