/**
 * The report of an ingestion, counted from the coordinator's answers, and its text.
 * @module
 */
import { count, duration, plural, style as styleFor } from '../shared/terminal.ts'
import type { Truncated } from './api.ts'
import type { CutAsText } from './chunk.ts'
import type { VectorReport } from './embed.ts'
import type { LeftOut } from './walk.ts'

/** A file or line that was not stored. */
export interface Rejection {
  /** A path, or `line 12`. */
  at: string
  reason: string
}

/** The result of one run. `--json` prints it unchanged. */
export interface Report {
  kind: 'folder' | 'jsonl' | 'chats'
  input: string
  project: string
  collection: string
  source?: string
  dry_run: boolean
  interrupted: boolean
  /** Set if the run stopped early: the problem and the fix. */
  failure?: { message: string; hint?: string }
  files: {
    found: number
    indexed: number
    unchanged: number
    removed: number
    rejected: number
    skipped: Record<string, number>
  }
  /** For folders: chunks; for JSON Lines: items. `total` counts those split or read in this run. */
  chunks: { total: number; added: number; updated: number; unchanged: number; removed: number }
  rejected: Rejection[]
  /** Every file, or directory with a trailing `/`, that was not read, ordered by path. */
  left_out: LeftOut[]
  /** Files of a language with a grammar that were split as plain text. */
  cut_as_text: { path: string; reason: CutAsText }[]
  /** Files that were stored without a part of their text: rows of a dump, entries of a list, long literals. */
  shortened: string[]
  /** What the coordinator reported about texts that search doesn't cover completely. */
  truncated: Truncated[]
  notes: string[]
  /** Missing if no vectors were computed here. */
  vectors?: VectorReport
  /** Time until all text was stored; vectors follow. */
  seconds: number
}

/** An empty report. */
export function createReport(
  fields: Pick<Report, 'kind' | 'input' | 'project' | 'collection' | 'source' | 'dry_run'>,
): Report {
  return {
    ...fields,
    interrupted: false,
    files: { found: 0, indexed: 0, unchanged: 0, removed: 0, rejected: 0, skipped: {} },
    chunks: { total: 0, added: 0, updated: 0, unchanged: 0, removed: 0 },
    rejected: [],
    left_out: [],
    cut_as_text: [],
    shortened: [],
    truncated: [],
    notes: [],
    seconds: 0,
  }
}

/** Counts and lists skipped files. */
export function noteLeftOut(report: Report, entries: readonly LeftOut[]): void {
  for (const { path, reason, files } of entries) {
    report.files.skipped[reason] = (report.files.skipped[reason] ?? 0) + (files ?? 1)
    report.left_out.push({ path, reason, ...(files === undefined ? {} : { files }) })
  }
}

/** Adds up what the answers of several requests report. */
export function noteTruncated(report: Report, entries: readonly Truncated[] = []): void {
  for (const { count, ...limit } of entries) {
    const { message } = limit
    const known = report.truncated.find((entry) => entry.message === message)
    if (known) known.count += count
    else report.truncated.push({ count, ...limit })
  }
}

/** Reports are written to standard output. */
const style = (format: Parameters<typeof styleFor>[0], text: string): string => styleFor(format, text, process.stdout)

const SHOWN_REJECTIONS = 20

/** 0 if successful, 1 if something was rejected or failed, 130 after an interruption (128 + SIGINT). */
export function exitCode(report: Report): number {
  if (report.failure || report.rejected.length > 0) return 1
  return report.interrupted ? 130 : 0
}

/** How to include files that were skipped for these reasons, if possible. */
const HOW_TO_READ =
  'Read them all the same: a line such as `!src/vendor/` in .hybridignore, or --include PATTERN for one run.'
const OVERRIDABLE = new Set(['vendored', 'secret', 'lock file', 'generated', 'minified', 'data', 'picture'])

/**
 * The report as text for the user.
 * @param verbose - list every skipped path
 */
