/** Moving a collection to another embedding space while the old one is searched. */
import { expect } from 'vitest'
import type { KnowledgeStore, SpaceStore } from '../../../src/knowledge/stores/store.ts'
import type { Cases } from './contract.ts'
import { Bench, OTHER_SPACE, SPACE, vectorOf } from './contract-samples.ts'

function spaces(store: KnowledgeStore): SpaceStore {
  return store as SpaceStore
}

/** Embeds missing items in a space. Returns their number. */
async function embedAll(store: KnowledgeStore, bench: Bench, space = OTHER_SPACE): Promise<number> {
  let cursor: string | undefined
  let count = 0
  do {
    const page = await spaces(store).itemsWithoutVector(bench.scope, space, { cursor, limit: 2 })
    const vectors = page.entries.map(({ id, hash, title, body }) => ({
      id,
      hash,
      vector: vectorOf(`${title}\n${body}`, space),
    }))
    await spaces(store).addVectors(bench.scope, space, vectors)
    count += vectors.length
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return count
}

export const spaceCases: Cases = {
  'the old space is searched until the new one is complete, and then only the new one': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'red fox', b: 'blue whale', c: 'green snake' })
    expect(await spaces(store).serveSpace(bench.scope, OTHER_SPACE)).toBe(false)
    expect(await embedAll(store, bench)).toBe(3)
    expect((await bench.byVector('red fox'))[0]).toBe('a')
    expect((await store.statistics(bench.scope)).space).toEqual(SPACE)
    expect(await spaces(store).serveSpace(bench.scope, OTHER_SPACE)).toBe(true)
    expect(await store.statistics(bench.scope)).toMatchObject({ items: 3, withVector: 3, space: OTHER_SPACE })
    expect((await bench.search('red fox')).degraded).toEqual(['vectors'])
    const after = await bench.in(OTHER_SPACE).search('red fox', { keyword: false })
    expect(after.degraded).toEqual([])
    expect(after.candidates.find(({ item }) => item.key === 'a')?.cosine).toBeGreaterThan(0.98)
    expect(await embedAll(store, bench)).toBe(0)
  },

  'items written with the new model in the meantime are included, and items changed in the meantime are embedded again':
    async (store) => {
      const bench = new Bench(store)
      await bench.put({ a: 'red fox', b: 'blue whale' })
      await embedAll(store, bench)
      const other = bench.in(OTHER_SPACE)
      await store.upsert(bench.scope, await other.items({ c: 'green snake' }), OTHER_SPACE)
      await bench.put({ b: 'grey whale' })
      expect(await spaces(store).serveSpace(bench.scope, OTHER_SPACE)).toBe(false)
      expect(await embedAll(store, bench)).toBe(1)
      expect(await spaces(store).serveSpace(bench.scope, OTHER_SPACE)).toBe(true)
      expect((await other.byVector('grey whale'))[0]).toBe('b')
      expect((await other.byVector('green snake'))[0]).toBe('c')
    },

  'a vector for an item that has changed since is rejected': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'red fox' })
    if (!item) throw new Error('no item')
    const { entries } = await spaces(store).itemsWithoutVector(bench.scope, OTHER_SPACE, { limit: 5 })
    await bench.put({ a: 'blue whale' })
    const vector = vectorOf('red fox', OTHER_SPACE)
    await spaces(store).addVectors(
      bench.scope,
      OTHER_SPACE,
      entries.map(({ id, hash }) => ({ id, hash, vector })),
    )
    expect(await spaces(store).serveSpace(bench.scope, OTHER_SPACE)).toBe(false)
  },

  'items whose embedding failed are listed and completed; those without words are listed once': async (store) => {
    const bench = new Bench(store)
    const [failed, wordless] = await bench.items({ failed: 'red fox', wordless: '???' })
    if (!failed || !wordless) throw new Error('no items')
    await store.upsert(bench.scope, [{ ...failed, vector: null }, wordless], SPACE)
    await bench.put({ fine: 'blue whale' })
    expect(await embedAll(store, bench, SPACE)).toBe(2)
    expect((await bench.byVector('red fox'))[0]).toBe('failed')
    expect(await embedAll(store, bench, SPACE)).toBe(0)
    expect(await store.statistics(bench.scope)).toMatchObject({ items: 3, withVector: 2, space: SPACE })
  },
}
