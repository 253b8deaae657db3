/**
 * Initialisms of the words of a question: "server-sent events" finds `sse.ts`. Pure.
 * @module
 */
import { stem } from './stem.ts'
import { isStopTerm } from './stop-words.ts'

/** Length of an initialism. Two letters have too many meanings, and longer initialisms are rare. */
const SHORTEST = 3
const LONGEST = 5
/** Maximum number of words of a question that are joined or abbreviated: a longer text contains almost any name. */
export const MAX_PHRASE_WORDS = 48

export interface Initialism {
  /** In lower case, as it is written: `cors`. */
  readonly letters: string
  /** The words that it stands for, in lower case. */
  readonly words: readonly string[]
}

/**
 * The initials of three to five adjacent words of a short text, by their stem as an index stores it. An
 * initialism never spans a function word.
 * @example initialismsOf('How do I send server-sent events?').get('sse')?.words // ['server', 'sent', 'events']
 */
export function initialismsOf(text: string): Map<string, Initialism> {
  const found = new Map<string, Initialism>()
  const spoken = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  if (spoken.length > MAX_PHRASE_WORDS) return found
  for (let length = LONGEST; length >= SHORTEST; length--) {
    for (let start = 0; start + length <= spoken.length; start++) {
      const words = spoken.slice(start, start + length)
      if (words.some((word) => isStopTerm(word) || !/^[a-z]/.test(word))) continue
      const letters = words.map((word) => word.charAt(0)).join('')
      const term = stem(letters)
      if (term.length >= SHORTEST && !found.has(term)) found.set(term, { letters, words })
    }
  }
  return found
}

/** Whether a text writes letters as an initialism, alone or in a name: `SSE`, `streamSSE`, `SSEStream`, not `desc`. */
export function writesInitialism(text: string, letters: string): boolean {
  return new RegExp(`(?<![A-Z])${letters.toUpperCase()}(?![A-Z](?![a-z]))`).test(text)
}
