/**
 * `ingest`: reads a folder of code and prose, or JSON Lines, into a running coordinator over its REST API.
 * @module
 */
import { realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { VectorFeeder } from './ingest/embed.ts'
import { ingestFolder } from './ingest/folder.ts'
import { repositoryOf } from './ingest/git.ts'
import { identityOf } from './ingest/identity.ts'
import { ingestLines } from './ingest/jsonl.ts'
import { HELP, type IngestOptions, parseOptions } from './ingest/options.ts'
import { createReport, exitCode, formatReport, type Report } from './ingest/report.ts'
import { sourceName } from './ingest/source.ts'
import { RefusedError } from './ingest/target.ts'
import { UsageError } from './shared/args.ts'
import { createHttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { style } from './shared/terminal.ts'

const FOLDER_COLLECTION = 'codebase-context'

/** npm passes on the interrupt that the terminal has already sent: what comes this soon is the same key press. */
const SECOND_INTERRUPT_MS = 500

/** What went wrong and what to do about it; undefined for an error nobody expected. */
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

/** Whether the input is a folder or JSON Lines. */
async function inputOf(options: IngestOptions): Promise<{ kind: Report['kind']; path: string }> {
  const path = await realpath(options.input).catch(() => {
    throw new UsageError(`${options.input} does not exist`)
  })
  if ((await stat(path)).isDirectory()) return { kind: 'folder', path }
  if (!/\.(?:jsonl|ndjson)$/i.test(path)) throw new UsageError(`${options.input} is neither a folder nor a .jsonl file`)
  if (!options.collection) throw new UsageError('a .jsonl file needs --collection, e.g. --collection best-practices')
  return { kind: 'jsonl', path }
}

/**
 * Ingests a folder or a file and reports what was done; failures that a person can fix are in the report.
 * @throws UsageError
 */
export async function ingest(options: IngestOptions): Promise<Report> {
  const { kind, path } = await inputOf(options)
  const repository = kind === 'folder' ? await repositoryOf(path) : undefined
  const source = kind === 'folder' ? (options.source ?? sourceName(path, repository)) : undefined
  const collection = options.collection ?? FOLDER_COLLECTION
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
      onRetry: (reason, pause) => {
        if (pause >= 2_000)
          process.stderr.write(`\n${style('yellow', `${reason}; trying again in ${Math.round(pause / 1_000)} s`)}\n`)
      },
    })
    if (!options.dryRun) feeder = new VectorFeeder({ http, project: options.project, collection, stopped })
    if (kind === 'folder') {
      await ingestFolder(path, {
        http,
        place: { project: options.project, collection, source: source ?? path },
        identity: identityOf(path, repository),
        options,
        report,
        stopped,
      })
    } else await ingestLines(path, { http, dryRun: options.dryRun, report, stopped })
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

/**
 * Runs the command.
 * @param argv - arguments after `ingest`
 * @returns the exit code: 0 done, 1 something was rejected or failed, 2 wrong usage, 130 interrupted
 */
export async function run(argv: string[]): Promise<number> {
  try {
    const options = parseOptions(argv, process.env)
    if (!options) {
      process.stdout.write(HELP)
      return 0
    }
    const report = await ingest(options)
    process.stdout.write(`${options.json ? JSON.stringify(report) : formatReport(report, options.verbose)}\n`)
    return exitCode(report)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run ingest -- --help\n`)
    return 2
  }
}
