import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { contextId } from '../../../src/knowledge/collections.ts'
import { EmbeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { searchKnowledge } from '../../../src/retrieval/search.ts'
import { Bench, OTHER_SPACE, sampleEmbedder } from './contract-samples.ts'

describe('an item whose row cannot be read', () => {
  it.each([
    ['fields', '{"title":'],
    ['fields', 'null'],
    ['passages', '[12,'],
  ])('%s %j: it is left out and named, the others are found', async (column, value) => {
    const store = new EmbeddedStore(env.KNOWLEDGE)
    const bench = new Bench(store)
    const [good, bad] = await bench.put({ good: 'lanterns light the harbour', bad: 'lanterns light the tower' })
    const { project, collection } = bench.scope
    const object = env.KNOWLEDGE.getByName(JSON.stringify([project, collection]))
    await runInDurableObject(object, (_, { storage: { sql } }) => {
      sql.exec(`UPDATE items SET ${column} = ? WHERE key = 'bad'`, value)
    })
    const named = `item:${contextId(collection, bad?.id ?? '')}`

    const found = await bench.search('lanterns')
    expect(found.candidates.map(({ item }) => item.key)).toEqual(['good'])
    expect(found.degraded).toEqual([named])
    expect((await bench.search('harbour', { semantic: false })).degraded).toEqual([])

    const services = { knowledge: store, embedder: sampleEmbedder(bench.space), settings: {}, now: () => 0 }
    const options = { project, query: 'lanterns', collections: [collection], mode: 'hybrid' as const }
    const answer = await searchKnowledge(services, { ...options, limit: 10, scoreThreshold: 0 })
    expect(answer.ranked.map(({ item }) => item.key)).toEqual(['good'])
    expect(answer.degraded).toEqual([named])

    expect(await store.list(bench.scope, { limit: 10 })).toMatchObject({
      entries: [{ key: 'good' }],
      damaged: [bad?.id],
    })
    const both = await store.get(bench.scope, [good?.id ?? '', bad?.id ?? ''])
    expect(both.map((item) => item?.key)).toEqual(['good', undefined])
    const waiting = await store.itemsWithoutVector(bench.scope, OTHER_SPACE, { limit: 10 })
    expect(waiting.entries.map(({ id }) => id)).toEqual([good?.id])

    expect(await store.delete(bench.scope, [bad?.id ?? ''])).toBe(1)
    expect((await bench.search('lanterns')).degraded).toEqual([])
  })
})
