/**
 * `npm run --prefix lab engines:latency`: measures searches with a Qdrant server, compared with the embedded store, and
 * the cost of each call.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWorker, createHttpClient, type HttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type BenchItem, packageTexts, questions } from '../bench/texts.ts'
import { BENCH_VARIABLES } from '../bench/variables.ts'
import { type QdrantProxy, startQdrantProxy } from './qdrant-proxy.ts'
import { deleteCollections, skippedWithout } from './qdrant-server.ts'

const HELP = `Usage: npm run --prefix lab engines:latency -- [options]

Stores the same items in two fresh coordinators, one with the embedded store and one on a Qdrant server; asks both the same questions, in
turn; prints the times of POST /hybrid_search and their ratio. Then what one search asks of Qdrant: the calls, and each query of the batch
sent alone. Deletes the collections that it has made.

Options
  --qdrant URL     the server (default: QDRANT_URL; without one the command says "skipped")
  --items LIST     sizes, ascending (default: 5000,20000)
  --questions N    default 145
  -h, --help       print this

Environment
  QDRANT_API_KEY   key of the server
`

const PROJECT = 'latency'
const COLLECTION = 'codebase-context'
const BATCH = 100
const WARM_UP = 15
/** Number of times that each query of the batch is sent separately. */
const ALONE = 20

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      qdrant: { type: 'string' },
      items: { type: 'string', default: '5000,20000' },
      questions: { type: 'string', default: '145' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const url = values.qdrant ?? process.env.QDRANT_URL
    if (!url) return skippedWithout('QDRANT_URL')
    const sizes = values.items.split(',').map(Number)
    if (sizes.some((size, i) => !Number.isInteger(size) || size <= (sizes[i - 1] ?? 0)))
      throw new UsageError('--items must be whole numbers, ascending, such as 5000,20000')
    return await measure(parseUrl(url, '--qdrant'), sizes, Number(values.questions))
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:latency --')
  }
}

async function measure(qdrant: string, sizes: readonly number[], count: number): Promise<number> {
  const key = process.env.QDRANT_API_KEY
  const prefix = `latency-${crypto.randomUUID().slice(0, 8)}-`
  const scratch = await mkdtemp(join(tmpdir(), 'hybrid-latency-'))
  const proxy = await startQdrantProxy(qdrant)
  try {
    const bundle = await buildWorker(scratch)
    const settings = { ...BENCH_VARIABLES, QDRANT_PREFIX: prefix, ...(key && { QDRANT_API_KEY: key }) }
    const workers = [
      await startLocalWorker({ bundle, variables: BENCH_VARIABLES }),
      await startLocalWorker({ bundle, variables: { ...settings, QDRANT_URL: qdrant } }),
      await startLocalWorker({ bundle, variables: { ...settings, QDRANT_URL: proxy.url } }),
    ] as const
    try {
      const [embedded, direct, watched] = workers.map(({ url }) => createHttpClient({ url, timeoutMs: 120_000 })) as [
        HttpClient,
        HttpClient,
        HttpClient,
      ]
      const texts = await packageTexts(sizes.at(-1) ?? 0)
      let stored = 0
      for (const size of sizes) {
        await store([embedded, direct], texts.slice(stored, size))
        stored = size
        const asked = questions(texts.slice(0, size), count + WARM_UP)
        process.stdout.write(timesOf(size, await askBoth(embedded, direct, asked)))
        process.stdout.write(await partsOf({ http: watched, proxy, qdrant, key }, asked.slice(0, WARM_UP)))
      }
    } finally {
      for (const worker of workers) await worker.stop()
    }
    return 0
  } finally {
    await deleteCollections(qdrant, prefix, key)
    proxy.stop()
    await rm(scratch, { recursive: true, force: true })
  }
}

async function store(clients: readonly HttpClient[], items: readonly BenchItem[]): Promise<void> {
  const progress = new Progress({ noun: 'items', total: items.length })
  for (let start = 0; start < items.length; start += BATCH) {
    const body = { project: PROJECT, collection: COLLECTION, items: items.slice(start, start + BATCH) }
    for (const http of clients) {
      const { totals } = await http.post<{ totals: { rejected: number } }>('/knowledge/items', body)
      if (totals.rejected > 0) throw new Error(`${totals.rejected} items were rejected.`)
    }
    progress.update(start + BATCH, '')
  }
  progress.finish()
}

