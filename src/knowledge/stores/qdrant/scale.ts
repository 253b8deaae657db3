/**
 * Measures the cosine scale of a collection in Qdrant.
 * @module
 */
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import { unitVector } from '../../../inference/embedding/model-embedder.ts'
import { scaleOf } from '../cosine-scale.ts'
import type { CollectionScope, CosineScale } from '../store.ts'
import { type QdrantConnection, vectorName } from './connection.ts'
import { itemFilter } from './points.ts'
import type { QdrantReader } from './reader.ts'

/** Number of points that are read. The ids of points are hashes, so one page is a random sample. */
const SAMPLE = 250

/** Measures a sample of points and caches the result; null without vectors in the space. */
export async function measureScale(
  qdrant: QdrantConnection,
  reader: QdrantReader,
  scope: CollectionScope,
  space: EmbeddingSpace,
  unrelated: readonly Float32Array[],
): Promise<CosineScale | null> {
  if (!(await qdrant.hasVector(scope.collection, space))) return null
  const name = vectorName(space)
  const filter = itemFilter(scope.project)
  const [items, { points }] = await Promise.all([
    reader.count(scope.collection, filter),
    reader.page(scope.collection, filter, { limit: SAMPLE }, name),
  ])
  const vectors = points.flatMap((point) => {
    const values = (point.vector as Record<string, number[]> | undefined)?.[name]
    return (values && unitVector(values)) ?? []
  })
  const scale = scaleOf(vectors.flatMap((own) => unrelated.map((other) => dot(own, other))))
  if (scale) qdrant.scales.keep(scope, { space: space.name, ...scale, items })
  return scale
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}
