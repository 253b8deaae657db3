/**
 * The scale of an embedding space in one collection: what its cosines between unrelated texts are like. Pure.
 * @module
 */
import type { CosineScale } from './store.ts'

/** Maximum number of vectors of the collection that a scale is measured on. */
export const SCALE_SAMPLE = 1_000
/** A collection is measured again when its size has changed by this factor. */
const STALE = 2

/** A scale with the number of items that the collection had when it was measured. */
export interface MeasuredScale extends CosineScale {
  readonly space: string
  readonly items: number
}

/** Mean and standard deviation of cosines; null without cosines. */
export function scaleOf(cosines: readonly number[]): CosineScale | null {
  if (cosines.length === 0) return null
  const level = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length
  const spread = Math.sqrt(cosines.reduce((sum, cosine) => sum + (cosine - level) ** 2, 0) / cosines.length)
  return { level, spread }
}

/** The scale, if it is of this space and the collection has about the same size as when it was measured; otherwise null. */
export function currentScale(
  known: MeasuredScale | null | undefined,
  space: string | undefined,
  items: number,
): CosineScale | null {
  if (!known || known.space !== space) return null
  const ratio = items / Math.max(1, known.items)
  return ratio > STALE || ratio < 1 / STALE ? null : { level: known.level, spread: known.spread }
}
