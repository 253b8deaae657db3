/**
 * Similarity of two queries by their content words. Pure functions.
 * @module
 */
import { isStopTerm } from './stop-words.ts'
import { tokenise } from './tokens.ts'

/** Maximum length of the compared text, in characters. */
const COMPARED_CHARACTERS = 8000

/**
 * The distinct content terms of a text: stemmed words and whole identifiers, without function words. A text that
 * consists only of function words keeps them, so that it is still similar to itself.
 */
export function contentTerms(text: string): Set<string> {
  const { words, compounds } = tokenise(text.slice(0, COMPARED_CHARACTERS), 'document')
  const content = words.filter((word) => !isStopTerm(word))
  return new Set([...(content.length > 0 ? content : words), ...compounds])
}

/**
 * Sørensen–Dice coefficient of two sets of terms, 2|A∩B| / (|A|+|B|): 1 for equal sets, 0 for disjoint or empty ones
 * (Dice 1945, Ecology 26:297).
 */
export function dice(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 || b.size === 0) return 0
  let shared = 0
  for (const term of a) if (b.has(term)) shared++
  return (2 * shared) / (a.size + b.size)
}
