/**
 * Analyses the parts of a request: the person's own words, code, errors, names. Shared by search, routing and learning.
 * @module
 */

import { withoutHarnessText } from './client-boilerplate.ts'
import { readQuery } from './index-terms.ts'
import { ASK_LESS, shownLimit, type Truncation } from './truncation.ts'

/** A section of code in a request. */
export interface CodeSpan {
  readonly text: string
  /** The fence's language tag in lower case; empty if there is none. */
  readonly language: string
  readonly block: boolean
}

/** Measures of a request that search, routing and learning use. */
export interface QueryFeatures {
  /** Number of characters without harness text. */
  readonly characters: number
  /** Share of the raw text that was harness text, 0 to 1. */
  readonly harnessShare: number
  /** Number of distinct searchable terms, at most 32. */
  readonly contentTerms: number
  readonly isQuestion: boolean
  /** Share of the searchable terms that are identifiers, paths, flags or symbols, 0 to 1. */
  readonly identifierShare: number
  /** Share of the request's characters that are code blocks, 0 to 1. */
  readonly codeShare: number
  /** Share of its lines that are log output or stack frames, 0 to 1. */
  readonly logShare: number
  readonly hasError: boolean
}

export interface QueryAnalysis {
  /** The request without harness text. */
  readonly text: string
  /** The natural-language part: no code blocks, no logs. */
  readonly prose: string
  /** The text to search for: the prose, the error messages, and the beginning of the code. */
  readonly searchText: string
  readonly code: readonly CodeSpan[]
  /** Distinct lines that state an error, in order. */
  readonly errors: readonly string[]
  /** For example `E0382`, `TS2345`, `ERR_MODULE_NOT_FOUND`, `ENOENT`, `SQLSTATE 42P01`. */
  readonly errorCodes: readonly string[]
  readonly identifiers: readonly string[]
  readonly paths: readonly string[]
  /** Texts in quotation marks. */
  readonly quoted: readonly string[]
  /** The Unicode name of the script of most letters; null without letters. */
  readonly script: string | null
  readonly features: QueryFeatures
  /** The limits that the request exceeds. What is beyond them isn't read or isn't searched. */
  readonly truncated: readonly Truncation[]
}

/** Of a longer request, only the beginning and the end are read. */
const MAX_REQUEST_LENGTH = 40_000
/** Of a longer line, only the beginning is examined. */
const MAX_LINE_LENGTH = 400
const MAX_FOUND = 32
const CODE_SEARCHED = 400
const ERRORS_SEARCHED = 3

