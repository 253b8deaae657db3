/**
 * `sources`: lists ingested sources, their age and their differences from the folders; removes a source.
 * @module
 */
import { existsSync, realpathSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import { deleteDocuments, deleteItem, listDocuments, listSources, type Place } from './ingest/api.ts'
import { itemIn } from './ingest/identity.ts'
import { parseOptions } from './ingest/options.ts'
import { argumentsOf, forgetFolder, type KnownFolder, knownFolders } from './ingest/registry.ts'
import { exitCode, formatReport } from './ingest/report.ts'
import { ingest } from './ingest.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, type HttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { count, duration, plural, style } from './shared/terminal.ts'

const HELP = `Usage: npm run sources [-- options]
       npm run sources -- refresh [NAME] [options]
       npm run sources -- remove NAME [options]

Lists the sources that documents were ingested from, with their age, their number of files and, where the folder is on this
machine, how many files have changed since. \`refresh\` ingests the folders again, as they were ingested before. \`remove\` deletes
everything that came from a source.

Options
  --project NAME     project (default: default)
  --collection NAME  only this collection (refresh, remove)
  --dir FOLDER       only folders that hold this one or lie in it (refresh)
  --quiet            print nothing unless something failed (refresh)
  --url URL          the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY          API key (default: HYBRID_API_KEY)
  --json             print the answer as JSON
  -h, --help         print this
`

const realPath = (path: string): string => (existsSync(path) ? realpathSync(path) : path)

/** Whether two folders are equal, or one contains the other. */
function overlap(a: string, b: string): boolean {
  return [relative(a, b), relative(b, a)].some((path) => !path.startsWith('..') && !isAbsolute(path))
}

/** A listed source. */
export interface ListedSource {
  source: string
  collection: string
  documents: number
  written_at: number | null
  /** The folder on this machine from which it was last ingested. */
  folder?: string
  /** Number of new or changed files in that folder, and of deleted ones. Missing if the folder doesn't exist. */
  drift?: { changed: number; gone: number }
}

async function driftOf(known: KnownFolder, key: string | undefined): Promise<ListedSource['drift']> {
  const options = parseOptions([...argumentsOf(known), '--dry-run', '--replace', '--quiet'], {})
  if (!options) return undefined
  const { files, failure } = await ingest({ ...options, key, compareOnly: true })
  return failure ? undefined : { changed: files.indexed, gone: files.removed }
}

async function list(http: HttpClient, url: string, project: string, key: string | undefined): Promise<ListedSource[]> {
  const known = knownFolders().filter((one) => one.url === url && one.project === project)
  const listed: ListedSource[] = []
  for (const entry of await listSources(http, project)) {
    const place = known.find((one) => one.source === entry.source && one.collection === entry.collection)
    const drift = place && existsSync(place.folder) ? await driftOf(place, key) : undefined
    listed.push({ ...entry, ...(place && { folder: place.folder }), ...(drift && { drift }) })
  }
  return listed
}

function table(sources: readonly ListedSource[]): string {
  if (sources.length === 0) return 'Nothing has been ingested into this project. Begin with: npm run ingest -- FOLDER\n'
  const lines = sources.map(({ source, collection, documents, written_at, folder, drift }) => {
    const age = written_at === null ? 'unknown age' : `${duration((Date.now() - written_at) / 1_000)} old`
    const state =
      drift === undefined
        ? folder === undefined
          ? 'folder not known on this machine'
          : `${folder} is not there`
        : drift.changed + drift.gone === 0
          ? 'up to date'
          : style('yellow', `${count(drift.changed)} changed, ${count(drift.gone)} gone`, process.stdout)
    return `${style('bold', source, process.stdout)}  ${collection}  ${plural(documents, 'file')}  ${age}  ${state}`
  })
  return `${lines.join('\n')}\n`
}

/** Ingests known folders again. @returns the exit code */
async function refresh(known: readonly KnownFolder[], key: string | undefined, quiet: boolean): Promise<number> {
  const { refreshFolder } = await import('./ingest/refresh.ts')
  let code = 0
  for (const one of known) {
    if (!existsSync(one.folder)) {
      if (!quiet) process.stdout.write(`${one.folder} is not there.\n`)
      continue
    }
    const report = await refreshFolder(one, key)
    if (!report) {
      if (!quiet) process.stdout.write(`${one.source} is already being refreshed.\n`)
      continue
    }
    code = Math.max(code, exitCode(report))
    if (exitCode(report) === 1) process.stderr.write(`${formatReport(report)}\n`)
    else if (!quiet) process.stdout.write(`${formatReport(report)}\n`)
  }
  return code
}

/** Removes all data of a source. */
async function remove(http: HttpClient, place: Place): Promise<{ documents: number; items: number }> {
  const stored = await listDocuments(http, place)
  const total = { documents: 0, items: 0 }
  const paths = [...stored.keys()]
  for (const hash of stored.values()) {
    const id = itemIn(hash)
    if (id !== undefined) total.items += await deleteItem(http, place, id)
  }
  for (let at = 0; at < paths.length; at += 1_000) {
    const deleted = await deleteDocuments(http, place, paths.slice(at, at + 1_000))
    total.documents += deleted.documents
    total.items += deleted.items
  }
  return total
}

/** Runs the command. Exit codes: 0 done, 1 refused or unreachable, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      project: { type: 'string' },
      collection: { type: 'string' },
      url: { type: 'string' },
      key: { type: 'string' },
      dir: { type: 'string' },
      quiet: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const url = parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), '--url')
    const key = values.key || env.HYBRID_API_KEY || undefined
    const project = values.project ?? 'default'
    const http = createHttpClient({ url, key })
    const [action, name, ...more] = positionals
    if (action === undefined) {
      const sources = await list(http, url, project, key)
      process.stdout.write(values.json ? `${JSON.stringify({ sources })}\n` : table(sources))
      return 0
    }
    if (action === 'refresh') {
      if (more.length > 0) throw new UsageError('name one source to refresh, or none for all')
      const { dir, collection } = values
      const folder = dir === undefined ? undefined : realPath(resolve(env.INIT_CWD ?? process.cwd(), dir))
      const known = knownFolders(env).filter(
        (one) =>
          one.url === url &&
          one.project === project &&
          (name === undefined || one.source === name) &&
          (collection === undefined || one.collection === collection) &&
          (folder === undefined || overlap(one.folder, folder)),
      )
      if (known.length === 0 && !values.quiet) throw new UsageError('no such source was ingested from this machine')
      return await refresh(known, key, values.quiet ?? false)
    }
    if (action !== 'remove') throw new UsageError(`there is no action "${action}"; did you mean refresh or remove?`)
    if (!name || more.length > 0) throw new UsageError('name one source to remove')
    const all = await listSources(http, project)
    const matching = all.filter(
      (one) => one.source === name && (values.collection === undefined || one.collection === values.collection),
    )
    if (matching.length === 0) throw new UsageError(`there is no source "${name}" in project ${project}`)
    let text = ''
    for (const { collection, source } of matching) {
      const { documents, items } = await remove(http, { project, collection, source })
      forgetFolder({ url, project, collection, source })
      text += `Removed ${plural(documents, 'file')} and ${plural(items, 'item')} of ${source} from ${collection}.\n`
    }
    process.stdout.write(values.json ? `${JSON.stringify({ removed: matching.length })}\n` : text)
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'sources --')
    if (error instanceof HttpError || error instanceof UnreachableError) {
      process.stderr.write(`${style('red', error.message)}\n`)
      return 1
    }
    throw error
  }
}
