import { env } from 'cloudflare:test'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  DeferredQueryTable,
  QUERY_TABLE_PATH,
  QueryTable,
  QueryTableError,
} from '../../../src/inference/embedding/minilm/query-table.ts'
import { MAX_QUESTION_PIECES } from '../../../src/inference/embedding/minilm/texts.ts'
import recorded from '../../fixtures/minilm/query-table.json'

/** Maximum size of the file that an isolate's first question has to read. */
const MAX_FILE_BYTES = 2_000_000

let file: ArrayBuffer
const tableBytes = (): ArrayBuffer => file.slice(0)

function cosine(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let [product, leftSquares, rightSquares] = [0, 0, 0]
  for (let index = 0; index < left.length; index++) {
    const [a, b] = [left[index] ?? 0, right[index] ?? 0]
    product += a * b
    leftSquares += a * a
    rightSquares += b * b
  }
  return product / Math.sqrt(leftSquares * rightSquares)
}

let table: QueryTable
beforeAll(async () => {
  file = await (await env.ASSETS.fetch(new URL(QUERY_TABLE_PATH, 'https://assets.invalid'))).arrayBuffer()
  table = new QueryTable(tableBytes())
})

function vectorOf(text: string): Float32Array {
  const { vector } = table.embedQuestion(text)
  if (vector === null) throw new Error(`no vector for "${text}"`)
  return vector
}

describe('vectors', () => {
  test('are in the space of the documents', () => {
    expect(table.space).toEqual({ name: 'minilm-l6-256-v1', dimensions: 256 })
    expect(vectorOf('open a file and read its lines')).toHaveLength(256)
  })

  test.each(recorded)('of "$text" match those recorded by the training script', ({ text, table: expected }) => {
    expect(cosine(vectorOf(text), expected)).toBeGreaterThan(0.999)
  })

  test("point in the direction of the model's vector, and not in that of another question", () => {
    const own = recorded.map(({ text, model }) => cosine(vectorOf(text), model))
    for (const [index, { text }] of recorded.entries()) {
      const others = recorded.filter((other) => other.text !== text).map(({ model }) => cosine(vectorOf(text), model))
      expect(own[index], text).toBeGreaterThan(Math.max(...others) + 0.1)
    }
    expect(own.reduce((sum, value) => sum + value, 0) / own.length).toBeGreaterThan(0.7)
  })

  test('have unit length, and are the same for the same text, with another table too', async () => {
    const other = new QueryTable(tableBytes())
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
        const { vector, coverage } = table.embedQuestion(text)
        expect(await other.embed([text])).toEqual([{ vector, coverage }])
        expect(coverage).toBeGreaterThanOrEqual(0)
        expect(coverage).toBeLessThanOrEqual(1)
        if (vector === null) expect(coverage).toBe(0)
        else expect(cosine(vector, vector) * Math.hypot(...vector)).toBeCloseTo(1, 5)
      }),
    )
  })

  test.each(['', ' ', '\0', '🎉🎉', 'ᚠᚢ'])('%j has no known piece, so it has no vector', (text) => {
    expect(table.embedQuestion(text)).toEqual({ vector: null, coverage: 0 })
  })

  test('do not depend on text after the stated number of pieces', () => {
    const start = 'cache '.repeat(MAX_QUESTION_PIECES)
    expect(vectorOf(`${start}database`)).toEqual(vectorOf(start))
  })

  test('depend on the pairs of pieces, not only on single pieces', () => {
    expect(cosine(vectorOf('error handling'), vectorOf('handling error'))).toBeLessThan(0.999)
  })
})

describe('the file', () => {
  test('stays within its maximum size', () => {
    expect(tableBytes().byteLength).toBeLessThan(MAX_FILE_BYTES)
  })

  test.each([
    ['is empty', () => new ArrayBuffer(0), 'fewer than its header'],
    ['is cut short', () => tableBytes().slice(0, -1), 'where its header names'],
    ['is another format', () => new Uint8Array(tableBytes()).fill(1, 0, 4).buffer, 'does not begin with'],
    ['has a later version', () => new Uint8Array(tableBytes()).fill(2, 4, 5).buffer, 'has format version 2'],
    ['has impossible sizes', () => new Uint8Array(tableBytes()).fill(7, 16, 17).buffer, 'impossible sizes'],
    [
      'has a damaged byte',
      () => new Uint8Array(tableBytes()).fill(0xa5, 500_000, 500_008).buffer,
      'checksum does not match',
    ],
  ])('that %s is rejected with the reason', (_, bytes, reason) => {
    expect(() => new QueryTable(bytes())).toThrow(QueryTableError)
    expect(() => new QueryTable(bytes())).toThrow(reason)
  })
})

describe('the deferred table', () => {
  test('is read once, on the first question', async () => {
    let reads = 0
    const deferred = new DeferredQueryTable(async () => {
      reads++
      return tableBytes()
    })
    expect(reads).toBe(0)
    for (const text of ['sort a list', 'close the socket']) {
      expect(await deferred.embed([text])).toEqual([table.embedQuestion(text)])
    }
    expect(reads).toBe(1)
  })

  test.each([
    ['missing', () => Promise.reject(new Error('the static asset is missing (status 404)')), 'missing (status 404)'],
    ['damaged', async () => tableBytes().slice(0, -1), 'where its header names'],
  ])('that is %s makes the engine unavailable until it can be read', async (_, broken, reason) => {
    let read: () => Promise<ArrayBuffer> = broken
    const deferred = new DeferredQueryTable(() => read())
    await expect(deferred.embed(['sort a list'])).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringContaining(reason),
    })
    read = async () => tableBytes()
    expect(await deferred.embed(['sort a list'])).toEqual([table.embedQuestion('sort a list')])
  })
})