interface Asked {
  readonly embedded: number
  readonly qdrant: number
  /** Share of the embedded store's first ten results that are also in Qdrant's. */
  readonly overlap: number
}

async function askBoth(embedded: HttpClient, qdrant: HttpClient, asked: readonly string[]): Promise<Asked[]> {
  const ask = async (http: HttpClient, query: string) => {
    const started = performance.now()
    const body = { project: PROJECT, query, collections: [COLLECTION], limit: 10 }
    const { combined_results: found } = await http.post<{ combined_results: { context_id: string }[] }>(
      '/hybrid_search',
      body,
    )
    return { ms: performance.now() - started, ids: found.map(({ context_id: id }) => id) }
  }
  const all: Asked[] = []
  for (const [i, query] of asked.entries()) {
    const order = i % 2 === 0 ? [embedded, qdrant] : [qdrant, embedded]
    const answers = new Map<HttpClient, Awaited<ReturnType<typeof ask>>>()
    for (const http of order) answers.set(http, await ask(http, query))
    const [a, b] = [answers.get(embedded), answers.get(qdrant)]
    if (i < WARM_UP || !a || !b) continue
    const overlap = a.ids.length === 0 ? 1 : a.ids.filter((id) => b.ids.includes(id)).length / a.ids.length
    all.push({ embedded: a.ms, qdrant: b.ms, overlap })
  }
  return all
}

const at = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0
const ms = (value: number) => value.toFixed(1)

function timesOf(size: number, asked: readonly Asked[]): string {
  const [own, other] = [asked.map(({ embedded }) => embedded), asked.map(({ qdrant }) => qdrant)]
  const overlap = asked.reduce((sum, one) => sum + one.overlap, 0) / asked.length
  return [
    `${size} items, ${asked.length} questions, in turn: embedded p50 ${ms(at(own, 0.5))}, p95 ${ms(at(own, 0.95))} ms; ` +
      `Qdrant p50 ${ms(at(other, 0.5))}, p95 ${ms(at(other, 0.95))} ms; ratio of the medians ${(at(other, 0.5) / at(own, 0.5)).toFixed(2)}; ` +
      `same results among the first ten ${overlap.toFixed(3)}`,
    '',
  ].join('\n')
}

/** The calls of a search, and each query of its batch sent separately, in milliseconds. */
async function partsOf(
  { http, proxy, qdrant, key }: { http: HttpClient; proxy: QdrantProxy; qdrant: string; key: string | undefined },
  asked: readonly string[],
): Promise<string> {
  const search = (query: string) =>
    http.post('/hybrid_search', { project: PROJECT, query, collections: [COLLECTION], limit: 10 })
  // Fills the short-lived caches.
  await search(asked[0] ?? '')
  proxy.costs.clear()
  for (const query of asked) await search(query)
  const lines = [...proxy.costs].map(
    ([kind, { calls, totalMs }]) =>
      `    ${kind.padEnd(48)} ${(calls / asked.length).toFixed(2)} calls a search, ${ms(totalMs / calls)} ms each`,
  )
  const batch = proxy.lastBatch()
  const groups = new Map<string, unknown[]>()
  for (const query of batch?.searches ?? []) {
    const kind = kindOf(query)
    groups.set(kind, [...(groups.get(kind) ?? []), query])
  }
  for (const [kind, searches] of groups) {
    const times: number[] = []
    for (let i = 0; i < ALONE; i++) {
      const started = performance.now()
      const response = await fetch(new URL(batch?.path ?? '/', qdrant), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key && { 'api-key': key }) },
        body: JSON.stringify({ searches }),
      })
      await response.arrayBuffer()
      times.push(performance.now() - started)
    }
    lines.push(`    of the batch alone: ${`${kind} (${searches.length})`.padEnd(28)} ${ms(at(times, 0.5))} ms`)
  }
  return `${lines.join('\n')}\n`
}

function kindOf(query: Record<string, unknown>): string {
  if (query.query === undefined) return 'sample of the collection'
  if (query.prefetch) return 'cosines'
  if (query.using !== 'terms') return 'nearest vectors'
  return query.limit === 1 ? 'rarity of terms' : 'keywords'
}
