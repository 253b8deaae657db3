/**
 * What has to be sent to Qdrant so that it holds some items.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import type { CollectionScope, PreparedItem, WriteStatus } from '../store.ts'
import { TERMS, vectorName } from './connection.ts'
import { type ItemPoint, type Origin, toPoint } from './points.ts'

/** What an item looked like before a write. */
export interface Known {
  readonly hash: string
  /** Null: it was written before items carried one, and is rewritten. */
  readonly provenance: string | null
  /** Names of the dense vectors that it was embedded for. */
  readonly embedded: readonly string[]
  /** The document that it belongs to; null: none. */
  readonly origin: Origin | null
}

export type Operation = Schemas['UpdateOperation']

/** Payload fields that {@link knownOf} reads. */
export const KNOWN_FIELDS = ['project', 'hash', 'provenance', 'embedded', 'source', 'path']

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}

/** What a point says of its item before a write. */
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

/** The space that vectors are written in, and whether it is the one that is searched. */
export interface Target {
  readonly space: EmbeddingSpace
  readonly serving: boolean
}

/**
 * What has to be written of some items, and what that is called. Each space has its own named vector, so one that isn't
 * searched is written too and never mixed in.
 * @param known the items that exist, by id; kept up to date, so that an item that comes twice is written once
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
    // An item of a document stays one when it is written alone.
    const own = origin ?? before?.origin ?? null
    const point = toPoint(scope, item, own, now)
    operations.push(...(before ? changed(point, dense, before) : created(point, dense, now)))
    known.set(item.id, { hash: item.hash, provenance: item.provenance, embedded: dense ? [name] : [], origin: own })
    return before ? 'updated' : 'indexed'
  })
  return { statuses, operations }
}

/** A vector for an item that has not changed since it was embedded; null: it has none. */
export function addition(
  { id, hash }: { id: string; hash: string },
  embedded: string[],
  dense: Dense | null,
): Operation[] {
  const same: Schemas['Filter'] = { must: [{ key: 'hash', match: { value: hash } }] }
  const operations: Operation[] = []
  if (dense) {
    const point = { id, vector: { [dense.name]: dense.values } }
    operations.push({ update_vectors: { points: [point], update_filter: same } })
  }
  operations.push({
    set_payload: { payload: { embedded }, filter: { must: [{ has_id: [id] }, ...(same.must as [])] } },
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
    // A text without a single term has nothing to be found by.
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

/** Credit and creation stay: the payload is merged, not replaced. */
function changed({ id, payload, terms }: ItemPoint, dense: Dense | null, before: Known): Operation[] {
  const vector = vectorsOf(terms, dense)
  const gone = [TERMS, ...before.embedded].filter((name) => !(name in vector))
  const operations: Operation[] = [
    { set_payload: { payload: { ...payload, embedded: dense ? [dense.name] : [] }, points: [id] } },
  ]
  if (Object.keys(vector).length > 0) operations.push({ update_vectors: { points: [{ id, vector }] } })
  if (gone.length > 0) operations.push({ delete_vectors: { points: [id], vector: gone } })
  return operations
}
