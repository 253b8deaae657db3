/**
 * Plans the requests that write items to Qdrant.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import type { CollectionScope, CreditUpdate, PreparedItem, WriteStatus } from '../store.ts'
import { TERMS, vectorName } from './connection.ts'
import { type ItemPoint, itemFilter, type Origin, toPoint } from './points.ts'

/** The state of an item before a write. */
export interface Known {
  readonly hash: string
  /** Null: the item was written before provenance was recorded, and is rewritten. */
  readonly provenance: string | null
  /** Names of the dense vectors that the item was embedded for. */
  readonly embedded: readonly string[]
  /** The document that the item belongs to; null: none. */
  readonly origin: Origin | null
}

export type Operation = Schemas['UpdateOperation']

/** Payload fields that {@link knownOf} reads. */
export const KNOWN_FIELDS = ['project', 'hash', 'provenance', 'embedded', 'source', 'path']

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}

/** Reads the state of an item from its point before a write. */
export function knownOf({ payload }: Schemas['Record']): Known {
  return {
    hash: String(payload?.hash ?? ''),
    provenance: typeof payload?.provenance === 'string' ? payload.provenance : null,
    embedded: namesIn(payload?.embedded),
    origin:
      typeof payload?.source === 'string' && typeof payload.path === 'string'
        ? { source: payload.source, path: payload.path }
        : null,
  }
}

/** The space of the vectors, and whether it is the searched one. */
export interface Target {
  readonly space: EmbeddingSpace
  readonly serving: boolean
}

/**
 * Plans the writes for items, and the status of each item. Each space has its own named vector, so vectors of a space
 * that isn't searched can be written without mixing spaces.
 * @param known the existing items by id; updated, so that a repeated item is written once
 */
export function planWrites(
  scope: CollectionScope,
  items: readonly PreparedItem[],
  origin: Origin | null,
  known: Map<string, Known>,
  { space, serving }: Target,
): { statuses: WriteStatus[]; operations: Operation[] } {
  const now = Date.now()
  const name = vectorName(space)
  const operations: Operation[] = []
  const statuses = items.map((item): WriteStatus => {
    const before = known.get(item.id)
    if (item.replaces !== undefined && before?.hash !== item.replaces) return 'conflict'
    const dense = item.vector ? { name, values: Array.from(item.vector) } : null
    if (before?.hash === item.hash && before.provenance === item.provenance) {
      if (!dense || before.embedded.includes(name)) return 'unchanged'
      const embedded = [...before.embedded, name]
      operations.push(...addition(item, embedded, dense))
      known.set(item.id, { ...before, embedded })
      return serving ? 'updated' : 'unchanged'
    }
    // An item of a document stays in its document when it is written on its own.
    const own = origin ?? before?.origin ?? null
    const point = toPoint(scope, item, own, now)
    operations.push(...(before ? changed(point, dense, before, item) : created(point, dense, now)))
    known.set(item.id, { hash: item.hash, provenance: item.provenance, embedded: dense ? [name] : [], origin: own })
    return before ? 'updated' : 'indexed'
  })
  return { statuses, operations }
}

/** A vector for an item that has not changed since it was embedded; null: the item has no vector. */
export function addition(
  { id, hash }: { id: string; hash: string },
  embedded: string[],
  dense: Dense | null,
): Operation[] {
  const same = { must: [hashIs(hash)] }
  const operations: Operation[] = []
  if (dense) {
    const point = { id, vector: { [dense.name]: dense.values } }
    operations.push({ update_vectors: { points: [point], update_filter: same } })
  }
  operations.push({
    set_payload: { payload: { embedded }, filter: { must: [{ has_id: [id] }, hashIs(hash)] } },
  })
  return operations
}

interface Dense {
  readonly name: string
  readonly values: number[]
}

/** The vectors of a point by name. */
export function vectorsOf(terms: Schemas['SparseVector'], dense: Dense | null): Record<string, Schemas['Vector']> {
  return {
    // A text without terms has no sparse vector.
    ...(terms.indices.length > 0 && { [TERMS]: terms }),
    ...(dense && { [dense.name]: dense.values }),
  }
}

function created({ id, payload, terms }: ItemPoint, dense: Dense | null, now: number): Operation[] {
  const credit = { successes: 0, partials: 0, failures: 0, credit_version: 0 }
  const point = {
    id,
    vector: vectorsOf(terms, dense),
    payload: { ...payload, ...credit, created_at: now, embedded: dense ? [dense.name] : [] },
  }
  return [{ upsert: { points: [point] } }]
}

/**
 * Credit and creation time are kept, because the payload is merged, not replaced.
 * @param item with `replaces`, Qdrant applies the change only to a point that still has this hash
 */
function changed(
  { id, payload, terms }: ItemPoint,
  dense: Dense | null,
  before: Known,
  { hash, replaces }: PreparedItem,
): Operation[] {
  const vector = vectorsOf(terms, dense)
  const gone = [TERMS, ...before.embedded].filter((name) => !(name in vector))
  const whole = { ...payload, embedded: dense ? [dense.name] : [] }
  const conditional = replaces !== undefined
  const point = (before: string) => ({ filter: { must: [{ has_id: [id] }, hashIs(before)] } })
  const operations: Operation[] = [
    { set_payload: { payload: whole, ...(conditional ? point(replaces) : { points: [id] }) } },
  ]
  if (Object.keys(vector).length > 0) {
    const update_filter = { must: [hashIs(hash)] }
    operations.push({ update_vectors: { points: [{ id, vector }], ...(conditional && { update_filter }) } })
  }
  if (gone.length > 0)
    operations.push({ delete_vectors: { vector: gone, ...(conditional ? point(hash) : { points: [id] }) } })
  return operations
}

const hashIs = (hash: string) => ({ key: 'hash', match: { value: hash } })

/** Writes credit to a point whose version is smaller. */
export function creditWrite({ project }: CollectionScope, { id, version, ...credit }: CreditUpdate): Operation {
  const must: Schemas['Condition'][] = [
    ...itemFilter(project).must,
    { has_id: [id] },
    { key: 'credit_version', range: { lt: version } },
  ]
  return { set_payload: { payload: { ...credit, credit_version: version }, filter: { must } } }
}
