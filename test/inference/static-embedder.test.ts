import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
// Vite inlines the file as a data URL, which works in both node and workerd.
import tableUrl from '../../public/models/static-256-v1.bin?url&inline'
import type { Embedder } from '../../src/inference/embedding/embedder.ts'
import {
  createStaticEmbedder,
  deferredStaticEmbedder,
  MAXIMUM_WORDS,
} from '../../src/inference/embedding/static/embedder.ts'
import { WordTableError } from '../../src/inference/embedding/static/table.ts'

function tableBytes(): ArrayBuffer {
  const binary = atob(tableUrl.slice(tableUrl.indexOf(',') + 1))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer
}

let embedder: Embedder
beforeAll(() => {
  embedder = createStaticEmbedder(tableBytes())
})

async function vectorOf(text: string): Promise<Float32Array | null> {
  const [embedding] = await embedder.embed([text], 'document')
  return embedding?.vector ?? null
}

async function cosine(left: string, right: string): Promise<number> {
  const [a, b] = await Promise.all([vectorOf(left), vectorOf(right)])
  if (a === null || b === null) throw new Error(`no vector for "${left}" or "${right}"`)
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}

describe('vectors', () => {
  test('have the dimensions of the space and unit length', async () => {
    const vector = await vectorOf('open a file and read its lines')
    expect(vector).toHaveLength(embedder.space.dimensions)
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5)
    expect(embedder.space).toEqual({ name: 'static-256-v1', dimensions: 256 })
  })

  test('are the same for the same text, with another embedder too', async () => {
    const [other] = await createStaticEmbedder(tableBytes()).embed(['parse a JSON document'], 'query')
    expect(other?.vector).toEqual(await vectorOf('parse a JSON document'))
  })

  test.each(['getUserName', 'get_user_name', 'get-user-name', 'GET_USER_NAME', 'GetUserName'])(
    '%s matches "get user name"',
    async (identifier) => {
      expect(await vectorOf(identifier)).toEqual(await vectorOf('get user name'))
    },
  )

  test.each(['', ' ', '🎉🎉', 'qzxvkjwqpt', '"*(:', '\0'])(
    '%j has no known word, so it has no vector',
    async (text) => {
      expect(await embedder.embed([text], 'query')).toEqual([{ vector: null, coverage: 0 }])
    },
  )

  test('do not depend on words past the stated limit', async () => {
    const start = 'cache '.repeat(MAXIMUM_WORDS)
    expect(await vectorOf(`${start}database`)).toEqual(await vectorOf(start))
  })
})

describe('coverage', () => {
  test('is 1 if every word is known, and lower the more are unknown', async () => {
    const texts = ['read the file', 'read the file qzxvkjwqpt', 'file qzxvkjwqpt wqptqzxvkj']
    const [all, some, few] = (await embedder.embed(texts, 'query')).map((embedding) => embedding.coverage)
    expect(all).toBe(1)
    expect(some).toBeLessThan(1)
    expect(few).toBeLessThan(some ?? 0)
    expect(few).toBeGreaterThan(0)
  })
})

describe('meaning', () => {
  test.each([
    ['delete a directory', 'remove a folder', 'play a song'],
    [
      'read a text file line by line',
      'open the path and iterate over its lines',
      'compute the eigenvalues of a matrix',
    ],
    ['sort a list in descending order', 'order an array from largest to smallest', 'send an email'],
    ['parse json string', 'decode a JSON document into an object', 'draw a circle on the canvas'],
    ['connect to a database', 'open a connection to the SQL server', 'resize an image'],
    ['kill a process', 'terminate a running program by its pid', 'format a date'],
    ['convert string to integer', 'parse an int from text', 'create a virtual network'],
    ['http request failed with timeout', 'the server did not answer in time', 'round a number to two decimals'],
    ['list running containers', 'show docker processes', 'translate a sentence to French'],
    ['user authentication', 'verify the password at login', 'plot a histogram'],
    ['heart attack', 'myocardial infarction', 'compile the kernel'],
    ['cancer treatment', 'tumor therapy', 'keyboard shortcut'],
    ['the child is happy', 'a glad kid', 'quarterly tax statement'],
    ['buy a car', 'purchase an automobile', 'boil the soup'],
    ['random number generator', 'draw samples from a uniform distribution', 'rename a branch'],
    ['compress files into an archive', 'create a tar or zip', 'sunrise over the ocean'],
    ['find duplicate entries', 'remove repeated items from a list', 'open a socket'],
    ['calculate the mean of numbers', 'average of a numeric sequence', 'encrypt a message'],
    ['disk is full', 'no space left on device', 'spelling of a word'],
    ['download a web page', 'fetch the content of a url', 'knit a sweater'],
  ])('"%s" is nearer to "%s" than to "%s"', async (text, related, unrelated) => {
    expect(await cosine(text, related)).toBeGreaterThan(await cosine(text, unrelated))
  })
})

describe('invalid tables', () => {
  const damaged = (change: (bytes: Uint8Array) => Uint8Array): ArrayBuffer =>
    change(new Uint8Array(tableBytes())).slice().buffer
  test.each<[string, (bytes: Uint8Array) => Uint8Array, RegExp]>([
    ['an empty file', () => new Uint8Array(), /fewer than its header/],
    ['another format', (bytes) => bytes.fill(65, 0, 1), /does not begin with the mark/],
    ['another version', (bytes) => bytes.fill(9, 4, 5), /format version 9/],
    ['a file cut short', (bytes) => bytes.subarray(0, 100_000), /where its header names/],
    ['a flipped byte', (bytes) => bytes.fill((bytes[200_000] ?? 0) ^ 1, 200_000, 200_001), /damaged/],
    ['impossible sizes', (bytes) => bytes.fill(0, 12, 14), /impossible sizes/],
  ])('%s is rejected with its reason', (_, change, reason) => {
    const table = damaged(change)
    expect(() => createStaticEmbedder(table)).toThrow(WordTableError)
    expect(() => createStaticEmbedder(table)).toThrow(reason)
  })
})

describe('properties', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(fc.constantFrom('get', 'User', '_name', ' ', 'file', '-', 'é', '漢字', '٣', '💥', '\0', '2'))
      .map((parts) => parts.join('')),
  )

  test('any text gets a unit vector or none, and a coverage from 0 to 1', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const [embedding] = await embedder.embed([value], 'document')
        expect(embedding?.coverage).toBeGreaterThanOrEqual(0)
        expect(embedding?.coverage).toBeLessThanOrEqual(1)
        if (embedding?.vector) expect(Math.hypot(...embedding.vector)).toBeCloseTo(1, 4)
        else expect(embedding?.coverage).toBe(0)
      }),
    )
  })

  test('a batch gives the same results as single texts, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (values) => {
        const alone = await Promise.all(values.map((value) => embedder.embed([value], 'query')))
        expect(await embedder.embed(values, 'query')).toEqual(alone.flat())
      }),
    )
  })
})

test('a request that is cancelled while it reads the table does not block the next one', async () => {
  const reads = [new Promise<ArrayBuffer>(() => undefined), Promise.resolve(tableBytes())]
  const deferred = deferredStaticEmbedder(() => reads.shift() ?? Promise.reject(new Error('read three times')))
  void deferred.embed(['never answered'], 'query')
  const [embedding] = await deferred.embed(['open a file'], 'query')
  expect(embedding?.vector).not.toBeNull()
  expect(await deferred.embed(['open a file'], 'query')).toEqual([embedding])
})
