/**
 * Moves a collection from one store to another, page by page: all its data, with vectors, credit and times. Moving a
 * page twice is safe. The position after a page is the only state that must be kept.
 * @module
 */
import { type Budget, budgetHere } from '../../budget.ts'
import { CoordinatorError } from '../../errors.ts'
import { sha256 } from '../../hash.ts'
import { stableJson } from '../prepare.ts'
import type { CollectionScope, StoredDocument, TransferItem, TransferStore } from './store.ts'

/** Items of one page. */
const PAGE = 200
/** Number of documents deleted concurrently. */
const DELETED_AT_ONCE = 50

/**
 * The surplus is what exists in the target but not in the source. Documents come after all items, because deleting an
 * item changes its document.
 */
export const MIGRATION_PHASES = ['items', 'surplus_items', 'documents', 'surplus_documents'] as const
export type MigrationPhase = (typeof MIGRATION_PHASES)[number]

/** The position of a migration: the phase, and the cursor within it; null: at its beginning. */
export interface MigrationPosition {
  readonly phase: MigrationPhase
  readonly cursor: string | null
}

export const MIGRATION_START: MigrationPosition = { phase: 'items', cursor: null }

export interface MigrationStep {
  readonly items: number
  readonly documents: number
  /** Items and documents that were removed from the target because the source doesn't have them. */
  readonly removed: number
  /** The next position; null: everything has been moved. */
  readonly next: MigrationPosition | null
}

/**
 * Moves one page. Documents come after the items, so that every document in the target has its items.
 * @param to null: dry run that only counts the page
 * @param prune whether to remove the target's surplus
 * @throws CoordinatorError `engine_unavailable`: retry with the same position; `conflict`: an item can't be read
 */
