/** Single items: writing, reading, filtering, credit, statistics. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { newId } from '../../../src/ids.ts'
import { PROVENANCES } from '../../../src/knowledge/provenance.ts'
import type { Cases } from './contract.ts'
import { Bench, madeUpWord, SPACE } from './contract-samples.ts'

export const itemCases: Cases = {
  'a new item is indexed, an identical one is unchanged, one with other fields is updated': async (store) => {
    const bench = new Bench(store)
    const first = await bench.items({ a: 'Restart the reverse proxy after a change.' })
    expect(await store.upsert(bench.scope, first, SPACE)).toEqual(['indexed'])
    expect(await store.upsert(bench.scope, first, SPACE)).toEqual(['unchanged'])
    const second = await bench.items({ a: 'Reload the reverse proxy after a change.' })
    expect(second[0]?.id).toBe(first[0]?.id)
    expect(await store.upsert(bench.scope, second, SPACE)).toEqual(['updated'])
    expect((await store.statistics(bench.scope)).items).toBe(1)
  },

  'of concurrent replacements of one version, exactly one is written': async (store) => {
    const bench = new Bench(store)
    const versions = await Promise.all([0, 1, 2, 3, 4].map((n) => bench.items({ a: `Version ${n} of the text.` })))
    const [first, ...others] = versions.flat()
    if (!first) throw new Error('no item')
    await store.upsert(bench.scope, [first], SPACE)
    const statuses = await Promise.all(
      others.map((item) => store.upsert(bench.scope, [{ ...item, replaces: first.hash }], SPACE)),
    )
    expect(statuses.flat().sort()).toEqual(['conflict', 'conflict', 'conflict', 'updated'])
    const written = others[statuses.flat().indexOf('updated')]
    expect((await store.get(bench.scope, [first.id]))[0]?.fields).toEqual(written?.fields)
  },

  'an item that replaces a specific version does not overwrite another one': async (store) => {
    const bench = new Bench(store)
    const [first] = await bench.items({ a: 'The first version.' })
    const [second] = await bench.items({ a: 'The second version.' })
    const [third] = await bench.items({ a: 'The third version.' })
    if (!first || !second || !third) throw new Error('no item')
    expect(await store.upsert(bench.scope, [{ ...first, replaces: 'nothing' }], SPACE)).toEqual(['conflict'])
    await store.upsert(bench.scope, [first], SPACE)
    expect(await store.upsert(bench.scope, [{ ...second, replaces: first.hash }], SPACE)).toEqual(['updated'])
    expect(await store.upsert(bench.scope, [{ ...third, replaces: first.hash }], SPACE)).toEqual(['conflict'])
    expect((await store.get(bench.scope, [first.id]))[0]?.fields).toEqual(second.fields)
  },

  'statuses are in the order of the items': async (store) => {
    const bench = new Bench(store)
    await bench.put({ b: 'old', c: 'kept' })
    const items = await bench.items({ a: 'new', b: 'changed', c: 'kept' })
    expect(await store.upsert(bench.scope, items, SPACE)).toEqual(['indexed', 'updated', 'unchanged'])
  },

  'an item sent twice in one call is stored once': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.items({ a: 'Sent twice.' })
    if (!item) throw new Error('no item')
    expect(await store.upsert(bench.scope, [item, item], SPACE)).toEqual(['indexed', 'unchanged'])
    expect((await store.statistics(bench.scope)).items).toBe(1)
  },

  'an invalid id is unknown, and the others of the same call are answered': async (store) => {
    const bench = new Bench(store)
    const item = (await bench.items({ a: 'Reload the proxy.' }))[0]
    if (!item) throw new Error('no item')
    await store.upsert(bench.scope, [item], SPACE)
    const foreign = ['none', 'best-practices/none', '', '17', 'x'.repeat(300), item.id.toUpperCase(), `{${item.id}}`]
    const found = await store.get(bench.scope, [...foreign, item.id])
    expect(found.map((one) => one?.key ?? null)).toEqual([...foreign.map(() => null), 'a'])
    const counters = { version: 1, successes: 1, partials: 0, failures: 0 }
    await store.setCredit(
      bench.scope,
      [...foreign, item.id].map((id) => ({ id, ...counters })),
    )
    expect((await store.get(bench.scope, [item.id]))[0]?.credit.successes).toBe(1)
    expect(await store.delete(bench.scope, foreign)).toBe(0)
    expect(await store.delete(bench.scope, [...foreign, item.id])).toBe(1)
  },

  'writing nothing succeeds': async (store) => {
    const bench = new Bench(store)
    expect(await store.upsert(bench.scope, [], SPACE)).toEqual([])
    expect(await store.get(bench.scope, [])).toEqual([])
    expect(await store.delete(bench.scope, [])).toBe(0)
  },

  'a written item is found by the very next search': async (store) => {
    const bench = new Bench(store)
    for (let round = 0; round < 5; round++) {
      await bench.put({ [`k${round}`]: `Unmistakable ${madeUpWord(round)} marker.` })
      expect(await bench.byKeyword(madeUpWord(round))).toEqual([`k${round}`])
    }
  },

  'an updated item is found by its new words and not by its old ones': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'The word is kangaroo.' })
    await bench.put({ a: 'The word is wallaby.' })
    expect(await bench.byKeyword('kangaroo')).toEqual([])
    expect(await bench.byKeyword('wallaby')).toEqual(['a'])
  },

  'an item keeps its provenance, can be found by it, and is updated when it changes': async (store) => {
    const bench = new Bench(store)
    for (const provenance of PROVENANCES) {
      const items = await bench.items({ [provenance]: `A heron, says ${provenance}.` }, undefined, provenance)
      expect(await store.upsert(bench.scope, items, SPACE)).toEqual(['indexed'])
      expect(await store.upsert(bench.scope, items, SPACE)).toEqual(['unchanged'])
      const [stored] = await store.get(bench.scope, [items[0]?.id ?? ''])
      expect(stored?.provenance).toBe(provenance)
    }
    expect(await bench.byKeyword('heron', { filter: { provenance: 'model' } })).toEqual(['model'])
    const changed = await bench.items({ model: 'A heron, says model.' }, undefined, 'human')
    expect(await store.upsert(bench.scope, changed, SPACE)).toEqual(['updated'])
    const page = await store.list(bench.scope, { limit: 10, filter: { provenance: ['human', 'model'] } })
    expect(page.entries.map(({ key, provenance }) => [key, provenance]).sort()).toEqual([
      ['human', 'human'],
      ['model', 'human'],
    ])
  },

  'an item is returned as it was stored': async (store) => {
    const bench = new Bench(store)
    const fields = {
      title: 'Namen: Zoë 李 🦊',
      category: 'tést',
      description: 'First paragraph.\n\nSecond one — with "quotes", \\ and \u2028 separators.',
      examples: ['one', 'two'],
      endorsement_count: 3,
    }
    const before = Date.now()
    const [item] = await bench.put({ 'a key / with : signs': fields })
    const [stored] = await store.get(bench.scope, [item?.id ?? ''])
    expect(stored).toMatchObject({
      id: item?.id,
      collection: 'best-practices',
      key: 'a key / with : signs',
      fields,
      title: item?.title,
      body: item?.body,
      passages: item?.passages,
      source: null,
      path: null,
      credit: { successes: 0, partials: 0, failures: 0 },
    })
    expect(stored?.createdAt).toBeGreaterThanOrEqual(before - 1000)
    expect(stored?.updatedAt).toBeGreaterThanOrEqual(stored?.createdAt ?? Number.POSITIVE_INFINITY)
  },

  'an update keeps the creation time and sets the time of change': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'one' })
    const [first] = await store.get(bench.scope, [item?.id ?? ''])
    await new Promise((resolve) => setTimeout(resolve, 5))
    await bench.put({ a: 'two' })
    const [second] = await store.get(bench.scope, [item?.id ?? ''])
    expect(second?.createdAt).toBe(first?.createdAt)
    expect(second?.updatedAt).toBeGreaterThan(first?.updatedAt ?? 0)
  },

  'get answers in the requested order, with null for missing items': async (store) => {
    const bench = new Bench(store)
    const [a, b] = await bench.put({ a: 'one', b: 'two' })
    const found = await store.get(bench.scope, [b?.id ?? '', newId(), a?.id ?? '', b?.id ?? ''])
    expect(found.map((item) => item?.key ?? null)).toEqual(['b', null, 'a', 'b'])
  },

  'projects and collections are isolated': async (store) => {
    const one = new Bench(store)
    const other = new Bench(store)
    const elsewhere = new Bench(store, { project: one.scope.project, collection: 'codebase-context' })
    const [item] = await one.put({ a: 'A secret pangolin.' })
    for (const bench of [other, elsewhere]) {
      expect(await bench.byKeyword('pangolin')).toEqual([])
      expect(await bench.byVector('A secret pangolin.')).toEqual([])
      expect(await store.get(bench.scope, [item?.id ?? ''])).toEqual([null])
      expect(await store.delete(bench.scope, [item?.id ?? ''])).toBe(0)
      expect(await bench.allKeys()).toEqual([])
      expect((await store.statistics(bench.scope)).items).toBe(0)
    }
    expect(await one.allKeys()).toEqual(['a'])
  },

  'pages contain every item once, in order of id': async (store) => {
    const bench = new Bench(store)
    const items = await bench.put(
      Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`k${i}`, `Item number ${i}`])),
    )
    const ids: string[] = []
    const sizes: number[] = []
    let cursor: string | undefined
    do {
      const page = await store.list(bench.scope, { cursor, limit: 10 })
      sizes.push(page.entries.length)
      ids.push(...page.entries.map(({ id }) => id))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    expect(sizes).toEqual([10, 10, 3])
    expect(ids).toEqual(items.map(({ id }) => id).sort())
  },

  'a full last page has no next cursor': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'one', b: 'two' })
    expect((await store.list(bench.scope, { limit: 2 })).nextCursor).toBeNull()
  },

  'list filters by field: text, number, boolean, any of several, element of an array': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      a: { description: 'a', category: 'Ops', endorsement_count: 2, examples: ['x', 'y'] },
      b: { description: 'b', category: 'ops', endorsement_count: 20 },
      c: { description: 'c', category: 'dev', examples: ['y'] },
    })
    const keys = async (filter: Parameters<typeof store.list>[1]['filter']) =>
      (await store.list(bench.scope, { limit: 10, filter })).entries.map(({ key }) => key).sort()
    expect(await keys({ category: 'ops' })).toEqual(['b'])
    expect(await keys({ category: ['ops', 'dev'] })).toEqual(['b', 'c'])
    expect(await keys({ endorsement_count: 2 })).toEqual(['a'])
    expect(await keys({ examples: 'y' })).toEqual(['a', 'c'])
    expect(await keys({ examples: 'y', category: 'dev' })).toEqual(['c'])
    expect(await keys({ category: 'nothing' })).toEqual([])
    expect(await keys({ category: [] })).toEqual([])
    expect(await keys({})).toEqual(['a', 'b', 'c'])
  },

  'list and search filter by a range of numbers': async (store) => {
    const bench = new Bench(store, { collection: 'error-solutions' })
    const scored = (confidence_score?: number) => ({ error_message: 'heron', solution: 'Wait.', confidence_score })
    await bench.put({ a: scored(0), b: scored(0.5), c: scored(0.7), d: scored(1), none: scored() })
    for (const [range, found] of [
      [{ min: 0.7 }, ['c', 'd']],
      [{ max: 0.5 }, ['a', 'b']],
      [{ min: 0.4, max: 0.7 }, ['b', 'c']],
      [{ min: 1.1 }, []],
    ] as const) {
      const filter = { confidence_score: range }
      const keys = (await store.list(bench.scope, { limit: 10, filter })).entries.map(({ key }) => key).sort()
      expect(keys).toEqual(found)
      expect((await bench.byKeyword('heron', { filter })).sort()).toEqual(keys)
    }
  },

  'list filters by boolean fields': async (store) => {
    const bench = new Bench(store, { collection: 'error-solutions' })
    await bench.put({
      yes: { error_message: 'E1', solution: 'one', solution_verified: true },
      no: { error_message: 'E2', solution: 'two', solution_verified: false },
    })
    const page = await store.list(bench.scope, { limit: 10, filter: { solution_verified: true } })
    expect(page.entries.map(({ key }) => key)).toEqual(['yes'])
  },

  'a filter applies to the keyword list and to the vector list': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      a: { description: 'Rotate the certificates of the proxy.', category: 'ops' },
      b: { description: 'Rotate the certificates of the queue.', category: 'dev' },
    })
    const filter = { category: 'dev' }
    expect(await bench.byKeyword('rotate certificates', { filter })).toEqual(['b'])
    expect(await bench.byVector('Rotate the certificates of the proxy.', { filter })).toEqual(['b'])
    const both = await bench.search('Rotate the certificates of the proxy.', { filter })
    expect(both.candidates.map(({ item }) => item.key)).toEqual(['b'])
  },

  'filters follow an update': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: { description: 'same words', category: 'old' } })
    await bench.put({ a: { description: 'same words', category: 'new' } })
    expect(await bench.byKeyword('words', { filter: { category: 'old' } })).toEqual([])
    expect(await bench.byKeyword('words', { filter: { category: 'new' } })).toEqual(['a'])
  },

  'deleted items are in no list; deleting returns their number': async (store) => {
    const bench = new Bench(store)
    const [a, b] = await bench.put({ a: 'A lonely aardvark.', b: 'A second aardvark.' })
    expect(await store.delete(bench.scope, [a?.id ?? '', newId()])).toBe(1)
    expect(await store.delete(bench.scope, [a?.id ?? ''])).toBe(0)
    expect(await store.get(bench.scope, [a?.id ?? '', b?.id ?? ''])).toMatchObject([null, { key: 'b' }])
    expect(await bench.byKeyword('aardvark')).toEqual(['b'])
    expect(await bench.byVector('A lonely aardvark.')).toEqual(['b'])
    expect(await bench.allKeys()).toEqual(['b'])
  },

  'a deleted item can be stored again': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'Comes back.' })
    await store.delete(bench.scope, [item?.id ?? ''])
    expect(await store.upsert(bench.scope, item ? [item] : [], SPACE)).toEqual(['indexed'])
    expect(await bench.byKeyword('comes back')).toEqual(['a'])
  },

  'credit accepts only greater versions, in whatever order they arrive': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'Credited.' })
    const id = item?.id ?? ''
    const counters = (version: number) => ({ id, version, successes: version, partials: 2 * version, failures: 0 })
    await store.setCredit(bench.scope, [counters(2)])
    await store.setCredit(bench.scope, [counters(1), counters(2), counters(2)])
    expect((await store.get(bench.scope, [id]))[0]?.credit).toEqual({ successes: 2, partials: 4, failures: 0 })
    await store.setCredit(bench.scope, [counters(5), counters(4)])
    expect((await store.get(bench.scope, [id]))[0]?.credit).toEqual({ successes: 5, partials: 10, failures: 0 })
  },

  'credit sent concurrently and out of order ends at the greatest version': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'Credited at once.' })
    const id = item?.id ?? ''
    const order = [3, 7, 1, 5, 2, 8, 4, 6]
    await Promise.all(
      order.map((version) =>
        store.setCredit(bench.scope, [{ id, version, successes: version, partials: 0, failures: version }]),
      ),
    )
    expect((await store.get(bench.scope, [id]))[0]?.credit).toEqual({ successes: 8, partials: 0, failures: 8 })
  },

  'credit survives an update of the item, and is not stored for unknown ids': async (store) => {
    const bench = new Bench(store)
    const [item] = await bench.put({ a: 'before' })
    const id = item?.id ?? ''
    const unknown = newId()
    await store.setCredit(bench.scope, [
      { id, version: 1, successes: 4, partials: 0, failures: 1 },
      { id: unknown, version: 1, successes: 4, partials: 0, failures: 1 },
    ])
    await bench.put({ a: 'after' })
    expect((await store.get(bench.scope, [id]))[0]?.credit).toEqual({ successes: 4, partials: 0, failures: 1 })
    expect(await store.get(bench.scope, [unknown])).toEqual([null])
    expect((await store.statistics(bench.scope)).items).toBe(1)
  },

  'an empty collection answers everything': async (store) => {
    const bench = new Bench(store)
    expect(await store.statistics(bench.scope)).toEqual({
      items: 0,
      documents: 0,
      withVector: 0,
      pending: 0,
      space: null,
    })
    expect(await bench.search('anything at all')).toMatchObject({ candidates: [], items: 0, degraded: [] })
    expect(await store.list(bench.scope, { limit: 5 })).toEqual({ entries: [], nextCursor: null })
    expect(await store.get(bench.scope, [newId()])).toEqual([null])
    await store.setCredit(bench.scope, [{ id: newId(), version: 1, successes: 1, partials: 0, failures: 0 }])
  },

  'statistics count items, documents and vectors': async (store) => {
    const bench = new Bench(store)
    const [first, ...rest] = await bench.items({ a: 'one', b: 'two', c: 'three' })
    if (!first) throw new Error('no item')
    await store.upsert(bench.scope, [{ ...first, vector: null }, ...rest], SPACE)
    const document = await bench.document('repository', 'a.md', 'h', { x: 'A document.' })
    await store.replaceDocuments(bench.scope, 'repository', [document], SPACE)
    expect(await store.statistics(bench.scope)).toEqual({
      items: 4,
      documents: 1,
      withVector: 3,
      pending: 1,
      space: SPACE,
    })
  },

  'any sequence of writes and deletes gives the content of a map': async (store) => {
    const key = fc.constantFrom('a', 'b', 'c', 'd')
    const step = fc.oneof(
      fc.record({ put: key, text: fc.constantFrom('red fox', 'blue whale', 'green snake') }),
      fc.record({ remove: key }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const bench = new Bench(store)
        const model = new Map<string, string>()
        for (const one of steps) {
          if ('put' in one) {
            const expected = model.has(one.put)
              ? model.get(one.put) === one.text
                ? 'unchanged'
                : 'updated'
              : 'indexed'
            const items = await bench.items({ [one.put]: one.text })
            expect(await store.upsert(bench.scope, items, SPACE)).toEqual([expected])
            model.set(one.put, one.text)
          } else {
            const [item] = await bench.items({ [one.remove]: 'x' })
            expect(await store.delete(bench.scope, [item?.id ?? ''])).toBe(model.delete(one.remove) ? 1 : 0)
          }
        }
        expect(await bench.allKeys()).toEqual([...model.keys()].sort())
        for (const text of ['fox', 'whale', 'snake']) {
          const expected = [...model].filter(([, value]) => value.includes(text)).map(([name]) => name)
          expect((await bench.byKeyword(text)).sort()).toEqual(expected.sort())
        }
      }),
      { numRuns: 12 },
    )
  },
}
