/**
 * Prevents learning from echoes: an answer that mostly repeats its context contains nothing new, and storing it would
 * fill the collections with copies of copies. Pure functions.
 * @module
 */

/** Number of words in one shingle (Broder 1997). */
const SHINGLE = 5

/** From this share of repeated shingles on, an answer is an echo of its context. */
export const ECHO_SHARE = 0.5

/** Fingerprints of all runs of five words in a text, or of the whole text if it is shorter. */
export function shingles(text: string): Set<string> {
  const all = text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []
  if (all.length === 0) return new Set()
  if (all.length < SHINGLE) return new Set([all.join(' ')])
  const found = new Set<string>()
  for (let i = 0; i + SHINGLE <= all.length; i++) found.add(all.slice(i, i + SHINGLE).join(' '))
  return found
}

/** Share of an answer's shingles that occur in its context, 0 to 1 (containment). */
export function echoShare(answer: string, context: readonly string[]): number {
  const own = shingles(answer)
  if (own.size === 0) return 0
  const given = new Set<string>()
  for (const text of context) for (const shingle of shingles(text)) given.add(shingle)
  let repeated = 0
  for (const shingle of own) if (given.has(shingle)) repeated++
  return repeated / own.size
}
