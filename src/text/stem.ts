/**
 * Porter stemming with a memory, since the same few thousand words come again and again.
 * @module
 */

import { stemmer } from 'stemmer'
import { Memo } from './memo.ts'

const stems = new Memo<string>(20_000, 64)

/**
 * The Porter stem of a lower-case ASCII word (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980).
 * Words that hold anything but a–z come back unchanged.
 * @example stem('relational') // 'relat'
 */
export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word
  return stems.of(word, stemmer)
}
