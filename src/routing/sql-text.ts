/**
 * Reads a text like SQLite's tokenizer and decides whether it can be a single read-only statement. A text that passes
 * is not run yet: SQLite's program for it is checked next (sql-program.ts). Source of the token rules: SQLite
 * documentation, "SQL As Understood By SQLite", keywords, identifiers and comments.
 * @module
 */

/** Maximum length of a statement, in characters. */
export const MAX_STATEMENT = 20_000

/** Why a text is not run as SQL. */
export type SqlRefusal =
  | 'not_a_statement'
  | 'too_long'
  | 'several_statements'
  | 'unterminated'
  | 'unbalanced'
  | 'parameter'
  | 'reserved_name'
  | 'invalid'
  | 'writes'
  | 'outside_views'
  | 'function'
  | 'recursive'
  | 'cartesian'

export interface SqlVerdict {
  readonly refusal: SqlRefusal
  /** An explanation for a person. */
  readonly message: string
}

export interface SqlText {
  /** The statement without its closing semicolon. */
  readonly statement: string
  /** Names and strings in the statement, in lower case, without quotes. */
  readonly names: ReadonlySet<string>
}

type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol'

interface Token {
  readonly kind: TokenKind
  /** In lower case, without quotes. */
  readonly value: string
  readonly start: number
}

/** Whether the result of a statement is a refusal. */
export function isRefused(result: object): result is SqlVerdict {
  return 'refusal' in result
}

/** Whether a text starts like a read-only statement. A cheap check that sorts out ordinary questions. */
export function beginsLikeSql(text: string): boolean {
  return /^(?:select|with|values)\b/i.test(text.slice(skipSpace(text, 0)))
}

/**
 * Checks that a text is one statement that starts with SELECT, WITH or VALUES, has balanced parentheses, and names no
 * schema, no internal table of SQLite and no parameter.
 * @returns the statement, or the reason for the refusal
 */
export function readSqlText(text: string): SqlText | SqlVerdict {
  if (text.length > MAX_STATEMENT)
    return refuse('too_long', `The statement is longer than ${MAX_STATEMENT} characters.`)
  const tokens = tokenize(text)
  if (tokens === null) return refuse('unterminated', 'A quote or comment is not closed.')
  while (tokens.at(-1)?.value === ';' && tokens.at(-1)?.kind === 'symbol') tokens.pop()
  const [first] = tokens
  if (first?.kind !== 'word' || !['select', 'with', 'values'].includes(first.value)) {
    return refuse('not_a_statement', 'The text is not a statement that begins with SELECT, WITH or VALUES.')
  }
  return checkTokens(tokens) ?? { statement: statementOf(text, tokens), names: namesOf(tokens) }
}

function checkTokens(tokens: readonly Token[]): SqlVerdict | null {
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (token.kind === 'parameter') return refuse('parameter', 'Parameters are not allowed; write the values out.')
    if (token.kind === 'symbol') {
      if (token.value === ';') return refuse('several_statements', 'Only one statement is allowed.')
      if (token.value === '(') depth++
      if (token.value === ')' && --depth < 0) return refuse('unbalanced', 'A closing parenthesis has no opening one.')
    } else if (token.kind !== 'number') {
      const next = tokens[i + 1]
      const qualifies = next?.kind === 'symbol' && next.value === '.'
      if (qualifies && /^(main|temp)$/.test(token.value)) {
        return refuse('reserved_name', 'Tables cannot be named with their schema; use the documented views.')
      }
      if (/^(sqlite|pragma|_cf)_\w*$/.test(token.value)) {
        return refuse('reserved_name', `The name ${token.value.slice(0, 60)} is reserved; use the documented views.`)
      }
    }
  }
  return depth === 0 ? null : refuse('unbalanced', 'A parenthesis is not closed.')
}

function statementOf(text: string, tokens: readonly Token[]): string {
  const last = tokens.at(-1)
  if (!last) return ''
  const rest = text.slice(last.start)
  return text.slice(0, last.start) + rest.slice(0, lengthAt(rest))
}

function namesOf(tokens: readonly Token[]): Set<string> {
  return new Set(tokens.filter(({ kind }) => kind !== 'symbol' && kind !== 'number').map(({ value }) => value))
}

function refuse(refusal: SqlRefusal, message: string): SqlVerdict {
  return { refusal, message }
}

const SPACE = /\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\//y
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['string', /[xX]?'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/y],
  ['number', /(?:0[xX][0-9a-fA-F_]+|\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y],
  ['parameter', /\?\d*|[:@$#][\p{L}\p{N}_$]+/uy],
  ['word', /[\p{L}_\u0080-\u{10ffff}][\p{L}\p{N}_$\u0080-\u{10ffff}]*/uy],
  ['symbol', /[^'"`[\s]/y],
]

/** Tokens in order; null if a quote or comment is not closed. */
function tokenize(text: string): Token[] | null {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    at = skipSpace(text, at)
    if (at >= text.length) break
    if (text.startsWith('/*', at)) return null
    const found = PATTERNS.map(([kind, pattern]) => ({ kind, match: matchAt(pattern, text, at) })).find(
      ({ match }) => match !== null,
    )
    if (!found?.match) return null
    tokens.push({ kind: found.kind, value: unquote(found.match).toLowerCase(), start: at })
    at += found.match.length
  }
  return tokens
}

/** The offset of the first character that is neither white space nor part of a comment. */
function skipSpace(text: string, from: number): number {
  let at = from
  for (let space = matchAt(SPACE, text, at); space; space = matchAt(SPACE, text, at)) at += space.length
  return at
}

function lengthAt(text: string): number {
  for (const [, pattern] of PATTERNS) {
    const match = matchAt(pattern, text, 0)
    if (match !== null) return match.length
  }
  return 0
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? null
}

function unquote(token: string): string {
  const quote = token[0]
  if (quote === '[') return token.slice(1, -1)
  if (quote === "'" || quote === '"' || quote === '`') return token.slice(1, -1).replaceAll(quote + quote, quote)
  return token
}
