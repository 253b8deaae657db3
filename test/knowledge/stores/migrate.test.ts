/** 50,000 items from the embedded store to Qdrant and back: nothing is lost, and an interrupted migration continues. */
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { itemId } from '../../../src/ids.ts'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { PROVENANCES } from '../../../src/knowledge/provenance.ts'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import {
  fingerprint,
  MIGRATION_START,
  type MigrationPosition,
  migratePage,
} from '../../../src/knowledge/stores/migrate.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import type { CollectionScope, TransferItem, TransferStore } from '../../../src/knowledge/stores/store.ts'
import { freshProject, madeUpWord, vectorOf } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

/** Number of items; fewer with e.g. VITE_MIGRATED_ITEMS=5000 in the environment. */
const ITEMS = Number((import.meta as { env?: Record<string, string> }).env?.VITE_MIGRATED_ITEMS ?? 50_000)
/** Number of pages between two connection failures. */
const STOP_EVERY = ITEMS > 10_000 ? 60 : 8
const PER_DOCUMENT = 10
const SPACE = { name: 'small', dimensions: 16 }

function item(scope: CollectionScope, i: number): TransferItem {
  const text = `${madeUpWord(i % 400)} ${madeUpWord(Math.floor(i / 400) % 400)} ${i}`
  const single = i % 3 === 0
  return {
    id: itemId(scope.project, scope.collection, String(i)),
    key: `key ${i}`,
    fields: { description: text, category: `c${i % 5}` },
    provenance: PROVENANCES[i % PROVENANCES.length] ?? 'human',
    title: `c${i % 5}`,
    body: text,
    hash: `hash-${i}`,
    passages: [{ start: 0, end: text.length, tokens: 5 }],
    vector: i % 100 === 0 ? null : vectorOf(text, SPACE),
    source: single ? null : 'repository',
    path: single ? null : `folder/file-${Math.floor(i / PER_DOCUMENT)}.md`,
    createdAt: 1_700_000_000_000 + i,
    updatedAt: 1_700_000_000_000 + 2 * i,
    credit: { successes: i % 4, partials: i % 3, failures: i % 2 },
    creditVersion: i % 7,
  }
}

/** Moves everything, keeping only the position. `broken` determines when the process dies. */
async function migrate(
  from: () => TransferStore,
  to: () => TransferStore,
  scope: CollectionScope,
  dies: (page: number) => void = () => {},
): Promise<{ pages: number; deaths: number }> {
  let position: MigrationPosition | null = MIGRATION_START
  let pages = 0
  let deaths = 0
  while (position) {
    try {
      dies(pages)
      position = (await migratePage(from(), to(), scope, position)).next
      pages++
    } catch {
      deaths++
      if (deaths > 20) throw new Error('It never gets on.')
    }
  }
  return { pages, deaths }
}

afterEach(() => {
  vi.restoreAllMocks()
})

it(`moves ${ITEMS} items to Qdrant and back with identical content, even with interruptions`, async () => {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const scope: CollectionScope = { project: freshProject(), collection: 'best-practices' }
  const embedded = (copy: string) => {
    const objects = { getByName: (name: string) => env.KNOWLEDGE.getByName(`${copy} ${name}`) }
    return () => embeddedStore(objects as typeof env.KNOWLEDGE)
  }
  const qdrant = () => {
    const engine = new Engine('Qdrant', '', { deadlineMs: 60_000, backoffMs: 1, attempts: 1, failures: 1000 })
    const options = { url: 'http://qdrant.test:6333', prefix: '', engine, timeoutMs: 60_000 }
    return new QdrantStore(new QdrantConnection(options))
  }
  const first = embedded('first')
  const second = embedded('second')
  for (let from = 0; from < ITEMS; from += 1000) {
    const items = Array.from({ length: 1000 }, (_, i) => item(scope, from + i))
    await first().importItems(scope, items, SPACE)
    const documents = Array.from({ length: 1000 / PER_DOCUMENT }, (_, i) => {
      const path = `folder/file-${from / PER_DOCUMENT + i}.md`
      return { source: 'repository', path, hash: `hash of ${path}`, items: 6 }
    })
    await first().importDocuments(scope, documents)
  }
  const original = await fingerprint(first(), scope)
  expect(original).toMatchObject({ items: ITEMS, documents: ITEMS / PER_DOCUMENT, withVector: ITEMS * 0.99 })

  let broken = false
  const there = await migrate(first, qdrant, scope, (page) => {
    // The connection occasionally breaks in the middle of a page's batches.
    let left = page % STOP_EVERY === STOP_EVERY / 2 && !broken ? 2 : Number.POSITIVE_INFINITY
    broken = left === 2
    stub.intercept = (operation) => {
      if (operation !== 'batch_update' || left-- > 0) return null
      return new Response('{}', { status: 500 })
    }
  })
  stub.intercept = () => null
  expect(there.deaths).toBeGreaterThan(2)
  expect(await fingerprint(qdrant(), scope)).toEqual(original)
  const back = await migrate(qdrant, second, scope)
  expect(await fingerprint(second(), scope)).toEqual(original)
  expect(await second().statistics(scope)).toEqual(await first().statistics(scope))
  expect(stub.violations).toEqual([])
  const request = { text: '4321', vector: vectorOf(item(scope, 4321).body, SPACE), space: SPACE, keyword: true }
  for (const store of [first(), qdrant(), second()]) {
    const { candidates } = await store.search(scope, { ...request, depth: 20, limit: 3 })
    expect(candidates.map(({ item: found }) => found.key)).toContain('key 4321')
  }
  console.log(
    `${ITEMS} items and ${original.documents} documents there in ${there.pages} pages (${there.deaths} stops), ` +
      `back in ${back.pages}; checksum ${original.checksum.slice(0, 16)}… at all three`,
  )
})
