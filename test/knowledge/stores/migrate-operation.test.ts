/** The operation behind `npm run knowledge -- migrate`. */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { Budget, inBudget, PLAN_LIMITS } from '../../../src/budget.ts'
import { buildServices } from '../../../src/build-services.ts'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import { migrateStore } from '../../../src/operations/administration/migrate-store.ts'
import { call } from '../../outcomes/support.ts'
import { Bench, SPACE } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

interface Step {
  items: number
  documents: number
  removed: number
  next: { phase: string; cursor: string | null } | null
  summaries: { equal: boolean; from: { items: number; documents: number } } | null
}

afterEach(() => {
  vi.restoreAllMocks()
})

it('moves a collection page by page and compares both stores', async () => {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', '', { deadlineMs: 20_000 })
  const options = { url: 'http://qdrant.test:6333', prefix: 'p-', engine, timeoutMs: 20_000 }
  const qdrant = new QdrantStore(new QdrantConnection(options))
  const embedded = embeddedStore(env.KNOWLEDGE)
  const services = { ...buildServices(env), stores: { embedded, qdrant } }
  const bench = new Bench(embedded)
  await bench.put(Object.fromEntries(Array.from({ length: 450 }, (_, i) => [`k${i}`, `Item number ${i}.`])))
  const document = await bench.document('repository', 'a.md', 'h', { one: 'First part.', two: 'Second part.' })
  await embedded.replaceDocuments(bench.scope, 'repository', [document], SPACE)
  const what = { ...bench.scope, from: 'embedded', to: 'qdrant' }
  const seen: number[] = []
  let position: Step['next'] | undefined
  do {
    const step: Step = await call<Step>(migrateStore, services, { ...what, ...(position && { position }) })
    seen.push(step.items, step.documents)
    position = step.next
  } while (position)
  expect(seen.reduce((sum, one) => sum + one, 0)).toBe(453)
  const { summaries } = await call<Step>(migrateStore, services, { ...what, verify: true })
  expect(summaries).toMatchObject({ equal: true, from: { items: 452, documents: 1 } })
  await new Bench(qdrant, bench.scope).put({ k1: 'Changed.' })
  const after = await call<Step>(migrateStore, services, { ...what, verify: true })
  expect(after.summaries?.equal).toBe(false)
  expect(stub.violations).toEqual([])
})

it('removes items that the source no longer has, if requested', async () => {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', '', { deadlineMs: 20_000 })
  const options = { url: 'http://qdrant.test:6333', prefix: 'd-', engine, timeoutMs: 20_000 }
  const qdrant = new QdrantStore(new QdrantConnection(options))
  const embedded = embeddedStore(env.KNOWLEDGE)
  const services = { ...buildServices(env), stores: { embedded, qdrant } }
  const bench = new Bench(embedded)
  const migrate = async (more: object) => {
    let removed = 0
    let position: Step['next'] | undefined
    do {
      const step: Step = await call<Step>(migrateStore, services, {
        ...bench.scope,
        ...more,
        ...(position && { position }),
      })
      removed += step.removed
      position = step.next
    } while (position)
    const { summaries } = await call<Step>(migrateStore, services, { ...bench.scope, ...more, verify: true })
    return { removed, equal: summaries?.equal }
  }
  await bench.put({ a: 'Stays.', b: 'Is deleted.' })
  const documents = await Promise.all(
    ['kept.md', 'cut.md', 'gone.md'].map((path) =>
      bench.document('repository', path, 'h', { one: path, two: `${path} two` }),
    ),
  )
  await embedded.replaceDocuments(bench.scope, 'repository', documents, SPACE)
  expect(await migrate({ from: 'embedded', to: 'qdrant' })).toEqual({ removed: 0, equal: true })
  const [, second] = await bench.items({ a: 'x', b: 'x' })
  const cut = documents[1]?.items[0]
  await qdrant.delete(bench.scope, [second?.id ?? '', cut?.id ?? ''])
  await qdrant.deleteDocuments(bench.scope, 'repository', ['gone.md'])
  expect(await migrate({ from: 'qdrant', to: 'embedded' })).toEqual({ removed: 0, equal: false })
  expect(await migrate({ from: 'qdrant', to: 'embedded', prune: true })).toEqual({ removed: 5, equal: true })
  expect(await bench.allKeys()).toHaveLength(4)
})

