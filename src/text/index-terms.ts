/**
 * Turns documents into what the full-text index stores and questions into what it is asked, with one tokeniser for both.
 * @module
 */

import { isStopTerm } from './stop-words.ts'
import { tokenise } from './tokens.ts'

/** A document as keyword search sees it. */
export interface SearchableDocument {
  readonly title?: string
  readonly body: string
  /** Names it must be found by as typed, beside those in title and body: a file path, a symbol, an error code. */
  readonly identifiers?: readonly string[]
}

/** One string per column of the full-text table: encoded terms separated by single spaces. */
export interface DocumentColumns {
  readonly title: string
  readonly body: string
  readonly identifiers: string
}

/** A term of a question. */
export interface QueryTerm {
  /** As the index stores it. */
  readonly term: string
  readonly kind: 'word' | 'compound'
  /** How often the question says it. */
  readonly count: number
}

/** More terms cost time and add nothing: a long text is asked for by its most telling ones. */
const MOST_TERMS = 32
/** Of a longer question the beginning and the end are read, where people put their request. */
const LONGEST_QUESTION = 12_000
/** A path or symbol that an item is named by counts this many times: the file itself comes before files that mention it. */
const TITLE_COMPOUND_WEIGHT = 4
/** Prose, not a name: `double-blind`. */
const HYPHENATED_WORDS = /^[\p{L}\p{M}]+(?:-[\p{L}\p{M}]+)+$/u
/** A term said more often than this counts no more. */
const MOST_REPEATS = 3

/**
 * Makes a term one token of FTS5's `ascii` tokenizer: ASCII punctuation becomes its full-width form (U+FF01–FF5E), which
 * that tokenizer takes for a letter, so `c++` and `--no-cache` are never split.
 */
function encodeTerm(term: string): string {
  return term.replace(/[!-/:-@[-`{-~]/g, (symbol) => String.fromCharCode(symbol.charCodeAt(0) + 0xfee0))
}

/** The columns of the full-text table for a document, in the encoding of {@link queryExpression}. */
export function documentColumns(document: SearchableDocument): DocumentColumns {
  const title = tokenise(document.title ?? '', 'document')
  const body = tokenise(document.body, 'document')
  const identifiers = [...body.compounds]
  for (const compound of title.compounds) {
    const times = HYPHENATED_WORDS.test(compound) ? 1 : TITLE_COMPOUND_WEIGHT
    for (let repeat = 0; repeat < times; repeat++) identifiers.push(compound)
  }
  for (const identifier of document.identifiers ?? []) {
    const tokens = tokenise(identifier, 'document')
    identifiers.push(...tokens.words, ...tokens.compounds)
  }
  return {
    title: title.words.join(' '),
    body: body.words.join(' '),
    identifiers: identifiers.map(encodeTerm).join(' '),
  }
}

/**
 * The terms of a question, most telling first, at most 32. Function words are left out unless there is nothing else.
 * Without document frequencies, compounds, repeated and longer terms are taken to tell more.
 */
export function queryTerms(text: string): QueryTerm[] {
  const question =
    text.length > LONGEST_QUESTION
      ? `${text.slice(0, LONGEST_QUESTION / 2)} ${text.slice(-LONGEST_QUESTION / 2)}`
      : text
  const tokens = tokenise(question, 'query')
  const counts = new Map<string, QueryTerm & { count: number }>()
  const add = (term: string, kind: QueryTerm['kind']) => {
    const known = counts.get(term)
    if (known) known.count++
    else counts.set(term, { term: encodeTerm(term), kind, count: 1 })
  }
  const content = tokens.words.filter((word) => !isStopTerm(word))
  for (const word of content.length + tokens.compounds.length > 0 ? content : tokens.words) add(word, 'word')
  for (const compound of tokens.compounds) add(compound, 'compound')
  const telling = (term: QueryTerm) => Math.log2(1 + term.count) * Math.min(term.term.length, 12)
  const terms = [...counts.values()]
  return terms.length <= MOST_TERMS ? terms : terms.sort((a, b) => telling(b) - telling(a)).slice(0, MOST_TERMS)
}

/**
 * An FTS5 MATCH expression that finds documents with any of the question's terms; a term said twice weighs twice. Safe for
 * any input: terms hold no FTS5 syntax. Null when the text holds nothing that can be searched for.
 */
export function queryExpression(text: string): string | null {
  const phrases: string[] = []
  for (const { term, count } of queryTerms(text)) {
    for (let repeat = 0; repeat < Math.min(count, MOST_REPEATS); repeat++) phrases.push(`"${term}"`)
  }
  return phrases.length > 0 ? phrases.join(' OR ') : null
}
