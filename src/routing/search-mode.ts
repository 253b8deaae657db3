/**
 * Chooses the search for a query: sql, keyword, semantic or hybrid. Pure: takes the evidence, returns the decision and
 * its reasons.
 * @module
 */
import type { SqlRefusal } from './sql-text.ts'

export const SEARCH_MODES = ['sql', 'semantic', 'keyword', 'hybrid'] as const
export type SearchMode = (typeof SEARCH_MODES)[number]

export const MODE_CAUSES = ['requested', 'sql_statement', 'exact_terms', 'question', 'mixed'] as const
export type ModeCause = (typeof MODE_CAUSES)[number]

/** The signals for the decision. Counts refer to the person's own words. */
export interface ModeSignals {
  /** Number of words and symbols of any kind. */
  readonly terms: number
  /** camelCase, snake_case and dotted names, and words with symbols such as C++. */
  readonly identifiers: number
  readonly paths: number
  readonly error_codes: number
  /** Terms inside quotation marks or backticks. */
  readonly quoted: number
  /** Whether the query starts with an interrogative, or ends with a question mark. */
  readonly question: boolean
  /**
   * Why the text is not run as SQL; null: it may run; `not_considered`: it doesn't start like a statement, or the
   * caller may not run SQL.
   */
  readonly sql: SqlRefusal | 'not_considered' | null
}

/** Suitability of each search, 0 to 1. */
export type ModeScores = Readonly<Record<SearchMode, number>>

export interface ModeDecision {
  readonly mode: SearchMode
  readonly cause: ModeCause
  readonly scores: ModeScores
}

/** From this share of exact terms on, a query is answered by keyword search only. */
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
/** Longer terms are not names, in characters. The patterns above would take quadratic time on them. */
const MAX_NAME_LENGTH = 300
/** Punctuation that closes a term. */
const CLOSING = new Set(')]}>\'"`.,;:!?。？，')

/**
 * Reads the signals of a query.
 * @param query the person's own words, without text added by a harness
 * @param sql why it isn't run as SQL, as decided for the statement
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
 * Chooses the search. Hybrid search ranks by words and by meaning, and is not worse than either alone, so it is the default.
 * Exceptions are SQL statements, and queries that consist almost entirely of exact terms.
 * @param requested the caller's request; used unless it is `auto`
 */
export function chooseMode(requested: SearchMode | 'auto', signals: ModeSignals): ModeDecision {
  const scores = modeScores(signals)
  if (requested !== 'auto') return { mode: requested, cause: 'requested', scores }
  if (scores.sql === 1) return { mode: 'sql', cause: 'sql_statement', scores }
  if (scores.keyword >= EXACT_SHARE) return { mode: 'keyword', cause: 'exact_terms', scores }
  return { mode: 'hybrid', cause: scores.semantic > scores.hybrid ? 'question' : 'mixed', scores }
}

/**
 * Suitability of each search: sql is 1 or 0; keyword is the share of exact terms; semantic grows with the number of
 * plain words and falls with any exact term; hybrid is in between.
 */
export function modeScores(signals: ModeSignals): ModeScores {
  const { terms, identifiers, paths, error_codes, quoted, question } = signals
  const keyword = terms === 0 ? 0 : Math.min(1, (identifiers + paths + error_codes + quoted) / terms)
  const plain = 1 - Math.exp(-Math.max(0, terms * (1 - keyword) - 2) / 4)
  const semantic = (1 - keyword) ** 2 * plain * (question ? 1 : 0.7)
  return { sql: signals.sql === null ? 1 : 0, keyword, semantic, hybrid: 1 - Math.max(keyword, semantic) }
}

/** Splits a text at white space and removes the punctuation around each term. A call keeps its parentheses. */
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
