/**
 * What keyword search doesn't cover of an item. Pure.
 * @module
 */
import { MAX_BODY_TERMS, MAX_TITLE_TERMS, type SearchableDocument } from './index-terms.ts'
import { MAX_DISTINCT_TERMS } from './term-list.ts'
import { tokenise } from './tokens.ts'
import { SPLIT_ITEM, shownLimit, type Truncation } from './truncation.ts'
import { fold, isAscii, MAX_GROWTH } from './words.ts'

/** A character gives at most this many terms (test/text/bounded-work.test.ts). */
const TERMS_PER_CHARACTER = 2.2
const MIN_LENGTH = Math.floor(MAX_DISTINCT_TERMS / TERMS_PER_CHARACTER)

/** The limits of the keyword index that an item exceeds. Only long items are tokenised. */
export function indexTruncations({ title = '', body }: SearchableDocument): Truncation[] {
  const found: Truncation[] = []
  const add = (limit: number, message: string) => found.push({ limit, message, hint: SPLIT_ITEM, search: 'keyword' })
  if ([title, body].some((text) => !isAscii(text) && fold(text).truncated)) {
    add(MAX_GROWTH, `Keyword search covers a text up to ${MAX_GROWTH} times its length after Unicode normalisation.`)
  }
  if (title.length + body.length < MIN_LENGTH) return found
  const parts = [
    ['title', title, MAX_TITLE_TERMS],
    ['body', body, MAX_BODY_TERMS],
  ] as const
  const distinct = new Set<string>()
  for (const [name, text, limit] of parts) {
    const { words, compounds, truncated } = tokenise(text, 'document', limit)
    for (const term of words) distinct.add(term)
    for (const term of compounds) distinct.add(term)
    if (truncated) add(limit, `Keyword search covers the first ${shownLimit(limit)} terms of the ${name}.`)
  }
  if (distinct.size > MAX_DISTINCT_TERMS) {
    add(MAX_DISTINCT_TERMS, `Keyword search covers ${shownLimit(MAX_DISTINCT_TERMS)} distinct terms of an item.`)
  }
  return found
}
