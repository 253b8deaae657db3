/**
 * Which search a query is answered by: sql, keyword, semantic or hybrid. Pure: the evidence comes in, the decision and its
 * reasons go out.
 * @module
 */
import type { SqlRefusal } from './sql-text.ts'

export const SEARCH_MODES = ['sql', 'semantic', 'keyword', 'hybrid'] as const
export type SearchMode = (typeof SEARCH_MODES)[number]

export const MODE_CAUSES = ['requested', 'sql_statement', 'exact_terms', 'question', 'mixed'] as const
export type ModeCause = (typeof MODE_CAUSES)[number]

/** What the decision is made from. Counts are of the person's own words. */
export interface ModeSignals {
  /** Words and symbols, whatever they are. */
  readonly terms: number
  /** camelCase, snake_case and dotted names, and words with symbols such as C++. */
  readonly identifiers: number
  readonly paths: number
  readonly error_codes: number
  /** Terms inside quotation marks or backticks. */
  readonly quoted: number
  /** Begins with an interrogative, or ends with a question mark. */
  readonly question: boolean
  /** Why the text is not run as SQL; null: it may be; `not_considered`: it does not begin like a statement, or may not run. */
  readonly sql: SqlRefusal | 'not_considered' | null
}

/** How well each search suits, 0 to 1. */
export type ModeScores = Readonly<Record<SearchMode, number>>

export interface ModeDecision {
  readonly mode: SearchMode
  readonly cause: ModeCause
  readonly scores: ModeScores
}

/** Share of exact terms from which a query is answered by keywords alone. */
export const EXACT_SHARE = 0.6

const INTERROGATIVE =
  /^(?:how|why|what|when|where|which|who|whose|is|are|was|were|do|does|did|can|could|should|would|will|has|have|may|explain|describe)\b/i
const PATH =
  /^(?:~|\.{1,2})?(?:\/[\w.@-]+)+\/?$|^[A-Za-z]:\\[\w\\.-]+$|^(?:[\w.@-]+\/)+[\w.@-]+(?::\d+){0,2}$|^[\w-]+\.[a-z]{1,5}(?::\d+){1,2}$/
const ERROR_CODE =
  /^(?:[A-Z]{1,6}-?\d{3,6}|E[A-Z]{3,}|0x[0-9a-fA-F]{3,}|ERR_[A-Z_]+|SIG[A-Z]{3,}|[A-Z]\w*(?:Error|Exception))$/
const IDENTIFIER =
  /^(?:[a-z]+[A-Z]\w*|[A-Z][a-z0-9]+[A-Z]\w*|\w+_\w+|--?[a-z][\w-]*|\w+(?:\.\w+)+(?:\(\))?|\w+\(\)|\w+::[\w:]+|[A-Za-z]\+\+|[A-Za-z]#|@[\w-]+\/[\w.-]+)$/
const QUOTED = /`([^`\n]+)`|"([^"\n]+)"|“([^“”\n]+)”/g
/** What is longer is no name, in characters; the patterns above would take a time that grows with its square. */
const MAX_NAME_LENGTH = 300
/** Punctuation that closes a term. */
const CLOSING = new Set(')]}>\'"`.,;:!?。？，')

/**
 * Reads the signals of a query.
 * @param query the person's own words, without what a harness put around them
 * @param sql why it isn't run as SQL, from the judgement of the statement
 */
export function modeSignals(query: string, sql: ModeSignals['sql']): ModeSignals {
  const text = query.trim()
  const quotedTerms = [...text.matchAll(QUOTED)].flatMap((match) => termsOf(match[1] ?? match[2] ?? match[3] ?? ''))
  const rest = termsOf(text.replace(QUOTED, ' '))
  const kinds = { identifiers: 0, paths: 0, error_codes: 0 }
  for (const term of rest) {
    if (term.length > MAX_NAME_LENGTH) continue
    if (ERROR_CODE.test(term)) kinds.error_codes++
    else if (PATH.test(term)) kinds.paths++
    else if (IDENTIFIER.test(term)) kinds.identifiers++
  }
  return {
    terms: rest.length + quotedTerms.length,
    ...kinds,
    quoted: quotedTerms.length,
    question: INTERROGATIVE.test(text) || /[?？]\s*$/.test(text),
    sql,
  }
}

/**
 * Chooses the search. Hybrid search ranks by words and by meaning at once and loses to neither alone, so it is left only
 * where nearly all of the query is to be found as typed, and for statements.
 * @param requested the caller's wish; anything but `auto` is followed
 */
export function chooseMode(requested: SearchMode | 'auto', signals: ModeSignals): ModeDecision {
  const scores = modeScores(signals)
  if (requested !== 'auto') return { mode: requested, cause: 'requested', scores }
  if (scores.sql === 1) return { mode: 'sql', cause: 'sql_statement', scores }
  if (scores.keyword >= EXACT_SHARE) return { mode: 'keyword', cause: 'exact_terms', scores }
  return { mode: 'hybrid', cause: scores.semantic > scores.hybrid ? 'question' : 'mixed', scores }
}

/**
 * Suitability of each search: sql 1 or 0; keyword is the share of exact terms; semantic grows with the number of plain words
 * and falls with any exact term; hybrid is what lies between.
 */
export function modeScores(signals: ModeSignals): ModeScores {
  const { terms, identifiers, paths, error_codes, quoted, question } = signals
  const keyword = terms === 0 ? 0 : Math.min(1, (identifiers + paths + error_codes + quoted) / terms)
  const plain = 1 - Math.exp(-Math.max(0, terms * (1 - keyword) - 2) / 4)
  const semantic = (1 - keyword) ** 2 * plain * (question ? 1 : 0.7)
  return { sql: signals.sql === null ? 1 : 0, keyword, semantic, hybrid: 1 - Math.max(keyword, semantic) }
}

/** What white space separates, without the punctuation around it; a call keeps its parentheses. */
function termsOf(text: string): string[] {
  return text
    .split(/\s+/)
    .map((term) => withoutClosing(term.replace(/^[([{<'"`]+/, '')))
    .filter((term) => /[\p{L}\p{N}]/u.test(term))
}

function withoutClosing(term: string): string {
  let end = term.length
  while (end > 0 && CLOSING.has(term.charAt(end - 1))) end--
  return term.slice(0, term.startsWith('()', end - 1) ? end + 1 : end)
}