const FENCE = /^\s{0,3}(```+|~~~+)\s*([A-Za-z0-9+#._-]{0,30})/
const INLINE_CODE = /`([^`\n]{1,200})`/g
const QUOTED =
  /"([^"\n]{2,200})"|“([^”\n]{2,200})”|«([^»\n]{2,200})»|(?<![\p{L}\p{N}])'([^'\n]{2,200})'(?![\p{L}\p{N}])/gu
const ERROR_LINE =
  /(?:^|[\s[(:])(?:[\w.$]{0,80}(?:Error|Exception)|error|fatal|panic(?:ked)?|FAILED|failure|segfault|Traceback|undefined reference|command not found|No such file|permission denied)(?:\[[^\]]{1,20}\])?(?:[:\s(!]|$)/
const LOG_LINE =
  /^\s*(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d|\[(?:debug|info|warn|warning|error|trace)\]|(?:DEBUG|INFO|WARN|WARNING|ERROR|TRACE)\b|at \S.{0,300}:\d+|File "[^"]{1,300}", line \d+|#\d+ 0x|npm (?:ERR!|error|warn))/i
const ERROR_CODE =
  /\b(?:E\d{4}|TS\d{4,5}|CS\d{4}|ORA-\d{4,5}|SQLSTATE\W{0,3}[0-9A-Z]{5}|ERR_[A-Z0-9_]{2,60}|E(?:ACCES|ADDRINUSE|AGAIN|BUSY|CONNREFUSED|CONNRESET|EXIST|INVAL|ISDIR|MFILE|NOENT|NOMEM|NOSPC|NOTDIR|NOTFOUND|NOTEMPTY|PERM|PIPE|ROFS|TIMEDOUT)|SIG(?:SEGV|ABRT|KILL|TERM|BUS|ILL|FPE)|0x[0-9A-Fa-f]{8}|[A-Z]{2,8}\d{3,6})\b/g
const PATH =
  /(?<![\w/\\.~@-])(?:[A-Za-z]:\\|~\/|\.{0,2}\/|@[\w.-]{1,60}\/)?(?:[\w.@+-]{1,80}[/\\]){0,20}[\w.@+-]{0,80}[\w+-](?::\d{1,6}){0,2}/g
const IDENTIFIER = /[A-Za-z_$][\w$]{1,80}(?:(?:\.|::|->|#)[A-Za-z_$][\w$]{0,80}){0,8}/g
const QUESTION_WORD =
  /^(?:how|what|why|when|where|which|who|whose|is|are|was|were|do|does|did|can|could|should|would|will|has|have|wie|was|warum|wo|wann|welche|comment|pourquoi|quel|quelle|où|cómo|qué|por qué|cuál|dónde|como|perché|come|как|что|почему|где|какой|когда)(?![\p{L}\p{N}_])/iu
const SCRIPTS = [
  'Latin',
  'Han',
  'Hiragana',
  'Katakana',
  'Hangul',
  'Cyrillic',
  'Arabic',
  'Hebrew',
  'Devanagari',
  'Thai',
  'Greek',
  'Bengali',
  'Tamil',
  'Georgian',
  'Armenian',
] as const
const SCRIPT_PATTERNS = SCRIPTS.map((name) => [name, new RegExp(`\\p{Script=${name}}`, 'gu')] as const)

/** Analyses a request. Linear time; never throws. */
export function analyseQuery(raw: string): QueryAnalysis {
  const { text, removedShare } = withoutHarnessText(excerpt(raw.toWellFormed().replaceAll('\0', ' ')))
  const { code, lines } = separateCode(text)
  const isLog = (line: string) => LOG_LINE.test(line.slice(0, MAX_LINE_LENGTH))
  const logLines = lines.filter(isLog)
  const prose = lines
    .filter((line) => !isLog(line))
    .join('\n')
    .trim()
  const shortLines = text.split('\n').map((line) => line.slice(0, MAX_LINE_LENGTH))
  const errors = distinct(shortLines.filter((line) => ERROR_LINE.test(line)).map((line) => line.trim()))
  const nonEmpty = shortLines.filter((line) => line.trim() !== '').length
  const read = readQuery(text)
  const { terms } = read
  const blocks = code.filter(({ block }) => block)
  const codeCharacters = blocks.reduce((sum, span) => sum + span.text.length, 0)
  const otherErrors = errors.filter((error) => !prose.includes(error))
  const codeText = blocks.map((span) => span.text).join('\n')
  const parts = [prose, ...otherErrors.slice(0, ERRORS_SEARCHED), codeText.slice(0, CODE_SEARCHED)]
  const searchText = parts.filter((part) => part !== '').join('\n') || text
  return {
    text,
    prose,
    searchText,
    code,
    errors,
    errorCodes: distinct(matches(shortLines, ERROR_CODE)),
    identifiers: distinct(matches(shortLines, IDENTIFIER).filter(isIdentifier)),
    paths: distinct(matches(shortLines, PATH).filter(isPath)),
    quoted: distinct(matches(shortLines, QUOTED)),
    script: mainScript(prose || text),
    features: {
      characters: text.length,
      harnessShare: removedShare,
      contentTerms: terms.length,
      isQuestion: isQuestion(prose),
      identifierShare: terms.length > 0 ? terms.filter(({ kind }) => kind === 'compound').length / terms.length : 0,
      codeShare: text.length > 0 ? Math.min(1, codeCharacters / text.length) : 0,
      logShare: nonEmpty > 0 ? Math.min(1, logLines.length / nonEmpty) : 0,
      hasError: errors.length > 0,
    },
    truncated: [
      ...exceeded(raw.length, MAX_REQUEST_LENGTH, `Of a long query, ${READ} are read.`),
      ...exceeded(
        otherErrors.length,
        ERRORS_SEARCHED,
        `Of the errors in logs, the first ${ERRORS_SEARCHED} are searched.`,
      ),
      ...exceeded(
        codeText.length,
        CODE_SEARCHED,
        `Of code blocks, the first ${CODE_SEARCHED} characters are searched.`,
      ),
      ...(searchText === text ? read : readQuery(searchText)).truncated,
    ],
  }
}

const READ = `the first and the last ${shownLimit(MAX_REQUEST_LENGTH / 2)} characters`

function exceeded(size: number, limit: number, message: string): Truncation[] {
  return size > limit ? [{ limit, message, hint: ASK_LESS }] : []
}

function excerpt(text: string): string {
  return text.length <= MAX_REQUEST_LENGTH
    ? text
    : `${text.slice(0, MAX_REQUEST_LENGTH / 2)}\n${text.slice(-MAX_REQUEST_LENGTH / 2)}`.toWellFormed()
}

/** Separates fenced blocks. Inline code stays in its line and is also returned. */
function separateCode(text: string): { code: CodeSpan[]; lines: string[] } {
  const code: CodeSpan[] = []
  const lines: string[] = []
  let fence: { mark: string; language: string; lines: string[] } | null = null
  const close = () => {
    if (fence && fence.lines.length > 0)
      code.push({ text: fence.lines.join('\n'), language: fence.language, block: true })
    fence = null
  }
  for (const line of text.split('\n')) {
    const match = FENCE.exec(line.slice(0, MAX_LINE_LENGTH))
    const mark = match?.[1]?.slice(0, 3)
    if (fence) {
      if (mark === fence.mark && match?.[2] === '') close()
      else fence.lines.push(line)
    } else if (match && mark && line.indexOf(mark, match[0].length) === -1) {
      fence = { mark, language: (match[2] ?? '').toLowerCase(), lines: [] }
    } else {
      lines.push(line)
      for (const inline of line.slice(0, MAX_LINE_LENGTH).matchAll(INLINE_CODE)) {
        if (code.length < MAX_FOUND) code.push({ text: inline[1] ?? '', language: '', block: false })
      }
    }
  }
  close()
  return { code, lines }
}

function matches(lines: readonly string[], pattern: RegExp): string[] {
  return lines.flatMap((line) =>
    [...line.matchAll(pattern)].map((match) => match.slice(1).find((group) => group) ?? match[0]),
  )
}

function distinct(found: readonly string[]): string[] {
  return [...new Set(found)].slice(0, MAX_FOUND)
}

/** camelCase, PascalCase of two words, snake_case, CONSTANT_CASE, and qualified names, but not ordinary words. */
function isIdentifier(name: string): boolean {
  return /[a-z][A-Z]|[A-Z]{2}[a-z]{2}|\w_\w|^_|\$|::|->|[A-Za-z]\d|\w[.#][A-Za-z_]{2}/.test(name)
}

/** Contains a slash or backslash between names, starts like a path, or ends in a file extension. */
function isPath(name: string): boolean {
  if (/^\d+(?:[./]\d+)*$/.test(name) || /^(?:and\/or|n\/a|i\/o|yes\/no|he\/she)$/i.test(name)) return false
  return (
    /[\w.~@][/\\]\w|^[/\\]\w/.test(name) ||
    /^\.?[\w+-]+(?:\.[\w+-]+)*\.[A-Za-z][A-Za-z0-9]{0,5}(?::\d+){0,2}$/.test(name) ||
    /^\.[a-z]{2,}/.test(name)
  )
}

function isQuestion(prose: string): boolean {
  if (/[?？؟]\s*$/m.test(prose.slice(-MAX_LINE_LENGTH)) || /[?？؟](?:\s|$)/.test(prose.slice(0, MAX_LINE_LENGTH)))
    return true
  return QUESTION_WORD.test(prose.slice(0, 60).trimStart())
}

function mainScript(text: string): string | null {
  const sample = text.slice(0, 4000)
  let best: string | null = null
  let most = 0
  for (const [name, pattern] of SCRIPT_PATTERNS) {
    const count = sample.match(pattern)?.length ?? 0
    if (count > most) {
      most = count
      best = name
    }
  }
  return best
}
