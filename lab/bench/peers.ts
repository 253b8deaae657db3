/**
 * `npm run --prefix lab bench:peers`: compares the coordinator's search with other engines on the same documents and
 * queries, for speed and quality.
 * @module
 */

import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type BeirSet, clean, readBeir } from '../eval/beir.ts'
import { bootstrap95, mean, ndcg } from '../eval/metrics.ts'
import { coordinator, DEPTH, memoryServer, miniSearch, orama, type PeerEngine } from './peer-engines.ts'
import { packageTexts, questions } from './texts.ts'

const HELP = `Usage: npm run --prefix lab bench:peers -- [options]

Stores the same documents in the coordinator, MiniSearch, Orama and MCP's reference memory server, asks all of them the same
queries in turn, and prints milliseconds a query and nDCG@10. Without a data set the documents are pieces of the installed
packages, each query is some words of one of them, and finding that one is what counts.

Options
  --data FOLDER    a data set in BEIR layout
  --items N        without one: documents, default 5000
  --queries N      maximum number of queries, default 200
  --json           print one object
  -h, --help       print this
`

const ENGINES = [coordinator, miniSearch, orama, memoryServer]

interface PeerFigures {
  readonly name: string
  readonly reached: string
  readonly seconds_to_store: number
  readonly p50_ms: number
  readonly p95_ms: number
  /** Median time divided by the coordinator's. */
  readonly time_over_coordinator: number
  readonly 'ndcg@10': number
  /** Difference from the coordinator on the same queries, with a paired 95 % bootstrap interval. */
  readonly difference: { readonly 'ndcg@10': number; readonly ci95: readonly [low: number, high: number] }
}

export interface PeersReport {
  readonly dataset: string
  readonly documents: number
  readonly queries: number
  readonly engines: readonly PeerFigures[]
}

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      items: { type: 'string', default: '5000' },
      queries: { type: 'string', default: '200' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const [items, most] = [Number(values.items), Number(values.queries)]
    if (![items, most].every((value) => Number.isInteger(value) && value > 0)) {
      throw new UsageError('--items and --queries take whole numbers from 1')
    }
    const set = values.data === undefined ? await packageSet(items, most) : await readBeir(values.data)
    const report = await comparePeers({ ...set, queries: set.queries.slice(0, most) })
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:peers --')
  }
}

/** Parts of source files as documents, and for each query the document that its words come from. */
async function packageSet(count: number, most: number): Promise<BeirSet> {
  const items = await packageTexts(count)
  const step = Math.max(1, Math.floor(items.length / most))
  const chosen = items.filter((_, i) => i % step === 0)
  return {
    name: 'pieces of installed packages',
    collection: 'best-practices',
    documents: items.map(({ key, fields }) => ({ _id: key, title: fields.file_path, text: fields.code_snippet })),
    queries: chosen.map((item, i) => ({
      id: String(i),
      text: questions([item], 1)[0] ?? '',
      judgements: new Map([[item.key, 1]]),
    })),
  }
}

interface Seen {
  readonly engine: PeerEngine
  readonly stored: number
  readonly milliseconds: number[]
  readonly quality: number[]
}

/** Sends the same queries to every engine, alternately. */
export async function comparePeers(set: BeirSet): Promise<PeersReport> {
  const seen: Seen[] = []
  try {
    for (const make of ENGINES) {
      const started = performance.now()
      const engine = await make(set)
      seen.push({ engine, stored: (performance.now() - started) / 1000, milliseconds: [], quality: [] })
    }
    const progress = new Progress({ noun: 'queries', total: set.queries.length })
    // One-time work at an engine's first query is not part of the cost of a query.
    for (const { engine } of seen) await engine.search('warm up')
    for (const [i, { text, judgements }] of set.queries.entries()) {
      for (const { engine, milliseconds, quality } of seen) {
        const started = performance.now()
        const ranked = await engine.search(clean(text))
        milliseconds.push(performance.now() - started)
        quality.push(ndcg(ranked, judgements, DEPTH))
      }
      progress.update(i + 1, '')
    }
    progress.finish()
  } finally {
    for (const { engine } of seen) await engine.close()
  }
  return { dataset: set.name, documents: set.documents.length, queries: set.queries.length, engines: figures(seen) }
}

function figures(seen: readonly Seen[]): PeerFigures[] {
  const own = seen[0]
  return seen.map(({ engine, stored, milliseconds, quality }) => {
    const paired = quality.map((value, i) => value - (own?.quality[i] ?? 0))
    return {
      name: engine.name,
      reached: engine.reached,
      seconds_to_store: stored,
      p50_ms: quantile(milliseconds, 0.5),
      p95_ms: quantile(milliseconds, 0.95),
      time_over_coordinator: quantile(milliseconds, 0.5) / quantile(own?.milliseconds ?? [], 0.5),
      'ndcg@10': mean(quality),
      difference: { 'ndcg@10': mean(paired), ci95: bootstrap95(paired) },
    }
  })
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

function format({ dataset, documents, queries, engines }: PeersReport): string {
  return [
    `${dataset}: ${documents} documents, ${queries} queries`,
    `  ${'engine'.padEnd(36)}${'reached'.padEnd(16)}${'p50 ms'.padStart(9)}${'p95 ms'.padStart(9)}${'ratio'.padStart(8)}${'nDCG@10'.padStart(9)}  less the coordinator's`,
    ...engines.map((engine) => {
      const { difference } = engine
      const times = [engine.p50_ms, engine.p95_ms].map((value) => value.toFixed(2).padStart(9)).join('')
      const apart = `${difference['ndcg@10'].toFixed(3)} [${difference.ci95.map((value) => value.toFixed(3)).join(', ')}]`
      return `  ${engine.name.padEnd(36)}${engine.reached.padEnd(16)}${times}${engine.time_over_coordinator.toFixed(2).padStart(8)}${engine['ndcg@10'].toFixed(3).padStart(9)}  ${apart}`
    }),
    '',
  ].join('\n')
}
