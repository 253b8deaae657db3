/**
 * Converts documents to index terms and questions to search terms, with the same tokeniser.
 * @module
 */

import { initialismsOf, MAX_PHRASE_WORDS } from './initialisms.ts'
import { otherSpellings } from './spelling.ts'
import { stem } from './stem.ts'
import { isStopTerm } from './stop-words.ts'
import { tokenise } from './tokens.ts'
import { ASK_LESS, shownLimit, type Truncation } from './truncation.ts'

/** A document for keyword search. */
export interface SearchableDocument {
  readonly title?: string
  readonly body: string
  /**
   * Names by which it must be findable as typed, in addition to those in title and body: a file path, a symbol, an
   * error code.
   */
  readonly identifiers?: readonly string[]
}

/** A document's terms by location, separated by single spaces. */
export interface DocumentColumns {
  readonly title: string
  readonly body: string
  readonly identifiers: string
}

/** A term of a question. */
export interface QueryTerm {
  /** As stored in the index. */
  readonly term: string
  /** phrase: adjacent words, joined or abbreviated to their initials, if the collection contains the name that they form. */
  readonly kind: 'word' | 'compound' | 'phrase'
  /** How often it occurs in the question. */
  readonly count: number
}

/**
 * Maximum number of terms. More terms take time without a benefit: a long text is represented by its most informative
 * terms.
 */
const MAX_TERMS = 32
/** Of a longer question, only the beginning and the end are read, where the request usually is. */
const MAX_QUESTION_LENGTH = 12_000
/** Weight of a path or symbol in an item's title: the file itself ranks above files that mention it. */
const TITLE_COMPOUND_WEIGHT = 4
/** Prose, not a name: `double-blind`. */
const HYPHENATED_WORDS = /^[\p{L}\p{M}]+(?:-[\p{L}\p{M}]+)+$/u

/**
 * Maximum number of terms read from the title and the names, and from the body: more than 32,000 characters of any
 * script give.
 */
export const MAX_TITLE_TERMS = 16_384
export const MAX_BODY_TERMS = 65_536

/**
 * The terms of a document by location, with the same tokens as {@link queryTerms}. Reads the first 16,384 terms of the
 * title and of each name, and the first 65,536 of the body. Later terms can't be found by keyword.
 */
export function documentColumns(document: SearchableDocument): DocumentColumns {
  const title = tokenise(document.title ?? '', 'document', MAX_TITLE_TERMS)
  const body = tokenise(document.body, 'document', MAX_BODY_TERMS)
  const identifiers = [...body.compounds]
  for (const compound of title.compounds) {
    const times = HYPHENATED_WORDS.test(compound) ? 1 : TITLE_COMPOUND_WEIGHT
    for (let repeat = 0; repeat < times; repeat++) identifiers.push(compound)
  }
  for (const identifier of document.identifiers ?? []) {
    const tokens = tokenise(identifier, 'document', MAX_TITLE_TERMS)
    identifiers.push(...tokens.words, ...tokens.compounds)
  }
  return {
    title: title.words.join(' '),
    body: body.words.join(' '),
    identifiers: identifiers.join(' '),
  }
}

/**
 * The terms of a question, most informative first, at most 32. Function words are omitted unless there is nothing else.
 * Without document frequencies, compounds, repeated terms and longer terms count as more informative.
 */
export function queryTerms(text: string): QueryTerm[] {
  return readQuery(text).terms
}

/** The terms of a question, see {@link queryTerms}, and the parts of it that keyword search doesn't cover. */
export function readQuery(text: string): { terms: QueryTerm[]; truncated: Truncation[] } {
  const all = allQueryTerms(text)
  const telling = (term: QueryTerm) => Math.log2(1 + term.count) * Math.min(term.term.length, 12)
  const terms = all.length <= MAX_TERMS ? all : all.sort((a, b) => telling(b) - telling(a)).slice(0, MAX_TERMS)
  const truncated: Truncation[] = []
  if (text.length > MAX_QUESTION_LENGTH) {
    const half = shownLimit(MAX_QUESTION_LENGTH / 2)
    const message = `Keyword search reads the first and the last ${half} characters of a query.`
    truncated.push({ limit: MAX_QUESTION_LENGTH, message, hint: ASK_LESS, search: 'keyword' })
  }
  if (all.length > MAX_TERMS) {
    const message = `Keyword search uses the ${MAX_TERMS} most informative terms of a query.`
    truncated.push({ limit: MAX_TERMS, message, hint: ASK_LESS, search: 'keyword' })
  }
  return { terms, truncated }
}

function allQueryTerms(text: string): QueryTerm[] {
  const question =
    text.length > MAX_QUESTION_LENGTH
      ? `${text.slice(0, MAX_QUESTION_LENGTH / 2)} ${text.slice(-MAX_QUESTION_LENGTH / 2)}`
      : text
  const tokens = tokenise(question, 'query')
  const counts = new Map<string, QueryTerm & { count: number }>()
  const add = (term: string, kind: QueryTerm['kind']) => {
    const known = counts.get(term)
    if (known) known.count++
    else counts.set(term, { term, kind, count: 1 })
  }
  const content = tokens.words.filter((word) => !isStopTerm(word))
  for (const word of content.length + tokens.compounds.length > 0 ? content : tokens.words) add(word, 'word')
  for (const compound of tokens.compounds) add(compound, 'compound')
  return [...counts.values()]
}

/**
 * The terms of a question, adapted to a collection: a word is searched in the spelling that the collection uses
 * (British or American), and adjacent words that form a name in the collection ("json object", `JsonObject`) or whose
 * initials are one ("server-sent events", `sse`) are also searched as that name.
 * @param frequencyOf number of items that contain a term
 */
export function collectionTerms(text: string, frequencyOf: (term: string) => number): QueryTerm[] {
  const terms = queryTerms(text).map((term): QueryTerm => {
    const others = term.kind === 'word' ? otherSpellings(term.term) : []
    const best = others.reduce((most, other) => (frequencyOf(other) > frequencyOf(most) ? other : most), term.term)
    return best === term.term ? term : { ...term, term: best }
  })
  const asked = new Set(terms.map(({ term }) => term))
  const phrases = [...phrasesOf(text), ...initialismsOf(text.slice(0, MAX_QUESTION_LENGTH)).keys()]
    .filter((phrase) => !asked.has(phrase) && frequencyOf(phrase) > 0)
    .map((term): QueryTerm => ({ term, kind: 'phrase', count: 1 }))
  return [...terms, ...phrases.slice(0, MAX_TERMS)]
}

/**
 * Adjacent words of a short question, joined like stored compounds, in pairs and triples. Function words end a phrase.
 */
function phrasesOf(text: string): string[] {
  const spoken = text.slice(0, MAX_QUESTION_LENGTH).match(/[\p{L}\p{N}]+/gu) ?? []
  if (spoken.length > MAX_PHRASE_WORDS) return []
  const lower = spoken.map((word) => word.toLowerCase())
  const phrases = new Set<string>()
  lower.forEach((first, i) => {
    const [second, third] = [lower[i + 1], lower[i + 2]]
    if (second === undefined || isStopTerm(first) || isStopTerm(second)) return
    for (const joined of [first + second, third !== undefined && !isStopTerm(third) ? first + second + third : '']) {
      if (joined !== '') phrases.add(joined).add(stem(joined))
    }
  })
  return [...phrases]
}
