/**
 * Converts knowledge items to Qdrant points and back.
 * @module
 */

import type { Schemas } from '@qdrant/js-client-rest'
import * as z from 'zod'
import { fromBase64, toBase64 } from '../../../encoding.ts'
import { EngineFailure } from '../../../inference/engine/resilience.ts'
import { documentColumns } from '../../../text/index-terms.ts'
import { BM25_B, BM25_K1 } from '../../../text/keyword-plan.ts'
import { documentLength, TermListReader, termList } from '../../../text/term-list.ts'
import type { CollectionName } from '../../collections.ts'
import { indexedText } from '../../prepare.ts'
import { inferredProvenance, PROVENANCES } from '../../provenance.ts'
import { decodePassages, encodePassages, facetsOf } from '../item-rows.ts'
import { type CollectionScope, type FieldFilter, isRange, type PreparedItem, type StoredItem } from '../store.ts'

/** Qdrant's weights are fixed when an item is written, so its length is compared with a typical length, in terms. */
const USUAL_LENGTH = 120

const count = z.int().min(0)
/** Effective votes: capped and weighted, so they may be fractional. */
const votes = z.number().min(0)

const payload = z.object({
  project: z.string(),
  key: z.string(),
  fields: z.record(z.string(), z.unknown()),
  provenance: z.enum(PROVENANCES).optional(),
  hash: z.string(),
  passages: z.string(),
  source: z.string().nullish(),
  path: z.string().nullish(),
  created_at: z.number(),
  updated_at: z.number(),
  successes: votes.default(0),
  partials: votes.default(0),
  failures: votes.default(0),
  credit_version: count.default(0),
})

/**
 * Converts a point to an item.
 * @throws EngineFailure if its payload isn't that of an item
 */
export function toStoredItem(collection: CollectionName, point: { id: unknown; payload?: unknown }): StoredItem {
  const parsed = payload.safeParse(point.payload)
  if (!parsed.success) throw new EngineFailure('invalid', 'holds a point that is not a knowledge item')
  const { passages, created_at, updated_at, successes, partials, failures, ...rest } = parsed.data
  return {
    id: String(point.id),
    collection,
    key: rest.key,
    fields: rest.fields,
    provenance: rest.provenance ?? inferredProvenance(rest.fields, rest.source ?? null),
    ...indexedText(collection, rest.fields),
    passages: decodePassages(passages),
    source: rest.source ?? null,
    path: rest.path ?? null,
    createdAt: created_at,
    updatedAt: updated_at,
    credit: { successes, partials, failures },
  }
}

/**
 * Like toStoredItem, but returns null for a damaged payload: it isn't that of an item, or its passages can't be parsed.
 * @throws EngineFailure for a point without a project: every request asks for the project, so the answer doesn't come
 *   from Qdrant
 */
export function readStoredItem(
  collection: CollectionName,
  point: { id: unknown; payload?: unknown },
): StoredItem | null {
  const { project } = (point.payload ?? {}) as { project?: unknown }
  if (typeof project !== 'string') return toStoredItem(collection, point)
  try {
    return toStoredItem(collection, point)
  } catch {
    return null
  }
}

/** The items of points, and the ids of damaged ones; see {@link readStoredItem}. */
export function readStoredItems(
  collection: CollectionName,
  points: readonly { id: unknown; payload?: unknown }[],
): { items: StoredItem[]; damaged: string[] } {
  const items: StoredItem[] = []
  const damaged: string[] = []
  for (const point of points) {
    const item = readStoredItem(collection, point)
    if (item) items.push(item)
    else damaged.push(String(point.id))
  }
  return { items, damaged }
}

/** Tokens of an item's stored passages; 0 if they can't be read. */
export function passageTokens(passages: unknown): number {
  try {
    return decodePassages(String(passages)).reduce((sum, { tokens }) => sum + tokens, 0)
  } catch {
    return 0
  }
}

/** The scope and document of an item. */
export interface Origin {
  readonly source: string
  readonly path: string
}

/** The written data of an item: everything except its credit and creation time. */
export interface ItemPoint {
  readonly id: string
  readonly payload: Record<string, unknown>
  readonly terms: Schemas['SparseVector']
}

/** Converts an item to a point. The store adds the dense vector. */
export function toPoint(
  { project, collection }: CollectionScope,
  item: PreparedItem,
  origin: Origin | null,
  now: number,
): ItemPoint {
  const list = termList(documentColumns({ title: item.title, body: item.body }))
  return {
    id: item.id,
    payload: {
      project,
      key: item.key,
      fields: item.fields,
      provenance: item.provenance,
      hash: item.hash,
      passages: encodePassages(item.passages),
      terms: toBase64(list),
      length: documentLength(list),
      facets: facetsOf(collection, item).map(([field, value]) => facet(field, value)),
      source: origin?.source ?? null,
      path: origin?.path ?? null,
      updated_at: now,
    },
    terms: sparseVector(list),
  }
}

/** Weight of a term in an item: BM25's term frequency part, without the inverse document frequency. */
export function termWeight(frequency: number, length: number): number {
  return (frequency * (BM25_K1 + 1)) / (frequency + BM25_K1 * (1 - BM25_B + (BM25_B * length) / USUAL_LENGTH))
}

/** The hash and weight of each term. The hashes are in ascending order in the list, after its first four bytes. */
function sparseVector(list: Uint8Array): Schemas['SparseVector'] {
  const reader = new TermListReader(list)
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength)
  const size = Math.floor((list.byteLength - 4) / 5)
  const indices = Array.from({ length: size }, (_, i) => view.getUint32(4 + 4 * i, true))
  return { indices, values: indices.map((hash) => termWeight(reader.frequency(hash), reader.length)) }
}

/** The condition that a point belongs to the project and matches these field values. */
export function itemFilter(project: string, filter?: FieldFilter): { must: Schemas['Condition'][] } {
  const must: Schemas['Condition'][] = [{ key: 'project', match: { value: project } }]
  for (const [field, value] of Object.entries(filter ?? {})) {
    if (isRange(value)) {
      must.push({ key: `fields.${field}`, range: { gte: value.min, lte: value.max } })
      continue
    }
    const values = (Array.isArray(value) ? value : [value]).map((one) => facet(field, String(one)))
    must.push({ key: 'facets', match: { any: values } })
  }
  return { must }
}

function facet(field: string, value: string): string {
  return `${field}=${value}`
}

/** The term list in a payload; empty if there is none. */
export function termListOf(point: { payload?: unknown }): Uint8Array {
  const { terms } = (point.payload ?? {}) as { terms?: unknown }
  if (typeof terms !== 'string') return new Uint8Array(0)
  return fromBase64(terms) ?? new Uint8Array(0)
}
