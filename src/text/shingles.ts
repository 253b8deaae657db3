/**
 * Similarity of two texts, word by word. Pure.
 * @module
 */

import { hashTerm } from './term-list.ts'
import { words } from './words.ts'

/** Number of words in a shingle. */
const SHINGLE_WORDS = 3
/** Similarity from which two texts count as equal. Lower thresholds dropped relevant evidence in measurements. */
export const NEAR_DUPLICATE = 0.9
/** Maximum number of words that are compared. */
const MAX_WORDS = 2000

/**
 * The set of hashed runs of three words of a text (w-shingling: Broder, "On the resemblance and containment of
 * documents", 1997). A shorter text is one shingle.
 */
export function shingles(text: string): ReadonlySet<number> {
  const found = words(text.slice(0, MAX_WORDS * 16)).slice(0, MAX_WORDS)
  const set = new Set<number>()
  for (let i = 0; i + SHINGLE_WORDS <= found.length; i++) set.add(hashTerm(found.slice(i, i + SHINGLE_WORDS).join(' ')))
  if (set.size === 0 && found.length > 0) set.add(hashTerm(found.join(' ')))
  return set
}

/**
 * |A ∩ B| / |A ∪ B|; 0 if both are empty.
 */
export function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  let shared = 0
  for (const value of small) if (large.has(value)) shared++
  const union = a.size + b.size - shared
  return union === 0 ? 0 : shared / union
}