it('compares page by page if the budget requires it, with the same result', async () => {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', '', { deadlineMs: 20_000 })
  const options = { url: 'http://qdrant.test:6333', prefix: 'v-', engine, timeoutMs: 20_000 }
  const qdrant = new QdrantStore(new QdrantConnection(options))
  const embedded = embeddedStore(env.KNOWLEDGE)
  const services = { ...buildServices(env), stores: { embedded, qdrant } }
  const bench = new Bench(embedded)
  await bench.put(Object.fromEntries(Array.from({ length: 450 }, (_, i) => [`k${i}`, `Item number ${i}.`])))
  const what = { ...bench.scope, from: 'embedded', to: 'qdrant', verify: true }
  const whole = await call<Step>(migrateStore, services, what)
  expect(whole).toMatchObject({ next: null, summaries: { equal: false, from: { items: 450 }, to: { items: 0 } } })
  const calls: Step[] = []
  for (let position: Step['next'] | undefined; calls.length === 0 || position; position = calls.at(-1)?.next) {
    const late = new Budget(PLAN_LIMITS.paid, laterEachTime())
    calls.push(
      await inBudget(late, () => call<Step>(migrateStore, services, { ...what, ...(position && { position }) })),
    )
  }
  // Three pages of items and one of documents on one side, one of each on the other.
  expect(calls).toHaveLength(6)
  expect(calls.slice(0, -1).every(({ summaries }) => summaries === null)).toBe(true)
  expect(calls.at(-1)?.summaries).toEqual(whole.summaries)
  const position = calls[0]?.next
  await expect(call(migrateStore, services, { ...what, verify: false, position })).rejects.toMatchObject({
    code: 'invalid_input',
    field: 'position',
  })
})

/** A clock on which 25 seconds pass between any two readings. */
function laterEachTime(): () => number {
  let now = 0
  return () => {
    now += 25_000
    return now
  }
}

it('reports a store that is not configured', async () => {
  const input = { project: 'p', collection: 'best-practices', from: 'embedded', to: 'qdrant' }
  await expect(call(migrateStore, buildServices({ ...env, QDRANT_URL: undefined }), input)).rejects.toMatchObject({
    code: 'invalid_input',
    field: 'to',
  })
})

const MADE_UP = ['', 'x', '[', '[]', 'null', '{}', '[1,2]', '["a"]', '["a",null]', '["a","b","c"]', '9'.repeat(3000)]

it.each(['embedded', 'qdrant'] as const)('rejects positions that no page of %s returned', async (name) => {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', '', { deadlineMs: 20_000 })
  const qdrant = new QdrantStore(
    new QdrantConnection({ url: 'http://qdrant.test:6333', prefix: 'c-', engine, timeoutMs: 20_000 }),
  )
  const services = { ...buildServices(env), stores: { embedded: embeddedStore(env.KNOWLEDGE), qdrant } }
  const what = { project: 'cursors', collection: 'best-practices', from: name, to: name }
  const cursors = fc.oneof(fc.constantFrom(...MADE_UP), fc.string({ maxLength: 3000, unit: 'grapheme' }), fc.json())
  await fc.assert(
    fc.asyncProperty(
      cursors.filter((text) => text.length <= 3000 && !/^\["(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*"\]$/.test(text)),
      async (cursor) => {
        await expect(
          call(migrateStore, services, { ...what, position: { phase: 'documents', cursor } }),
        ).rejects.toMatchObject({ code: 'invalid_input', field: 'cursor' })
      },
    ),
    { numRuns: 60 },
  )
  const position = { phase: 'documents', cursor: name === 'embedded' ? '["a","b"]' : crypto.randomUUID() }
  expect(await call(migrateStore, services, { ...what, position })).toMatchObject({ documents: 0, next: null })
})