export async function migratePage(
  from: TransferStore,
  to: TransferStore | null,
  scope: CollectionScope,
  { phase, cursor }: MigrationPosition,
  prune = false,
): Promise<MigrationStep> {
  const page = { items: 0, documents: 0, removed: 0, nextCursor: null as string | null }
  let again = false
  const options = { limit: PAGE, ...(cursor !== null && { cursor }) }
  if (phase === 'items') {
    const { space } = await from.statistics(scope)
    const { entries, nextCursor, damaged = [] } = await from.exportItems(scope, options)
    // To leave them out would lose them with the source.
    if (damaged.length > 0)
      throw new CoordinatorError('conflict', `These items can't be read: ${damaged.join(', ')}.`, {
        hint: 'Delete them or store them again, then go on with the same position.',
      })
    if (to && entries.length > 0) await to.importItems(scope, entries, space)
    Object.assign(page, { items: entries.length, nextCursor })
  } else if (phase === 'surplus_items') {
    if (to) Object.assign(page, await pruneItems(from, to, scope, options))
  } else if (phase === 'documents') {
    const { entries, nextCursor } = await from.exportDocuments(scope, options)
    if (to && entries.length > 0) await to.importDocuments(scope, entries)
    Object.assign(page, { documents: entries.length, nextCursor })
  } else if (to) {
    const { removed, left } = await pruneDocuments(from, to, scope)
    page.removed = removed
    again = left
  }
  const { nextCursor, ...counts } = page
  if (again) return { ...counts, next: { phase, cursor: null } }
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

/** Deletes documents until none is left or the budget is used up. Deleted documents are not listed again. */
async function pruneDocuments(
  from: TransferStore,
  to: TransferStore,
  scope: CollectionScope,
  budget: Budget = budgetHere(),
): Promise<{ removed: number; left: boolean }> {
  const known = new Set<string>()
  for await (const { source, path } of allDocuments(from, scope)) known.add(JSON.stringify([source, path]))
  const surplus: StoredDocument[] = []
  for await (const document of allDocuments(to, scope)) {
    if (!known.has(JSON.stringify([document.source, document.path]))) surplus.push(document)
  }
  let removed = 0
  for (const [source, documents] of Map.groupBy(surplus, (document) => document.source)) {
    for (let at = 0; at < documents.length; at += DELETED_AT_ONCE) {
      if (removed > 0 && budget.spent) return { removed, left: true }
      const paths = documents.slice(at, at + DELETED_AT_ONCE).map(({ path }) => path)
      await to.deleteDocuments(scope, source, paths)
      removed += paths.length
    }
  }
  return { removed, left: false }
}

async function* allDocuments(store: TransferStore, scope: CollectionScope): AsyncGenerator<StoredDocument> {
  let cursor: string | undefined
  do {
    const page = await store.exportDocuments(scope, { cursor, limit: PAGE })
    yield* page.entries
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}

/** Summary of a collection that is equal for two stores with the same content. */
export interface Fingerprint {
  readonly items: number
  readonly documents: number
  readonly withVector: number
  /**
   * Sum of the SHA-256 of every item's content, credit and times, and of every document, modulo 2^256, as hex.
   * Independent of order.
   */
  readonly checksum: string
}

const NOTHING: Fingerprint = { items: 0, documents: 0, withVector: 0, checksum: '0'.repeat(64) }

/** The position of a comparison: the phase, the cursor within it, and the sums so far. */
export const COMPARISON_PHASES = ['from_items', 'from_documents', 'to_items', 'to_documents'] as const
export interface ComparisonPosition {
  readonly phase: (typeof COMPARISON_PHASES)[number]
  readonly cursor: string | null
  readonly sums: { readonly from: Fingerprint; readonly to: Fingerprint }
}

export const COMPARISON_START: ComparisonPosition = {
  phase: 'from_items',
  cursor: null,
  sums: { from: NOTHING, to: NOTHING },
}

/** The state of a comparison; `next` null: both stores are complete. */
export interface ComparisonStep {
  readonly sums: ComparisonPosition['sums']
  readonly next: ComparisonPosition | null
}

/**
 * Adds up the pages of both stores until all are read or the budget is used up.
 * @throws CoordinatorError `engine_unavailable`; retry with the same position
 */
export async function comparePages(
  from: TransferStore,
  to: TransferStore,
  scope: CollectionScope,
  start: ComparisonPosition,
  budget: Budget = budgetHere(),
): Promise<ComparisonStep> {
  let { phase, cursor, sums } = start
  for (;;) {
    const side = phase.startsWith('from') ? 'from' : 'to'
    const read = phase.endsWith('items') ? addItems : addDocuments
    const page = await read(side === 'from' ? from : to, scope, cursor, sums[side])
    sums = { ...sums, [side]: page.sum }
    cursor = page.nextCursor
    if (cursor === null) {
      const after = COMPARISON_PHASES[COMPARISON_PHASES.indexOf(phase) + 1]
      if (!after) return { sums, next: null }
      phase = after
    }
    if (budget.spent) return { sums, next: { phase, cursor, sums } }
  }
}

/** Reads a whole collection and computes its fingerprint. */
export async function fingerprint(store: TransferStore, scope: CollectionScope): Promise<Fingerprint> {
  let sum = NOTHING
  for (const read of [addItems, addDocuments]) {
    let cursor: string | null = null
    do {
      const page: SummedPage = await read(store, scope, cursor, sum)
      sum = page.sum
      cursor = page.nextCursor
    } while (cursor !== null)
  }
  return sum
}

interface SummedPage {
  readonly sum: Fingerprint
  readonly nextCursor: string | null
}

async function addItems(
  store: TransferStore,
  scope: CollectionScope,
  cursor: string | null,
  sum: Fingerprint,
): Promise<SummedPage> {
  const { entries, nextCursor } = await store.exportItems(scope, { limit: PAGE, ...(cursor !== null && { cursor }) })
  const withVector = entries.filter(({ vector }) => vector !== null).length
  return {
    sum: {
      ...sum,
      items: sum.items + entries.length,
      withVector: sum.withVector + withVector,
      checksum: added(sum.checksum, await Promise.all(entries.map(itemHash))),
    },
    nextCursor,
  }
}

async function addDocuments(
  store: TransferStore,
  scope: CollectionScope,
  cursor: string | null,
  sum: Fingerprint,
): Promise<SummedPage> {
  const options = { limit: PAGE, ...(cursor !== null && { cursor }) }
  const { entries, nextCursor } = await store.exportDocuments(scope, options)
  const checksum = added(sum.checksum, await Promise.all(entries.map(documentHash)))
  return { sum: { ...sum, documents: sum.documents + entries.length, checksum }, nextCursor }
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

/** The sum of hashes modulo 2^256, as hex. */
function added(sum: string, hashes: readonly string[]): string {
  const total = hashes.reduce((all, hash) => all + BigInt(`0x${hash}`), BigInt(`0x${sum}`))
  return BigInt.asUintN(256, total).toString(16).padStart(64, '0')
}
