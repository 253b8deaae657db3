/**
 * Items as they move between stores, from and to the points of Qdrant.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import type { CollectionName } from '../../collections.ts'
import type { CollectionScope, TransferItem } from '../store.ts'
import { vectorName } from './connection.ts'
import { toPoint, toStoredItem } from './points.ts'
import { type Operation, vectorsOf } from './writes.ts'

/**
 * A point as an item to move.
 * @param vector name of the vector that the point was read with; null: without one
 */
export function exportedItem(
  collection: CollectionName,
  point: Schemas['Record'],
  vector: string | null,
): TransferItem {
  const { hash, credit_version: version } = point.payload as { hash: string; credit_version?: number }
  const values = vector === null ? undefined : (point.vector as Record<string, number[]> | undefined)?.[vector]
  return {
    ...toStoredItem(collection, point),
    hash,
    vector: values ? Float32Array.from(values) : null,
    creditVersion: version ?? 0,
  }
}

/**
 * The write of a moved item, with its credit and times.
 * @param space of the item's vector; null: the item is written without a vector
 */
export function importWrite(scope: CollectionScope, item: TransferItem, space: EmbeddingSpace | null): Operation {
  const { source, path, credit, creditVersion, createdAt, updatedAt } = item
  const point = toPoint(scope, item, source !== null && path !== null ? { source, path } : null, updatedAt)
  const dense = space && item.vector ? { name: vectorName(space), values: Array.from(item.vector) } : null
  const payload = {
    ...point.payload,
    ...credit,
    credit_version: creditVersion,
    created_at: createdAt,
    embedded: dense ? [dense.name] : [],
  }
  return { upsert: { points: [{ id: item.id, vector: vectorsOf(point.terms, dense), payload }] } }
}
