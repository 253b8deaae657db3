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

/** Number of counters for pairs of letters, a power of two. */
const PAIR_COUNTERS = 256
/** Maximum share of letter pairs that differ between two near-duplicates whose words have usual lengths. */
const DIFFERING_PAIRS = 0.25

/**
 * Counts of adjacent letters and digits, hashed. Case, spaces and punctuation don't count. Takes a tenth of the time of
 * {@link shingles}, and so serves to skip pairs of texts that are clearly different.
 */
export function letterPairs(text: string): Uint16Array {
  const counts = new Uint16Array(PAIR_COUNTERS)
  let before = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const lower = code >= 65 && code <= 90 ? code + 32 : code
    const isWord = (lower >= 97 && lower <= 122) || (lower >= 48 && lower <= 57) || lower > 127
    if (!isWord) continue
    const at = (before * 31 + lower) & (PAIR_COUNTERS - 1)
    counts[at] = (counts[at] ?? 0) + 1
    before = lower
  }
  return counts
}

/** Whether two texts with these letter pairs may be near-duplicates. */
export function mayBeAlike(a: Uint16Array, b: Uint16Array): boolean {
  let differing = 0
  let all = 0
  for (let i = 0; i < PAIR_COUNTERS; i++) {
    const [x = 0, y = 0] = [a[i], b[i]]
    differing += Math.abs(x - y)
    all += x + y
  }
  return differing <= DIFFERING_PAIRS * all
}
