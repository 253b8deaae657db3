/** A changed embedding model on 5,000 items: searches always answer, and end up using only the new space. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { CoordinatorError } from '../../../src/errors.ts'
import type { Embedder, EmbeddingSpace } from '../../../src/inference/embedding/embedder.ts'
import { prepareItems } from '../../../src/knowledge/prepare.ts'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { migratingStore } from '../../../src/knowledge/stores/migrating-store.ts'
import type { CollectionScope } from '../../../src/knowledge/stores/store.ts'
import { UNRELATED_QUESTIONS } from '../../../src/knowledge/unrelated-questions.ts'
import { Bench, freshProject, madeUpWord, OTHER_SPACE, SPACE, sampleEmbedder, vectorOf } from './contract-samples.ts'

const ITEMS = 5000

function keeper(embedder: Embedder, others: Embedder[], enqueued: CollectionScope[] = [], now = () => Date.now()) {
  const enqueue = async (scope: CollectionScope) => {
    enqueued.push(scope)
  }
  return migratingStore(embeddedStore(env.KNOWLEDGE), { embedder, others, mayFail: true, enqueue, now })
}

const text = (i: number) => `${madeUpWord(i % 400)} ${madeUpWord(Math.floor(i / 13) % 400)} step ${i % 7}`

describe('a change of the embedding model', () => {
  it(`moves ${ITEMS} items in the background while every search answers`, async () => {
    const project = freshProject()
    const before = new Bench(keeper(sampleEmbedder(SPACE), []), { project })
    for (let from = 0; from < ITEMS; from += 500) {
      await before.put(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${from + i}`, text(from + i)])))
    }
    const enqueued: CollectionScope[] = []
    // A clock that ends a job after a few batches, like a slow model.
    let ticks = 0
    const store = keeper(sampleEmbedder(OTHER_SPACE), [sampleEmbedder(SPACE)], enqueued, () => (ticks += 2_500))
    const after = new Bench(store, { project, space: OTHER_SPACE })
    const seen: { jobs: number; searches: number; withCosine: number } = { jobs: 0, searches: 0, withCosine: 0 }
    let done = false
    while (!done) {
      const [left, { candidates, degraded }] = await Promise.all([
        store.embedPending(after.scope),
        after.search(text(1234), { limit: 5 }),
      ])
      done = left
      seen.jobs++
      seen.searches++
      expect(degraded).toEqual([])
      expect(candidates.map(({ item }) => item.key)).toContain('k1234')
      const own = candidates.find(({ item }) => item.key === 'k1234')
      if (own?.cosine && own.cosine > 0.95) seen.withCosine++
    }
    expect(seen.jobs).toBeGreaterThan(5)
    expect(seen.withCosine).toBe(seen.searches)
    expect(enqueued.length).toBeGreaterThan(0)
    expect(await store.statistics(after.scope)).toMatchObject({ items: ITEMS, withVector: ITEMS, space: OTHER_SPACE })
    expect((await before.search(text(1))).degraded).toEqual(['vectors'])
    console.log(`${ITEMS} items re-embedded in ${seen.jobs} jobs; ${seen.searches} searches meanwhile, none degraded`)
  })

  it('without the old model, searches use keywords only and report it', async () => {
    const project = freshProject()
    await new Bench(keeper(sampleEmbedder(SPACE), []), { project }).put({ a: 'red fox' })
    const { degraded, candidates } = await new Bench(keeper(sampleEmbedder(OTHER_SPACE), []), {
      project,
      space: OTHER_SPACE,
    }).search('red fox')
    expect(degraded).toEqual(['vectors'])
    expect(candidates.map(({ item, cosine }) => [item.key, cosine])).toEqual([['a', null]])
  })
})

describe('an embedding engine that is down', () => {
  it('items are stored, found by keyword immediately, and embedded when it is back', async () => {
    let down = true
    const flaky: Embedder = {
      space: SPACE,
      embed: async (texts) => {
        if (down) throw new CoordinatorError('engine_unavailable', 'The embedding server could not be reached.')
        return texts.map((one) => ({ vector: vectorOf(one, SPACE), coverage: 1 }))
      },
    }
    const enqueued: CollectionScope[] = []
    const store = keeper(flaky, [], enqueued)
    const bench = new Bench(store)
    const fields = { description: 'Reload the reverse proxy.' }
    const items = await prepareItems(
      bench.scope.project,
      bench.scope.collection,
      [{ key: 'a', fields, provenance: 'human' }],
      flaky,
    )
    expect(items.map(({ vector }) => vector)).toEqual([null])
    expect(await store.upsert(bench.scope, items, SPACE)).toEqual(['indexed'])
    expect(enqueued).toHaveLength(1)
    expect(await bench.byKeyword('reverse proxy')).toEqual(['a'])
    expect(await bench.byVector('Reload the reverse proxy.')).toEqual([])
    await expect(store.embedPending(bench.scope)).rejects.toThrow('could not be reached')
    down = false
    expect(await store.embedPending(bench.scope)).toBe(true)
    expect(await bench.byVector('Reload the reverse proxy.')).toEqual(['a'])
  })

  it('items without a vector are enqueued by the next search, until they are embedded', async () => {
    const enqueued: CollectionScope[] = []
    const store = keeper(sampleEmbedder(SPACE), [], enqueued)
    const bench = new Bench(store)
    const [first, second] = await bench.items({ a: 'Reload the reverse proxy.', b: 'Rotate the certificate.' })
    if (!first || !second) throw new Error('no items')
    // Stored by a Worker that died before it could enqueue: bypasses the migrating store.
    const stored = embeddedStore(env.KNOWLEDGE)
    await stored.upsert(bench.scope, [first, { ...second, vector: null }], SPACE)
    await bench.search('proxy')
    await bench.search('proxy')
    expect(enqueued).toHaveLength(2)
    expect(await store.embedPending(bench.scope)).toBe(true)
    await bench.search('proxy')
    expect(enqueued).toHaveLength(2)
    await stored.delete(bench.scope, [first.id])
    await bench.search('proxy')
    expect(enqueued).toHaveLength(2)
    await stored.upsert(bench.scope, [{ ...first, vector: null }], SPACE)
    await bench.search('proxy')
    expect(enqueued).toHaveLength(3)
  })
})

describe('the scale of cosines', () => {
  /** Answers at most four texts in one call, as an engine does that needs 400 ms for each. */
  const slow = (space: EmbeddingSpace, calls: number[]): Embedder => ({
    ...sampleEmbedder(space),
    embed: async (texts) => {
      calls.push(texts.length)
      if (texts.length > 4) throw new CoordinatorError('engine_unavailable', 'The embedding server is too slow.')
      return sampleEmbedder(space).embed(texts, 'query')
    },
    async *embedDocuments(texts) {
      const embeddings = await sampleEmbedder(space).embed(texts, 'document')
      yield { at: [...texts.keys()], embeddings }
    },
  })
  const spaceOf = () => ({ ...SPACE, name: `slow/${crypto.randomUUID()}` })

  it('is measured with an engine that is too slow to embed all unrelated texts in one call', async () => {
    const space = spaceOf()
    const store = keeper(slow(space, []), [])
    const bench = new Bench(store, { space })
    await bench.put({ a: 'Reload the reverse proxy.', b: 'Rotate the certificate.' })
    const { scale } = await bench.search('proxy')
    expect(scale).toEqual({ level: expect.any(Number), spread: expect.any(Number) })
  })

  it('is measured when a job has embedded a collection, and not again by the search', async () => {
    const space = spaceOf()
    const calls: number[] = []
    const store = keeper(slow(space, calls), [])
    const bench = new Bench(store, { space })
    const [item] = await bench.items({ a: 'Reload the reverse proxy.' })
    if (!item) throw new Error('no item')
    await store.upsert(bench.scope, [{ ...item, vector: null }], space)
    expect(await store.embedPending(bench.scope)).toBe(true)
    expect(calls.reduce((sum, one) => sum + one, 0)).toBe(UNRELATED_QUESTIONS.length)
    expect((await bench.search('proxy')).scale).not.toBeNull()
    expect(calls.reduce((sum, one) => sum + one, 0)).toBe(UNRELATED_QUESTIONS.length)
  })
})