export function formatReport(report: Report, verbose = false): string {
  const { files, chunks } = report
  const lines: string[] = []
  const row = (label: string, text: string): void => {
    lines.push(`  ${style('dim', label.padEnd(9))} ${text}`)
  }
  const whole = exitCode(report) === 0
  const mark = whole
    ? style('green', '✓')
    : report.interrupted && !report.failure
      ? style('yellow', '■')
      : style('red', '✗')
  const verb = report.dry_run ? 'Would ingest' : report.interrupted || report.failure ? 'Stopped ingesting' : 'Ingested'
  const into = `${report.collection}${report.project === 'default' ? '' : ` of ${report.project}`}`
  const rate =
    report.kind === 'folder'
      ? (files.indexed + files.unchanged + files.rejected) / Math.max(report.seconds, 0.001)
      : chunks.total / Math.max(report.seconds, 0.001)
  lines.push(
    `${mark} ${verb} ${style('bold', report.source ?? report.input)} into ${into} in ${duration(report.seconds)}`,
  )
  if (report.failure && files.found === 0 && chunks.total === 0) {
    // The run failed before anything was read: there is nothing to count.
  } else if (report.kind === 'folder') {
    row(
      'files',
      `${count(files.found)} (${count(rate)}/s): ${count(files.indexed)} ${report.dry_run ? 'to send' : 'sent'}, ${count(files.unchanged)} unchanged, ${count(files.removed)} removed${files.rejected > 0 ? `, ${count(files.rejected)} rejected` : ''}`,
    )
    row(
      'chunks',
      `${count(chunks.total)} cut: ${count(chunks.added)} added, ${count(chunks.updated)} updated, ${count(chunks.unchanged)} unchanged, ${count(chunks.removed)} removed`,
    )
    const skipped = Object.entries(files.skipped).sort((a, b) => b[1] - a[1])
    if (skipped.length > 0) {
      const which = verbose ? '' : ' (--verbose names them)'
      row('left out', `${skipped.map(([reason, number]) => `${count(number)} ${reason}`).join(', ')}${which}`)
      if (verbose) {
        for (const { path, reason } of report.left_out) lines.push(`    ${reason.padEnd(12)} ${path}`)
        if (report.left_out.some(({ reason }) => OVERRIDABLE.has(reason))) lines.push(`  ${HOW_TO_READ}`)
      }
    }
    const named = (paths: readonly string[]): string => {
      const shown = verbose ? paths : paths.slice(0, 3)
      const more = paths.length - shown.length
      return `${shown.join(', ')}${more > 0 ? ` and ${count(more)} more` : ''}`
    }
    if (report.cut_as_text.length > 0)
      row('as text', `${named(report.cut_as_text.map(({ path }) => path))} could not be cut along the syntax`)
    if (report.shortened.length > 0)
      row('shortened', `${named(report.shortened)}: repetitive data and long literals were left out`)
  } else {
    row(
      'items',
      `${count(chunks.total)} read (${count(rate)}/s): ${count(chunks.added)} added, ${count(chunks.updated)} updated, ${count(chunks.unchanged)} unchanged`,
    )
  }
  const { vectors } = report
  if (vectors) {
    row('vectors', `${count(vectors.stored)} computed here in ${duration(vectors.seconds)}`)
    if (vectors.left) row('', `the coordinator computes the others itself: ${vectors.left}`)
  }
  // Nearly every chunk is longer than a vector represents, and keyword search covers the rest.
  for (const { count: number, message, hint } of report.truncated.filter(
    ({ search }) => verbose || search !== 'semantic',
  ))
    row('in part', `${plural(number, 'text')}: ${message}${verbose ? ` ${hint}` : ''}`)
  for (const note of report.notes) row('note', note)
  if (report.rejected.length > 0) {
    lines.push(`  ${style('red', `${plural(report.rejected.length, 'rejection')}:`)}`)
    for (const { at, reason } of report.rejected.slice(0, SHOWN_REJECTIONS)) lines.push(`    ${at}: ${reason}`)
    const more = report.rejected.length - SHOWN_REJECTIONS
    if (more > 0) lines.push(`    and ${count(more)} more (all of them with --json)`)
  }
  if (report.failure) {
    lines.push(`  ${style('red', report.failure.message)}`)
    if (report.failure.hint && !report.failure.message.endsWith(report.failure.hint.slice(-40)))
      lines.push(`  ${report.failure.hint}`)
  } else if (report.interrupted)
    lines.push('  Interrupted. Run the same command again to complete it; what is stored is not sent again.')
  return lines.join('\n')
}
