import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { contextId } from '../../../src/knowledge/collections.ts'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { migratePage } from '../../../src/knowledge/stores/migrate.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import type { TransferStore } from '../../../src/knowledge/stores/store.ts'
import { searchKnowledge } from '../../../src/retrieval/search.ts'
import { Bench, OTHER_SPACE, sampleEmbedder } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

/** Every read omits the damaged item, searches and lists report it, and it can be deleted. */
async function leavesOutAndNames(store: TransferStore, bench: Bench, good: string, bad: string): Promise<void> {
  const { project, collection } = bench.scope
  const named = `item:${contextId(collection, bad)}`

  const found = await bench.search('lanterns')
  expect(found.candidates.map(({ item }) => item.key)).toEqual(['good'])
  expect(found.degraded).toEqual([named])
  expect((await bench.search('harbour', { semantic: false })).degraded).toEqual([])

  const services = { knowledge: store, embedder: sampleEmbedder(bench.space), settings: {}, now: () => 0 }
  const options = { project, query: 'lanterns', collections: [collection], mode: 'hybrid' as const }
  const answer = await searchKnowledge(services, { ...options, limit: 10, scoreThreshold: 0 })
  expect(answer.ranked.map(({ item }) => item.key)).toEqual(['good'])
  expect(answer.degraded).toEqual([named])

  expect(await store.list(bench.scope, { limit: 10 })).toMatchObject({ entries: [{ key: 'good' }], damaged: [bad] })
  expect(await store.exportItems(bench.scope, { limit: 10 })).toMatchObject({
    entries: [{ key: 'good' }],
    damaged: [bad],
  })
  const start = { phase: 'items', cursor: null } as const
  await expect(migratePage(store, null, bench.scope, start)).rejects.toThrow(`can't be read: ${bad}`)
  const both = await store.get(bench.scope, [good, bad])
  expect(both.map((item) => item?.key)).toEqual(['good', undefined])
  const waiting = await store.itemsWithoutVector(bench.scope, OTHER_SPACE, { limit: 10 })
  expect(waiting.entries.map(({ id }) => id)).toEqual([good])

  expect(await store.delete(bench.scope, [bad])).toBe(1)
  expect((await bench.search('lanterns')).degraded).toEqual([])
}

const TEXTS = { good: 'lanterns light the harbour', bad: 'lanterns light the tower' }

describe('an item whose row cannot be read', () => {
  it.each([
    ['fields', '{"title":'],
    ['fields', 'null'],
    ['passages', '[12,'],
  ])('%s %j: it is omitted and reported, the others are found', async (column, value) => {
    const store = embeddedStore(env.KNOWLEDGE)
    const bench = new Bench(store)
    const [good, bad] = await bench.put(TEXTS)
    const { project, collection } = bench.scope
    const object = env.KNOWLEDGE.getByName(JSON.stringify([project, collection]))
    await runInDurableObject(object, (_, { storage: { sql } }) => {
      sql.exec(`UPDATE items SET ${column} = ? WHERE key = 'bad'`, value)
    })
    await leavesOutAndNames(store, bench, good?.id ?? '', bad?.id ?? '')
  })
})

describe('a point of Qdrant whose payload cannot be read', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.each([
    ['fields', null],
    ['fields', 'text'],
    ['hash', 7],
    ['passages', '[12,'],
    ['passages', undefined],
    ['successes', -1],
    ['created_at', 'yesterday'],
  ])('%s %j: it is omitted and reported, the others are found', async (field, value) => {
    const stub = new QdrantStub()
    vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
    const engine = new Engine('Qdrant', 'Check QDRANT_URL.', { deadlineMs: 20_000, concurrent: 64 })
    const connection = { url: 'http://qdrant.test:6333', prefix: 'damaged-', engine, timeoutMs: 20_000 }
    const store = new QdrantStore(new QdrantConnection(connection))
    const bench = new Bench(store)
    const [good, bad] = await bench.put(TEXTS)
    for (const { points } of stub.collections.values()) {
      const point = points.get(bad?.id ?? '')
      if (point) point.payload[field] = value
    }
    await leavesOutAndNames(store, bench, good?.id ?? '', bad?.id ?? '')
    expect(stub.violations).toEqual([])
  })
})
