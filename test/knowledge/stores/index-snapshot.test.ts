/** A starting object reads its index from a snapshot, with the same search results as after a rebuild. */
import { evictDurableObject, listDurableObjectIds, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { IndexSnapshot } from '../../../src/knowledge/stores/index-snapshot.ts'
import { KeywordIndex } from '../../../src/knowledge/stores/keyword-index.ts'
import type { KnowledgeIndex } from '../../../src/knowledge/stores/knowledge-index.ts'
import { VectorIndex } from '../../../src/knowledge/stores/vector-index.ts'
import { Bench, madeUpWord, SPACE } from './contract-samples.ts'

const ITEMS = 600
const QUERIES = [0, 7, 23, 41].map((n) => `${madeUpWord(n)} ${madeUpWord(n + 11)}`)

const text = (n: number) => [n, n + 11, n * 3, n * 7].map((word) => madeUpWord(word % 60)).join(' ')
const stubOf = ({ project, collection }: Bench['scope']) =>
  env.KNOWLEDGE.getByName(JSON.stringify([project, collection])) as DurableObjectStub<KnowledgeIndex>

const pieces = (bench: Bench) =>
  runInDurableObject(stubOf(bench.scope), (_, { storage }) =>
    Number(storage.sql.exec('SELECT count(*) AS n FROM snapshot_pieces').one().n),
  )

/** Search results, and all statistics that ranking uses. */
async function found(bench: Bench) {
  const answers = []
  for (const query of QUERIES) answers.push(await bench.search(query, { limit: 30 }))
  return JSON.stringify(answers)
}

/** The results after a start with the snapshot, and after a start without it. */
async function twice(bench: Bench): Promise<[string, string]> {
  const stub = stubOf(bench.scope)
  await evictDurableObject(stub)
  const restored = await found(bench)
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec('DELETE FROM snapshot')
  })
  await evictDurableObject(stub)
  return [restored, await found(bench)]
}

const filled = async () => {
  const bench = new Bench(embeddedStore(env.KNOWLEDGE))
  await bench.put(Object.fromEntries(Array.from({ length: ITEMS }, (_, n) => [`k${n}`, text(n)])))
  return bench
}

it('gives the same results, whatever was written, changed and removed after the snapshot', async () => {
  const write = fc.record({ kind: fc.constantFrom('put', 'delete'), item: fc.nat(ITEMS + 60), word: fc.nat(59) })
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 12 }), async (writes) => {
      const bench = await filled()
      expect(await runDurableObjectAlarm(stubOf(bench.scope))).toBe(true)
      expect(await pieces(bench)).toBeGreaterThan(0)
      for (const { kind, item, word } of writes) {
        if (kind === 'put') await bench.put({ [`k${item}`]: text(word) })
        else {
          const [prepared] = await bench.items({ [`k${item}`]: 'x' })
          await bench.store.delete(bench.scope, [prepared?.id ?? ''])
        }
      }
      const [restored, built] = await twice(bench)
      expect(restored).toBe(built)
    }),
    { numRuns: 8 },
  )
})

it('is renewed when enough has changed, and not before', async () => {
  const bench = await filled()
  const stub = stubOf(bench.scope)
  await runDurableObjectAlarm(stub)
  await bench.put({ k1: 'one more' })
  expect(await runDurableObjectAlarm(stub)).toBe(false)
  await bench.put(Object.fromEntries(Array.from({ length: ITEMS }, (_, n) => [`k${n}`, text(n + 1)])))
  expect(await runDurableObjectAlarm(stub)).toBe(true)
  const changes = await runInDurableObject(stub, (_, { storage }) =>
    storage.sql.exec('SELECT count(*) AS n FROM snapshot_changes').one(),
  )
  expect(changes).toEqual({ n: 0 })
  const [restored, built] = await twice(bench)
  expect(restored).toBe(built)
})

it('leaves only what was written since to be read from the tables', async () => {
  const bench = await filled()
  const stub = stubOf(bench.scope)
  await runDurableObjectAlarm(stub)
  await bench.put({ k1: 'one more', [`k${ITEMS}`]: 'a new one' })
  const read = await runInDurableObject(stub, (_, { storage }) => {
    const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
    const sql = {
      exec: (statement: string, ...values: unknown[]) => {
        const cursor = storage.sql.exec(statement, ...values)
        if (/^SELECT row, /.test(statement)) cursors.push(cursor)
        return cursor
      },
    } as unknown as SqlStorage
    const snapshot = new IndexSnapshot(sql)
    expect(new KeywordIndex(sql, snapshot).plan(QUERIES[0] ?? '').terms.length).toBeGreaterThan(0)
    expect(new VectorIndex(sql, snapshot).searchable(SPACE)).toMatchObject({ size: ITEMS + 1 })
    return cursors.map(({ rowsRead }) => rowsRead)
  })
  expect(read.length).toBeGreaterThan(1)
  for (const rows of read) expect(rows).toBeLessThan(10)
})

it('is not read if a piece is missing', async () => {
  const bench = await filled()
  const stub = stubOf(bench.scope)
  const before = await found(bench)
  await runDurableObjectAlarm(stub)
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec('DELETE FROM snapshot_pieces WHERE piece = 1')
  })
  await evictDurableObject(stub)
  expect(await found(bench)).toBe(before)
})

it('reading a collection that does not exist leaves no object behind', async () => {
  const bench = new Bench(embeddedStore(env.KNOWLEDGE))
  const stored = (await listDurableObjectIds(env.KNOWLEDGE)).length
  expect(await bench.allKeys()).toEqual([])
  expect((await bench.search('anything')).candidates).toEqual([])
  expect(await bench.store.statistics(bench.scope)).toEqual({
    items: 0,
    documents: 0,
    withVector: 0,
    pending: 0,
    space: null,
  })
  expect(await bench.store.delete(bench.scope, ['x'])).toBe(0)
  const tables = await runInDurableObject(stubOf(bench.scope), (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
  )
  expect(tables).toEqual([])
  expect(stored).toBeGreaterThan(0)
  await bench.put({ a: 'now it exists' })
  expect(await bench.allKeys()).toEqual(['a'])
})
