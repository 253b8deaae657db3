/**
 * Shortens repetitive data, so that the content of a large file can be stored: the rows of a dump, the entries of a
 * list. Pure functions. Each keeps the original line number of every line.
 * @module
 */

/** A text and, for each of its lines, its line number in the file (both from 1). */
export interface Condensed {
  text: string
  lines: number[]
  /** Whether anything was left out. */
  shortened: boolean
}

/** Number of rows kept from a run of data. */
const KEPT_ROWS = 5
/** Number of entries kept from a list, and the size of the list's text from which lists are shortened. */
const KEPT_ENTRIES = 20
const LONG_LIST = 20_000

const INSERT = /^\s*(?:INSERT|REPLACE)\s+(?:INTO\s+)?["'`[\]\w.]+/i
const ROW = /^\s*\(.*\)\s*[,;]?\s*$/
const COPY = /^\s*COPY\s.*\bFROM\s+stdin/i
const LONG_ROW = 600

/** A database dump with only the first rows of each table. Definitions are kept complete. */
export function condenseSql(text: string): Condensed {
  const kept: string[] = []
  const lines: number[] = []
  let run = 0
  let table = ''
  let copying = false
  let shortened = false
  const source = text.split('\n')
  const close = (line: number): void => {
    if (run > KEPT_ROWS) {
      kept.push(`-- … ${run - KEPT_ROWS} more rows`)
      lines.push(line)
    }
    run = 0
  }
  for (const [i, line] of source.entries()) {
    const insert = INSERT.exec(line)?.[0].replace(/\s+/g, ' ')
    const isRow = copying ? line !== '\\.' : insert !== undefined || (run > 0 && ROW.test(line))
    if (copying && line === '\\.') copying = false
    if (!isRow || (insert !== undefined && insert !== table)) close(i)
    if (insert !== undefined) table = insert
    if (COPY.test(line)) copying = true
    if (isRow) run++
    if (isRow && run > KEPT_ROWS) {
      shortened = true
      continue
    }
    const long = isRow && line.length > LONG_ROW
    if (long) shortened = true
    kept.push(long ? `${line.slice(0, LONG_ROW).toWellFormed()} …` : line)
    lines.push(i + 1)
  }
  close(source.length)
  return { text: kept.join('\n'), lines, shortened }
}

function trimmed(value: unknown, depth: number, state: { shortened: boolean }): unknown {
  if (typeof value !== 'object' || value === null || depth > 40) return value
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, trimmed(inner, depth + 1, state)]))
  const entries = value.map((inner) => trimmed(inner, depth + 1, state))
  if (entries.length <= KEPT_ENTRIES || JSON.stringify(entries).length <= LONG_LIST) return entries
  state.shortened = true
  return [...entries.slice(0, KEPT_ENTRIES), `… ${entries.length - KEPT_ENTRIES} more entries`]
}

/**
 * JSON formatted over several lines, with only the first entries of long lists; undefined if it is not JSON. Line
 * numbers don't refer to the file.
 */
export function condenseJson(text: string): Condensed | undefined {
  try {
    const state = { shortened: false }
    const value = trimmed(JSON.parse(text), 0, state)
    const laidOut = JSON.stringify(value, null, 2)
    return { text: laidOut, lines: [], shortened: state.shortened }
  } catch {
    return undefined
  }
}
