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

/** Where a migration stands: the phase, and the cursor within it; null: at its beginning. */
export interface MigrationPosition {
  readonly phase: 'items' | 'documents'
  readonly cursor: string | null
}

export const MIGRATION_START: MigrationPosition = { phase: 'items', cursor: null }

export interface MigrationStep {
  readonly items: number
  readonly documents: number
  /** Where to go on; null: everything has been moved. */
  readonly next: MigrationPosition | null
}

/**
 * Moves one page. Documents come after the items, so that a document that the target knows has its items there.
 * @param to null: nothing is written, the page is only counted
 * @throws CoordinatorError `engine_unavailable`; the same position may then be tried again
 */
export async function migratePage(
  from: TransferStore,
  to: TransferStore | null,
  scope: CollectionScope,
  { phase, cursor }: MigrationPosition,
): Promise<MigrationStep> {
  const options = { limit: PAGE, ...(cursor !== null && { cursor }) }
  if (phase === 'items') {
    const { space } = await from.statistics(scope)
    const page = await from.exportItems(scope, options)
    if (to && page.entries.length > 0) await to.importItems(scope, page.entries, space)
    const next: MigrationPosition =
      page.nextCursor === null ? { phase: 'documents', cursor: null } : { phase, cursor: page.nextCursor }
    return { items: page.entries.length, documents: 0, next }
  }
  const page = await from.exportDocuments(scope, options)
  if (to && page.entries.length > 0) await to.importDocuments(scope, page.entries)
  const next = page.nextCursor === null ? null : { phase, cursor: page.nextCursor }
  return { items: 0, documents: page.entries.length, next }
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
  do {
    const page = await store.exportDocuments(scope, { cursor, limit: PAGE })
    await Promise.all(page.entries.map(async (document) => sum.add(await documentHash(document))))
    documents += page.entries.length
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
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
