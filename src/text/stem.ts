/**
 * Porter stemming with a memory, since the same few thousand words come again and again.
 * @module
 */

import { stemmer } from 'stemmer'

const MEMORY_LIMIT = 20_000
const memory = new Map<string, string>()

/**
 * The Porter stem of a lower-case ASCII word (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980).
 * Words that hold anything but a–z come back unchanged.
 * @example stem('relational') // 'relat'
 */
export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word
  const known = memory.get(word)
  if (known !== undefined) return known
  if (memory.size >= MEMORY_LIMIT) memory.clear()
  const stemmed = stemmer(word)
  memory.set(word, stemmed)
  return stemmed
}
