/**
 * Moves a collection from one store to another, page by page: everything that a store holds of it, with vectors, credit and
 * times. A page may be moved twice; the position after it is all that has to be remembered.
 * @module
 */

import { sha256 } from '../../hash.ts'
import { stableJson } from '../prepare.ts'
import type { CollectionScope, StoredDocument, TransferItem, TransferStore } from './store.ts'

/** Items of one page. */
const PAGE = 200

/** The surplus is what the target holds and the source does not. Documents come after all items: deleting an item changes its document. */
export const MIGRATION_PHASES = ['items', 'surplus_items', 'documents', 'surplus_documents'] as const
export type MigrationPhase = (typeof MIGRATION_PHASES)[number]

/** Where a migration stands: the phase, and the cursor within it; null: at its beginning. */
export interface MigrationPosition {
  readonly phase: MigrationPhase
  readonly cursor: string | null
}

export const MIGRATION_START: MigrationPosition = { phase: 'items', cursor: null }

export interface MigrationStep {
  readonly items: number
  readonly documents: number
  /** Items and documents that the target no longer holds, as the source doesn't. */
  readonly removed: number
  /** Where to go on; null: everything has been moved. */
  readonly next: MigrationPosition | null
}

/**
 * Moves one page. Documents come after the items, so that a document that the target knows has its items there.
 * @param to null: nothing is written, the page is only counted
 * @param prune whether the target's surplus is removed, too
 * @throws CoordinatorError `engine_unavailable`; the same position may then be tried again
 */
export async function migratePage(
  from: TransferStore,
  to: TransferStore | null,
  scope: CollectionScope,
  { phase, cursor }: MigrationPosition,
  prune = false,
): Promise<MigrationStep> {
  const page = { items: 0, documents: 0, removed: 0, nextCursor: null as string | null }
  const options = { limit: PAGE, ...(cursor !== null && { cursor }) }
  if (phase === 'items') {
    const { space } = await from.statistics(scope)
    const { entries, nextCursor } = await from.exportItems(scope, options)
    if (to && entries.length > 0) await to.importItems(scope, entries, space)
    Object.assign(page, { items: entries.length, nextCursor })
  } else if (phase === 'surplus_items') {
    if (to) Object.assign(page, await pruneItems(from, to, scope, options))
  } else if (phase === 'documents') {
    const { entries, nextCursor } = await from.exportDocuments(scope, options)
    if (to && entries.length > 0) await to.importDocuments(scope, entries)
    Object.assign(page, { documents: entries.length, nextCursor })
  } else if (to) page.removed = await pruneDocuments(from, to, scope)
  const { nextCursor, ...counts } = page
  const [after] = MIGRATION_PHASES.slice(MIGRATION_PHASES.indexOf(phase) + 1).filter(
    (later) => prune || !later.startsWith('surplus'),
  )
  const next = nextCursor !== null ? { phase, cursor: nextCursor } : after ? { phase: after, cursor: null } : null
  return { ...counts, next }
}

async function pruneItems(
  from: TransferStore,
  to: TransferStore,
  scope: CollectionScope,
  options: { cursor?: string; limit: number },
): Promise<{ removed: number; nextCursor: string | null }> {
  const { entries, nextCursor } = await to.exportItems(scope, options)
  const ids = entries.map(({ id }) => id)
  const kept = await from.get(scope, ids)
  const surplus = ids.filter((_, i) => kept[i] === null)
  return { removed: surplus.length > 0 ? await to.delete(scope, surplus) : 0, nextCursor }
}

async function pruneDocuments(from: TransferStore, to: TransferStore, scope: CollectionScope): Promise<number> {
  const known = new Set<string>()
  for await (const { source, path } of allDocuments(from, scope)) known.add(JSON.stringify([source, path]))
  const surplus: StoredDocument[] = []
  for await (const document of allDocuments(to, scope)) {
    if (!known.has(JSON.stringify([document.source, document.path]))) surplus.push(document)
  }
  for (const { source, path } of surplus) await to.deleteDocuments(scope, source, [path])
  return surplus.length
}

async function* allDocuments(store: TransferStore, scope: CollectionScope): AsyncGenerator<StoredDocument> {
  let cursor: string | undefined
  do {
    const page = await store.exportDocuments(scope, { cursor, limit: PAGE })
    yield* page.entries
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}

/** What two stores that hold the same collection agree on. */
export interface Fingerprint {
  readonly items: number
  readonly documents: number
  readonly withVector: number
  /** Sum of the SHA-256 of every item's content, credit and times, and of every document, modulo 2^256, hex: order doesn't matter. */
  readonly checksum: string
}

/** Reads a whole collection and sums it up. */
export async function fingerprint(store: TransferStore, scope: CollectionScope): Promise<Fingerprint> {
  const sum = new HashSum()
  let cursor: string | undefined
  let items = 0
  let withVector = 0
  do {
    const page = await store.exportItems(scope, { cursor, limit: PAGE })
    await Promise.all(page.entries.map(async (item) => sum.add(await itemHash(item))))
    items += page.entries.length
    withVector += page.entries.filter(({ vector }) => vector !== null).length
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  let documents = 0
  for await (const document of allDocuments(store, scope)) {
    sum.add(await documentHash(document))
    documents++
  }
  return { items, documents, withVector, checksum: sum.hex }
}

function itemHash(item: TransferItem): Promise<string> {
  const { id, key, fields, provenance, hash, passages, source, path, createdAt, updatedAt, credit, creditVersion } =
    item
  const content = [id, key, stableJson(fields), provenance, hash, passages, source, path]
  const text = [...content, createdAt, updatedAt, credit, creditVersion]
  return sha256(JSON.stringify(text))
}

function documentHash({ source, path, hash, items }: StoredDocument): Promise<string> {
  return sha256(JSON.stringify([source, path, hash, items]))
}

class HashSum {
  #sum = 0n

  add(hash: string): void {
    this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${hash}`))
  }

  get hex(): string {
    return this.#sum.toString(16).padStart(64, '0')
  }
}
