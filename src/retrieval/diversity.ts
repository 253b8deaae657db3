/**
 * Removes redundancy from a result list.
 * @module
 */

import { jaccard, NEAR_DUPLICATE, shingles } from '../text/shingles.ts'

/** A result that represents its near-duplicates. */
export interface Collapsed<T> {
  readonly item: T
  /** Later near-duplicates, in order. */
  readonly duplicates: readonly T[]
}

/**
 * Groups results whose texts are near-exact copies of an earlier one (Jaccard above 0.9) under that result. Keeps the
 * order.
 * @param results best first; takes quadratic time, so pass a page, not a collection
 */
export function collapseNearDuplicates<T>(results: readonly T[], textOf: (result: T) => string): Collapsed<T>[] {
  const kept: { item: T; duplicates: T[]; shingles: ReadonlySet<number> }[] = []
  for (const item of results) {
    const own = shingles(textOf(item))
    const same = kept.find((other) => areNearDuplicates(own, other.shingles))
    if (same) same.duplicates.push(item)
    else kept.push({ item, duplicates: [], shingles: own })
  }
  return kept.map(({ item, duplicates }) => ({ item, duplicates }))
}

function areNearDuplicates(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  if (Math.min(a.size, b.size) <= NEAR_DUPLICATE * Math.max(a.size, b.size)) return false
  return jaccard(a, b) > NEAR_DUPLICATE
}

/** How {@link maximalMarginalRelevance} chooses. */
export interface MarginalRelevanceOptions<T> {
  readonly relevance: (result: T) => number
  /** Similarity of two results, 0 to 1. */
  readonly similarity: (a: T, b: T) => number
  /** Weight of relevance against novelty, 0 to 1; 1 keeps the order of relevance. */
  readonly lambda: number
  readonly limit: number
}

/**
 * Chooses results one by one by λ · relevance − (1 − λ) · greatest similarity to the results already chosen (maximal
 * marginal relevance: Carbonell and Goldstein, SIGIR 1998). Equal values keep their order.
 */
export function maximalMarginalRelevance<T>(results: readonly T[], options: MarginalRelevanceOptions<T>): T[] {
  const { relevance, similarity, lambda, limit } = options
  const left = results.map((result) => ({ result, relevance: relevance(result), nearest: 0 }))
  const chosen: T[] = []
  while (chosen.length < limit && left.length > 0) {
    let best = 0
    const worth = (i: number) => lambda * (left[i]?.relevance ?? 0) - (1 - lambda) * (left[i]?.nearest ?? 0)
    for (let i = 1; i < left.length; i++) if (worth(i) > worth(best)) best = i
    const [next] = left.splice(best, 1)
    if (!next) break
    chosen.push(next.result)
    for (const other of left) other.nearest = Math.max(other.nearest, similarity(other.result, next.result))
  }
  return chosen
}
