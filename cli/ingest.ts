/**
 * `ingest`: imports a folder of code and prose, or JSON Lines, into a running coordinator over its REST API.
 * @module
 */
import { readFile, realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Turn } from './ingest/chats.ts'
import type { VectorFeeder } from './ingest/embed.ts'
import type { EmbedPool } from './ingest/embed-pool.ts'
import { ingestFolder } from './ingest/folder.ts'
import { repositoryOf } from './ingest/git.ts'
import { identityOf } from './ingest/identity.ts'
import { importTurns } from './ingest/import-turns.ts'
import { ingestLines } from './ingest/jsonl.ts'
import { DEFAULT_MAX_FILE_SIZE, HELP, type IngestOptions, parseOptions } from './ingest/options.ts'
import { rememberFolder } from './ingest/registry.ts'
import { createReport, exitCode, formatReport, type Report } from './ingest/report.ts'
import { sourceName } from './ingest/source.ts'
import { RefusedError } from './ingest/target.ts'
import { reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { count, duration, plural, style } from './shared/terminal.ts'

const FOLDER_COLLECTION = 'codebase-context'

/** A hook doesn't wait for a busy coordinator: the next one sends what this one could not. */
const QUIET_ATTEMPTS = 2

/**
 * npm forwards the interrupt that the terminal has already sent. A second one within this time is the same key press.
 */
const SECOND_INTERRUPT_MS = 500

/** The problem and the fix; undefined for an unexpected error. */
function explain(error: unknown, options: IngestOptions): Report['failure'] {
  if (error instanceof UnreachableError) {
    return {
      message: error.message,
      hint: 'Start the coordinator with `npm run dev`, or name a running one with --url or HYBRID_URL.',
    }
  }
  if (error instanceof RefusedError) return { message: error.message, hint: error.hint }
  if (error instanceof HttpError) {
    const { hint, code } = error.problem
    const message = `the coordinator answered ${error.status}${code ? ` (${code})` : ''}: ${error.message}`
    if (error.status === 401 || error.status === 403) {
      return {
        message,
        hint: options.key ? 'Check --key or HYBRID_API_KEY.' : 'Give an API key with --key or HYBRID_API_KEY.',
      }
    }
    if (error.status === 404 && !code) return { message, hint: `Is ${options.url} a Hybrid Coordinator?` }
    return { message, hint }
  }
  return undefined
}

const secondsSince = (started: number): number => Math.round(performance.now() - started) / 1_000

/** The kind of input: a folder, JSON Lines, or an exported chat. */
async function inputOf(options: IngestOptions): Promise<{ kind: Report['kind']; path: string; turns?: Turn[] }> {
  const path = await realpath(options.input).catch(() => {
    throw new UsageError(`${options.input} does not exist`)
  })
  if ((await stat(path)).isDirectory()) return { kind: 'folder', path }
  const isLines = /\.(?:jsonl|ndjson)$/i.test(path)
  if (isLines && options.collection) return { kind: 'jsonl', path }
  const turns = isLines || /\.json$/i.test(path) ? await chatOf(path) : undefined
  if (turns) return { kind: 'chats', path, turns }
  if (isLines) throw new UsageError('a .jsonl file needs --collection, e.g. --collection best-practices')
  throw new UsageError(
    `${options.input} is neither a folder, a .jsonl file nor an exported chat (Claude, ChatGPT, Claude Code)`,
  )
}

async function chatOf(path: string): Promise<Turn[] | undefined> {
  const { chatTurns } = await import('./ingest/chats.ts')
  return chatTurns(await readFile(path, 'utf8'))
}

/**
 * Ingests a folder or a file and returns a report. The report includes failures that the user can fix.
 * @param pool that embeds; closed at the end. Default: threads of this machine
 * @throws UsageError
 */
export async function ingest(options: IngestOptions, pool?: EmbedPool): Promise<Report> {
  const { kind, path, turns } = await inputOf(options)
  const repository = kind === 'folder' ? await repositoryOf(path) : undefined
  const source = kind === 'folder' ? (options.source ?? sourceName(path, repository)) : undefined
  const collection = kind === 'chats' ? 'interaction-history' : (options.collection ?? FOLDER_COLLECTION)
  const report = createReport({
    kind,
    input: kind === 'folder' ? path : basename(path),
    project: options.project,
    collection,
    source,
    dry_run: options.dryRun,
  })
  const started = performance.now()
  const abort = new AbortController()
  let interruptedAt: number | undefined
  const onInterrupt = (): void => {
    const now = performance.now()
    if (interruptedAt === undefined) {
      interruptedAt = now
      const text = 'Finishing the requests under way; interrupt again to stop at once.'
      process.stderr.write(`\n${style('yellow', text)}\n`)
    } else if (now - interruptedAt > SECOND_INTERRUPT_MS) abort.abort(new Error('interrupted'))
  }
  const stopped = (): boolean => interruptedAt !== undefined
  let feeder: VectorFeeder | undefined
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
  try {
    const http = createHttpClient({
      url: options.url,
      key: options.key,
      signal: abort.signal,
      ...(options.quiet && { attempts: QUIET_ATTEMPTS }),
      onRetry: (reason, pause) => {
        if (!options.quiet && pause >= 2_000)
          process.stderr.write(`\n${style('yellow', `${reason}; trying again in ${Math.round(pause / 1_000)} s`)}\n`)
      },
    })
    // A quiet run belongs to a hook or a watch. It must end soon, so the coordinator computes its few vectors.
    if (!options.dryRun && !options.quiet) {
      const embed = await import('./ingest/embed.ts')
      feeder = new embed.VectorFeeder({ http, project: options.project, collection, stopped, ...(pool && { pool }) })
    }
    if (kind === 'folder') {
      await ingestFolder(path, {
        http,
        place: { project: options.project, collection, source: source ?? path },
        identity: identityOf(path, repository),
        repository,
        options,
        report,
        stopped,
      })
      if (!options.dryRun && source && !report.interrupted && options.include.length === 0)
        rememberFolder({
          url: options.url,
          project: options.project,
          collection,
          source,
          folder: path,
          ...(options.exclude.length > 0 && { exclude: options.exclude }),
          ...(options.maxFileSize !== DEFAULT_MAX_FILE_SIZE && { maxFileSize: options.maxFileSize }),
          at: Date.now(),
        })
    } else if (turns) await importTurns(turns, { http, dryRun: options.dryRun, report, stopped })
    else await ingestLines(path, { http, dryRun: options.dryRun, report, stopped })
    report.seconds = secondsSince(started)
    report.vectors = await feeder?.finish(report.chunks.added + report.chunks.updated)
  } catch (error) {
    report.interrupted = stopped()
    if (!abort.signal.aborted) {
      const failure = explain(error, options)
      if (!failure) throw error
      report.failure = failure
    }
  } finally {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
    report.seconds ||= secondsSince(started)
    await feeder?.cancel()
  }
  return report
}

/** Prints the report; for a quiet run, only failures. */
function tell(report: Report, options: IngestOptions): void {
  if (options.quiet) {
    if (exitCode(report) === 1) process.stderr.write(`${formatReport(report)}\n`)
  } else process.stdout.write(`${options.json ? JSON.stringify(report) : formatReport(report, options.verbose)}\n`)
}

/** Ingests a folder now and after every change, until interrupted. */
async function watchUntilStopped(options: IngestOptions): Promise<number> {
  const { kind, path } = await inputOf(options)
  if (kind !== 'folder') throw new UsageError('--watch needs a folder')
  const { watchFolder } = await import('./ingest/watch.ts')
  let first = true
  let last = 0
  const watch = await watchFolder(path, async () => {
    const report = await ingest({ ...options, quiet: options.quiet || !first })
    const { indexed, removed } = report.files
    if (first || exitCode(report) !== last || exitCode(report) === 1) tell(report, options)
    else if (indexed + removed > 0 && !options.quiet)
      process.stdout.write(
        options.json
          ? `${JSON.stringify(report)}\n`
          : `${style('green', '✓', process.stdout)} ${plural(indexed, 'file')} sent, ${count(removed)} removed in ${duration(report.seconds)}\n`,
      )
    first = false
    last = exitCode(report)
    return {
      ok: last === 0,
      ignored: report.left_out.flatMap(({ path: left, reason }) => (reason === 'ignored' ? left : [])),
    }
  })
  if (!options.quiet && !options.json) process.stdout.write('Watching for changes. Press Ctrl+C to stop.\n')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, watch.stop)
  await watch.ended
  return 0
}

