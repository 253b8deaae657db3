/**
 * Porter stemming with a cache, because the same few thousand words occur repeatedly.
 * @module
 */

import { stemmer } from 'stemmer'
import { Memo } from './memo.ts'

const stems = new Memo<string>(20_000, 64)

/**
 * The Porter stem of a lower-case ASCII word (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980).
 * Words with characters other than a–z are returned unchanged.
 * @example stem('relational') // 'relat'
 */
export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word
  return stems.of(word, stemmer)
}
