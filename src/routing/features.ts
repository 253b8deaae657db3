/**
 * Features of a query for the router: its hashed words and character sequences, and measures of its shape. Pure. Text
 * added by a harness is removed first, so that only the person's question counts.
 * @module
 */
import { fnv1a, mix32 } from '../hash.ts'
import { analyseQuery } from '../text/query-analysis.ts'
import { QUERY_CHARACTERS } from './bounds.ts'

/** Number of slots for hashed words and character sequences. */
export const TEXT_SLOTS = 32_768
/** Length of a character sequence, including spaces around the word. */
const GRAM = 4

/** The measures of a query's shape, in order. */
export const MEASURES = [
  'characters',
  'words',
  'numbers',
  'distinct_numbers',
  'sentences',
  'lines',
  'word_length',
  'long_words',
  'distinct_words',
  'capitals',
  'symbols',
  'digits',
  'percentages',
  'multiples',
  'conditions',
  'quantifiers',
  'comparisons',
  'commas',
  'amounts',
  'capitalised_words',
] as const

export interface QueryVector {
  /** Distinct slots. */
  readonly slots: Uint16Array
  /** Value of each slot. The words together have length 1, and so have the character sequences. */
  readonly values: Float32Array
  /** One value per entry of MEASURES: counts on a logarithmic scale, shares from 0 to 1. */
  readonly measures: Float32Array
}

/**
 * The vector of a query: distinct words and pairs of adjacent words, and distinct sequences of four characters within a
 * word, each weighted 1 + ln(count) and hashed with a sign (Weinberger et al. 2009, "Feature Hashing for Large Scale
 * Multitask Learning"), plus the measures of its shape.
 */
export function queryVector(query: string): QueryVector {
  const { text } = analyseQuery(query)
  return vectorOf(text.length > QUERY_CHARACTERS ? text.slice(0, QUERY_CHARACTERS) : text)
}

function vectorOf(text: string): QueryVector {
  const lower = text.toLowerCase()
  const words = lower.match(/[\p{L}\p{N}_]{2,}|\p{Script=Han}/gu) ?? []
  const slots = new Map<number, number>()
  addHashed(slots, wordKeys(words))
  addHashed(slots, gramKeys(lower))
  return {
    slots: Uint16Array.from(slots.keys()),
    values: Float32Array.from(slots.values()),
    measures: measuresOf(text, lower),
  }
}

function wordKeys(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [i, word] of words.entries()) {
    count(counts, `w${word}`)
    if (i > 0) count(counts, `w${words[i - 1]} ${word}`)
  }
  return counts
}

function gramKeys(lower: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const run of lower.split(/\s+/)) {
    if (run === '') continue
    const padded = ` ${run} `
    for (let at = 0; at === 0 || at + GRAM <= padded.length; at++) count(counts, `c${padded.slice(at, at + GRAM)}`)
  }
  return counts
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function addHashed(slots: Map<number, number>, counts: ReadonlyMap<string, number>): void {
  const own = new Map<number, number>()
  for (const [key, n] of counts) {
    const hash = hashOf(key)
    const slot = hash % TEXT_SLOTS
    own.set(slot, (own.get(slot) ?? 0) + (1 + Math.log(n)) * (hash & 0x400000 ? 1 : -1))
  }
  let squares = 0
  for (const value of own.values()) squares += value * value
  const norm = Math.sqrt(squares) || 1
  for (const [slot, value] of own) slots.set(slot, (slots.get(slot) ?? 0) + value / norm)
}

function measuresOf(text: string, lower: string): Float32Array {
  const words = text.match(/[\p{L}]+/gu) ?? []
  const numbers = text.match(/\d+(?:[.,]\d+)*/g) ?? []
  const sentences = text.split(/(?<![.?!])[.?!]+\s|\n/).filter((part) => part.trim() !== '')
  const letters = words.reduce((sum, word) => sum + word.length, 0)
  const longWords = words.reduce((sum, word) => sum + (word.length > 8 ? 1 : 0), 0)
  const perWord = Math.max(1, words.length)
  const perCharacter = Math.max(1, text.length)
  return Float32Array.of(
    Math.log1p(text.length),
    Math.log1p(words.length),
    Math.log1p(numbers.length),
    Math.log1p(new Set(numbers).size),
    Math.log1p(sentences.length),
    Math.log1p(occurrences(text, /\n/g) + 1),
    letters / perWord,
    longWords / perWord,
    new Set(words.map((word) => word.toLowerCase())).size / perWord,
    occurrences(text, /\p{Lu}/gu) / perCharacter,
    occurrences(text, /[-+*/=^<>()[\]{}|\\_$]/g) / perCharacter,
    occurrences(text, /\d/g) / perCharacter,
    Math.log1p(occurrences(lower, /%|percent/g)),
    Math.log1p(occurrences(lower, /\b(?:half|twice|double|triple|third|quarter|times)\b/g)),
    Math.log1p(occurrences(lower, /\b(?:if|then|when|unless|after|before)\b/g)),
    Math.log1p(occurrences(lower, /\b(?:each|every|per|all|total)\b/g)),
    Math.log1p(occurrences(lower, /\b(?:more|less|fewer|than|least|most)\b/g)),
    Math.log1p(occurrences(text, /,/g)),
    Math.log1p(occurrences(text, /[$€£]/g)),
    Math.log1p(occurrences(text, /\b[A-Z]\w*/g)),
  )
}

function occurrences(text: string, pattern: RegExp): number {
  let found = 0
  for (const _ of text.matchAll(pattern)) found++
  return found
}

function hashOf(text: string): number {
  return mix32(fnv1a(text))
}