/**
 * Runs the command.
 * @param argv - arguments after `ingest`
 * @returns the exit code: 0 done, 1 something was rejected or failed, 2 usage error, 130 interrupted
 */
export async function run(argv: string[]): Promise<number> {
  try {
    const options = parseOptions(argv, process.env)
    if (!options) {
      process.stdout.write(HELP)
      return 0
    }
    if (options.watch) return await watchUntilStopped(options)
    const report = await ingest(options)
    tell(report, options)
    if (!options.quiet && !options.json && !options.dryRun && exitCode(report) === 0)
      process.stdout.write(connectLine(report, options))
    return exitCode(report)
  } catch (error) {
    return reportUsage(error, 'ingest --')
  }
}

/** How to connect an agent to the ingested project. */
function connectLine({ kind, input, project }: Report, { url }: IngestOptions): string {
  const words = [
    'npm run connect -- claude-code',
    kind === 'folder' ? `--dir ${/[^\w./-]/.test(input) ? JSON.stringify(input) : input}` : '--dir <folder>',
    ...(project === 'default' ? [] : [`--project ${project}`]),
    ...(url === 'http://127.0.0.1:8787' ? [] : [`--url ${url}`]),
  ]
  return `  ${'connect'.padEnd(9)} ${words.join(' ')}\n`
}
