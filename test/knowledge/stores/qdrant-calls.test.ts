/** The number of requests that the store makes for frequent operations. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import { Bench } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

let stub: QdrantStub
let bench: Bench

beforeEach(() => {
  stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', 'Check QDRANT_URL.')
  const options = { url: 'http://qdrant.test:6333', prefix: '', engine, timeoutMs: 10_000 }
  bench = new Bench(new QdrantStore(new QdrantConnection(options)))
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** The requests of some work, by operation. */
async function requests(work: () => Promise<unknown>): Promise<Record<string, number>> {
  stub.calls.clear()
  await work()
  return Object.fromEntries(stub.calls)
}

async function fill(items: number): Promise<void> {
  for (let from = 0; from < items; from += 500) {
    const texts = Array.from({ length: 500 }, (_, i) => [`k${from + i}`, `fox number ${from + i}`] as const)
    await bench.put(Object.fromEntries(texts))
  }
}

it('a search is one batch plus two small reads', async () => {
  await bench.put({ a: 'red fox' })
  await bench.search('red fox')
  expect(await requests(() => bench.search('red fox'))).toEqual({
    get_points: 1,
    count_points: 1,
    query_batch_points: 1,
  })
})

it.each([
  ['http://qdrant.test', 'http://qdrant.test:6333'],
  ['https://qdrant.test', 'https://qdrant.test'],
  ['https://qdrant.test:7000/', 'https://qdrant.test:7000'],
])('every request to %s goes to %s', async (url, origin) => {
  const engine = new Engine('Qdrant', 'Check QDRANT_URL.')
  const store = new QdrantStore(new QdrantConnection({ url, prefix: '', engine, timeoutMs: 10_000 }))
  const own = new Bench(store)
  vi.mocked(globalThis.fetch).mockClear()
  await own.put({ a: 'red fox' })
  await own.search('red fox')
  const asked = vi
    .mocked(globalThis.fetch)
    .mock.calls.map(([to]) => new URL(to instanceof Request ? to.url : to).origin)
  expect(asked.length).toBeGreaterThan(3)
  expect(new Set(asked)).toEqual(new Set([origin]))
})

it('properties of a large collection are cached until it is written to', async () => {
  await fill(2_000)
  const first = await bench.search('fox')
  expect(first.items).toBe(2_000)
  expect(await requests(() => bench.search('fox number 7'))).toEqual({ get_points: 1, query_batch_points: 1 })
  expect(await bench.search('fox')).toEqual(first)
  await bench.put({ another: 'red fox' })
  expect(await requests(() => bench.search('fox'))).toMatchObject({ count_points: 1 })
  expect((await bench.search('fox')).items).toBe(2_001)
})

it('the number of items takes one request', async () => {
  await bench.put({ a: 'red fox' })
  expect(await requests(async () => expect(await bench.store.countItems?.(bench.scope)).toBe(1))).toEqual({
    count_points: 1,
  })
})

it('sending 100 unchanged items again takes two reads and no write', async () => {
  const texts = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, `fox number ${i}`]))
  await bench.put(texts)
  expect(await requests(() => bench.put(texts))).toEqual({ get_points: 2 })
})
