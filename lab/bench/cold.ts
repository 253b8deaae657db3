/**
 * `npm run --prefix lab bench:cold`: measures the first request after a start with a filled disk, compared with
 * `/health` at the same time.
 * @module
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildWorker, createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'
import { type BenchItem, packageTexts, questions } from './texts.ts'
import { BENCH_VARIABLES } from './variables.ts'

const HELP = `Usage: npm run --prefix lab bench:cold -- [options]

Stores items from the installed packages, lets the collection make the snapshot of its index, and then starts the Worker again and again
over the same disk. Of each start it tells the first augment_query, the second one, and the median of twenty bare requests.

Options
  --items N         default 5000
  --starts N        of each bundle, default 5
  --state FOLDER    databases that are kept: filled when the folder is not there, used as they are when it is
  --before FOLDER   a bundle of another version (wrangler deploy --dry-run --outdir FOLDER), started in turn with this one
  --json            print one object
  -h, --help        print this
`

const PROJECT = 'cold'
const COLLECTION = 'codebase-context'
const BATCH = 200
/** Time from the first write that makes a snapshot due until the snapshot is written. */
const SNAPSHOT_MS = 15_000
const BARE = 20

interface Start {
  readonly version: 'now' | 'before'
  readonly cold_ms: number
  readonly warm_ms: number
  readonly bare_ms: number
}

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      items: { type: 'string', default: '5000' },
      starts: { type: 'string', default: '5' },
      state: { type: 'string' },
      before: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const [items, starts] = [whole(values.items, '--items'), whole(values.starts, '--starts')]
    const given = (folder: string | undefined) => (folder === undefined ? null : pathGiven(folder))
    const found = await measure(items, starts, given(values.before), given(values.state))
    process.stdout.write(values.json ? `${JSON.stringify({ items, starts: found })}\n` : formatted(items, found))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:cold --')
  }
}

async function measure(items: number, starts: number, before: string | null, state: string | null): Promise<Start[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'hybrid-cold-'))
  try {
    const now = await buildWorker(join(scratch, 'bundle'))
    const stateFolder = state ?? join(scratch, 'state')
    const texts = await packageTexts(items)
    if (!existsSync(stateFolder)) await fill(now, stateFolder, texts)
    const [query = ''] = questions(texts, 1)
    const found: Start[] = []
    for (let start = 0; start < starts; start++) {
      if (before) found.push(await startOnce('before', before, stateFolder, query))
      found.push(await startOnce('now', now, stateFolder, query))
    }
    return found
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Stores the items and waits until the collection has written its snapshot. */
async function fill(bundle: string, stateFolder: string, texts: readonly BenchItem[]): Promise<void> {
  const worker = await startLocalWorker({ bundle, stateFolder, variables: BENCH_VARIABLES })
  try {
    const http = createHttpClient({ url: worker.url, timeoutMs: 120_000 })
    for (let at = 0; at < texts.length; at += BATCH) {
      const some = texts.slice(at, at + BATCH)
      await http.post('/knowledge/items', { project: PROJECT, collection: COLLECTION, items: some })
    }
    await sleep(SNAPSHOT_MS)
  } finally {
    await worker.stop()
  }
}

async function startOnce(
  version: Start['version'],
  bundle: string,
  stateFolder: string,
  query: string,
): Promise<Start> {
  const worker = await startLocalWorker({ bundle, stateFolder, variables: BENCH_VARIABLES })
  try {
    const http = createHttpClient({ url: worker.url, timeoutMs: 120_000 })
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now()
      await work()
      return performance.now() - began
    }
    await http.get('/health')
    const ask = () => http.post('/augment_query', { project: PROJECT, collections: [COLLECTION], query })
    const cold = await timed(ask)
    const warm = await timed(ask)
    const bare: number[] = []
    for (let i = 0; i < BARE; i++) bare.push(await timed(() => http.get('/health')))
    return { version, cold_ms: cold, warm_ms: warm, bare_ms: median(bare) }
  } finally {
    await worker.stop()
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function formatted(items: number, starts: readonly Start[]): string {
  const lines = (['before', 'now'] as const).flatMap((version) => {
    const own = starts.filter((start) => start.version === version)
    if (own.length === 0) return []
    const of = (field: 'cold_ms' | 'warm_ms' | 'bare_ms') => own.map((start) => start[field])
    const range = `${Math.min(...of('cold_ms')).toFixed(0)} to ${Math.max(...of('cold_ms')).toFixed(0)}`
    return [
      `${version}: first augment_query ${median(of('cold_ms')).toFixed(0)} ms (${range}), second ${median(of('warm_ms')).toFixed(0)} ms, ` +
        `bare ${median(of('bare_ms')).toFixed(1)} ms; ${own.length} starts\n`,
    ]
  })
  return `${items} items\n${lines.join('')}`
}

function whole(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${option} takes a whole number from 1, not ${text}`)
  return value
}
