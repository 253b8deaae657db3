/**
 * `migrate-store`: moves all knowledge of a project between the embedded store and Qdrant, through a running coordinator.
 * @module
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { parseArguments, parseUrl, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, type HttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { plural, style } from './shared/terminal.ts'

const HELP = `Usage: npm run knowledge -- migrate --from embedded --to qdrant [options]

Copies every collection of a project, with vectors, credit and times, and compares both stores at the end. QDRANT_URL must be set.
Needs an admin key. After an interruption, run it again: it continues where it stopped.

Options
  --from STORE       embedded or qdrant
  --to STORE         the other one
  --project NAME     default: default
  --prune            remove from the target what the source does not hold
  --state FILE       where the position is kept (default: .migrate-store.json)
  --url URL          the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY          admin key (default: HYBRID_API_KEY)
  -h, --help         print this
`

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  project: { type: 'string' },
  prune: { type: 'boolean' },
  state: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

interface Position {
  phase: string
  cursor: string | null
}

interface Summary {
  items: number
  documents: number
  with_vector: number
  checksum: string
}

interface Step {
  items: number
  documents: number
  removed: number
  next: Position | null
  summaries: { from: Summary; to: Summary; equal: boolean } | null
}

/** The progress of a migration, stored in a file, so that it can be interrupted. */
interface State {
  readonly what: string
  done: string[]
  current: { collection: string; position: Position } | null
}

/** Runs the command. Exit codes: 0 moved and equal, 1 refused, unreachable or different, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values } = parseArguments(argv, OPTIONS)
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { from, to, project = 'default' } = values
    if (!isStore(from) || !isStore(to) || from === to) {
      throw new UsageError('--from and --to must be embedded and qdrant, or the other way round')
    }
    const url = parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), '--url')
    const client = createHttpClient({ url, key: values.key ?? env.HYBRID_API_KEY, timeoutMs: 300_000 })
    return await migrate(
      client,
      { from, to, project, prune: values.prune ?? false },
      values.state ?? '.migrate-store.json',
    )
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'knowledge -- migrate')
    if (!(error instanceof HttpError) && !(error instanceof UnreachableError)) throw error
    process.stderr.write(`${style('red', error.message)}\nRun the same command again to continue.\n`)
    return 1
  }
}

async function migrate(
  client: HttpClient,
  what: { from: string; to: string; project: string; prune: boolean },
  file: string,
): Promise<number> {
  const state = await readState(file, JSON.stringify(what))
  const { collections } = await client.get<{ collections: { name: string }[] }>(
    `/collections?project=${encodeURIComponent(what.project)}`,
  )
  let different = 0
  for (const { name: collection } of collections) {
    if (state.done.includes(collection)) continue
    let position = state.current?.collection === collection ? state.current.position : undefined
    let items = 0
    let documents = 0
    let removed = 0
    do {
      const step: Step = await client.post('/knowledge/migrate', { ...what, collection, ...(position && { position }) })
      items += step.items
      documents += step.documents
      removed += step.removed
      position = step.next ?? undefined
      state.current = position ? { collection, position } : null
      await writeFile(file, JSON.stringify(state))
      if (position) process.stderr.write(`${collection}: ${items} items, ${documents} documents\n`)
    } while (position)
    const summaries = await compare(client, { ...what, collection })
    if (!summaries?.equal) different++
    const gone = removed > 0 ? `, ${removed} removed from ${what.to}` : ''
    const verdict = summaries?.equal
      ? style('green', `${held(summaries.from)}, equal: ${summaries.from.checksum.slice(0, 16)}${gone}`)
      : style('red', difference(summaries, what))
    process.stdout.write(`${collection}: ${verdict}\n`)
    if (summaries?.equal) state.done.push(collection)
    await writeFile(file, JSON.stringify(state))
  }
  if (different > 0) return 1
  await rm(file, { force: true })
  return 0
}

/** Compares both stores with repeated calls until everything is read. */
async function compare(client: HttpClient, what: Record<string, unknown>): Promise<Step['summaries']> {
  for (let position: Position | null = null; ; ) {
    const step: Step = await client.post('/knowledge/migrate', { ...what, verify: true, ...(position && { position }) })
    if (!step.next) return step.summaries
    position = step.next
  }
}

const held = ({ items, documents }: Summary) => `${plural(items, 'item')}, ${plural(documents, 'document')}`

/** The differences, and how to resolve them. */
function difference(
  summaries: Step['summaries'],
  { from, to, prune }: { from: string; to: string; prune: boolean },
): string {
  if (!summaries) return 'the stores could not be compared'
  const { from: source, to: target } = summaries
  const vectors = (summary: Summary) => `${held(summary)}, ${summary.with_vector} with a vector`
  const said = `different: ${from} holds ${vectors(source)}; ${to} holds ${vectors(target)}`
  if (!prune && (target.items > source.items || target.documents > source.documents))
    return `${said}. Add --prune to remove from ${to} what ${from} does not hold.`
  return `${said}${held(source) === held(target) ? '; some contents differ' : ''}. Something was written meanwhile: run it again.`
}

/** The state of the same migration, or a new one if the file is missing or belongs to another. */
async function readState(file: string, what: string): Promise<State> {
  const empty: State = { what, done: [], current: null }
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text === '') return empty
  const state = JSON.parse(text) as State
  return state.what === what ? state : empty
}

function isStore(name: string | undefined): name is 'embedded' | 'qdrant' {
  return name === 'embedded' || name === 'qdrant'
}
