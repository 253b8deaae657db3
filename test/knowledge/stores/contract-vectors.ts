/** Vector search, and what must never happen to vectors. */
import { expect } from 'vitest'
import type { Cases } from './contract.ts'
import { Bench, OTHER_SPACE, SAME_SIZE_SPACE, SPACE, scoreOf, vectorOf } from './contract-samples.ts'

export const vectorCases: Cases = {
  'the scale of a collection is measured, kept, and given with its answers': async (store) => {
    const bench = new Bench(store)
    const items = await bench.put({ a: 'red fox', b: 'blue whale', c: 'green frog' })
    expect((await bench.search('fox')).scale).toBeNull()
    const unrelated = ['winter tyres', 'red wine'].flatMap((text) => vectorOf(text, SPACE) ?? [])
    const cosines = items.flatMap(({ vector }) =>
      unrelated.map((other) => other.reduce((sum, value, i) => sum + value * (vector?.[i] ?? 0), 0)),
    )
    const level = cosines.reduce((sum, one) => sum + one, 0) / cosines.length
    const measured = await store.measureScale?.(bench.scope, SPACE, unrelated)
    expect(measured?.level).toBeCloseTo(level, 2)
    expect(measured?.spread).toBeCloseTo(
      Math.sqrt(cosines.reduce((sum, one) => sum + (one - level) ** 2, 0) / cosines.length),
      2,
    )
    expect((await bench.search('fox')).scale).toEqual(measured)
    expect(await store.measureScale?.(bench.scope, OTHER_SPACE, unrelated)).toBeNull()
    await bench.put(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`k${i}`, `more ${i}`])))
    expect((await bench.search('fox')).scale).toBeNull()
  },

  'the vector list is ordered by cosine, within a hundredth': async (store) => {
    const bench = new Bench(store)
    const texts = Array.from({ length: 30 }, (_, i) => `word${i % 7} word${i % 5} word${i % 3} unique${i}`)
    const items = await bench.put(Object.fromEntries(texts.map((text, i) => [`k${i}`, text])))
    const query = vectorOf('word1 word2', SPACE) ?? new Float32Array(48)
    const { candidates } = await bench.search('word1 word2', { keyword: false, limit: 30 })
    expect(candidates).toHaveLength(30)
    for (const { item, cosine } of candidates) {
      const own = items.find(({ id }) => id === item.id)?.vector ?? new Float32Array(48)
      const expected = own.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0)
      expect(Math.abs((cosine ?? 9) - expected)).toBeLessThan(0.01)
    }
  },

  'an item with the words of the query is first, with a cosine near one': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'reload proxy', b: 'rotate certificate', c: 'drop table' })
    const { candidates } = await bench.search('rotate certificate', { keyword: false })
    const best = candidates.find(({ item }) => item.key === 'b')
    expect(best?.cosine).toBeGreaterThan(0.98)
    expect((await bench.byVector('rotate certificate'))[0]).toBe('b')
  },

  'candidates of the keyword list have a cosine too': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'red fox', b: 'red whale' })
    const { candidates } = await bench.search('red')
    expect(candidates).toHaveLength(2)
    for (const candidate of candidates) {
      expect(scoreOf(candidate)).toBeGreaterThan(0)
      expect(candidate.cosine).not.toBeNull()
    }
  },

  'an item without a vector is immediately found by keyword and has no cosine': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.items({ pending: 'Its embedding failed: an ocelot.' })
    if (!item) throw new Error('no item')
    await bench.put({ other: 'A lynx.' })
    expect(await store.upsert(bench.scope, [{ ...item, vector: null }], SPACE)).toEqual(['indexed'])
    const { candidates } = await bench.search('ocelot')
    const found = candidates.find(({ item: { key } }) => key === 'pending')
    expect(found && scoreOf(found)).toBeGreaterThan(0)
    expect(found?.cosine).toBeNull()
    expect(await bench.byVector('Its embedding failed: an ocelot.')).not.toContain('pending')
    expect((await store.statistics(bench.scope)).withVector).toBe(1)
  },

  'storing an item again with a vector completes it': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.items({ a: 'Completed later.' })
    if (!item) throw new Error('no item')
    await store.upsert(bench.scope, [{ ...item, vector: null }], SPACE)
    expect(await store.upsert(bench.scope, [item], SPACE)).toEqual(['updated'])
    expect(await bench.byVector('Completed later.')).toEqual(['a'])
    expect(await store.upsert(bench.scope, [{ ...item, vector: null }], SPACE)).toEqual(['unchanged'])
    expect((await store.statistics(bench.scope)).withVector).toBe(1)
  },

  'an item that loses its vector in an update is not found by the old one': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'Old words with a vector.' })
    const [item] = await bench.items({ a: 'Fresh content.' })
    if (!item) throw new Error('no item')
    await store.upsert(bench.scope, [{ ...item, vector: null }], SPACE)
    expect(await bench.byVector('Old words with a vector.')).toEqual([])
    expect(await bench.byKeyword('fresh content')).toEqual(['a'])
  },

  'a query without a vector has no vector list and is not degraded': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'red fox' })
    const response = await bench.search('red', { semantic: false })
    expect(response.degraded).toEqual([])
    expect(response.candidates.map(({ cosine }) => cosine)).toEqual([null])
  },

  'a query in another space gets only keyword results, and the answer states it': async (store) => {
    for (const space of [OTHER_SPACE, SAME_SIZE_SPACE]) {
      const bench = new Bench(store)
      await bench.put({ a: 'red fox', b: 'blue whale' })
      const response = await bench.in(space).search('red fox')
      expect(response.degraded).toEqual(['vectors'])
      expect(response.candidates.map(({ item, cosine }) => [item.key, cosine])).toEqual([['a', null]])
    }
  },

  'items written in another space are stored, found by keyword, and never mixed in': async (store) => {
    for (const space of [OTHER_SPACE, SAME_SIZE_SPACE]) {
      const bench = new Bench(store)
      await bench.put({ old: 'red fox', also: 'blue whale' })
      const other = bench.in(space)
      expect(await store.upsert(bench.scope, await other.items({ fresh: 'red panda' }), space)).toEqual(['indexed'])
      expect((await bench.byKeyword('red')).sort()).toEqual(['fresh', 'old'])
      expect((await bench.byVector('red panda')).sort()).toEqual(['also', 'old'])
      expect(await store.statistics(bench.scope)).toMatchObject({ items: 3, withVector: 2, space: SPACE })
    }
  },

  'a change of vector size drops nothing': async (store) => {
    const bench = new Bench(store)
    const items = await bench.put({ a: 'red fox', b: 'blue whale' })
    await store.setCredit(bench.scope, [{ id: items[0]?.id ?? '', version: 1, successes: 3, partials: 0, failures: 0 }])
    const other = bench.in(OTHER_SPACE)
    await other.put({ c: 'green snake' })
    await other.search('green snake')
    expect(await bench.allKeys()).toEqual(['a', 'b', 'c'])
    expect((await bench.byVector('red fox'))[0]).toBe('a')
    expect((await store.get(bench.scope, [items[0]?.id ?? '']))[0]?.credit.successes).toBe(3)
  },

  'collections of different projects can have different spaces': async (store) => {
    const one = new Bench(store)
    const two = new Bench(store, { space: OTHER_SPACE })
    await one.put({ a: 'red fox' })
    await two.put({ a: 'red fox' })
    expect(await one.byVector('red fox')).toEqual(['a'])
    expect(await two.byVector('red fox')).toEqual(['a'])
    expect((await two.search('red fox')).degraded).toEqual([])
    expect((await store.statistics(two.scope)).space).toEqual(OTHER_SPACE)
  },

  'the best candidates of both lists combined are included': async (store) => {
    const bench = new Bench(store)
    const texts: Record<string, string> = { both: 'red fox' }
    for (let i = 0; i < 30; i++) texts[`k${i}`] = `red unrelated${i} thing${i}`
    await bench.put(texts)
    const { candidates } = await bench.search('red fox', { limit: 3 })
    const both = candidates.find(({ item }) => item.key === 'both')
    expect(both && scoreOf(both)).toBeGreaterThan(0)
    expect(both?.cosine).toBeGreaterThan(0.9)
  },
}
