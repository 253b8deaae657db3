/**
 * `npm run --prefix lab eval:retrieval -- --data <BEIR folder>`: search quality, measured through the Worker's public operations.
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type BeirSet, clean, readBeir, storeCorpus } from './beir.ts'
import { bootstrap95, mean, measure, type RetrievalMetrics } from './metrics.ts'
import { wholeAnswer } from './whole-answer.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:retrieval -- --data <folder> [options]

Stores a BEIR data set (corpus.jsonl, queries.jsonl, qrels/test.tsv) in a fresh local coordinator, asks every query in
each arm through the public API, and prints quality beside the keyword baseline. Waits until every document has its vector, and stops
when an answer leaves something out: it would measure another search than its name says. Where every document's id has the form
conversation:turn, documents are stored as turns of conversations.

Options
  --data FOLDER    the data set; may be repeated
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated. A real embedder is measured with
                   LLAMA_CPP_EMBEDDINGS_URL=… and EMBEDDING_MODEL=…; .dev.vars is not read
  --json           print one object (one a line for several sets)
  --queries N      only the first N queries
  --url URL        measure a running coordinator (a project of its own is used) instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

/** The compared arms: three ways to search, and the coordinator's own choice among them. */
const ARMS = ['keyword', 'semantic', 'hybrid', 'auto'] as const
type Arm = (typeof ARMS)[number]
/** Number of requested results, enough for recall@100. */
const DEPTH = 100

/** The result list for each arm: only BM25, only cosine, and both fused. */
const LISTS = { keyword: 'keyword_results', semantic: 'semantic_results', hybrid: 'combined_results' } as const

type ArmResult = RetrievalMetrics & { ms_per_query: number }

/** Mean of paired differences, with its interval. */
export interface Difference {
  'ndcg@10': number
  ci95: [number, number]
}

export interface RetrievalReport {
  dataset: string
  documents: number
  queries: number
  arms: Record<Arm, ArmResult>
  hybrid_minus_keyword: Difference
  auto_minus_hybrid: Difference
  auto_minus_keyword: Difference
  auto_minus_semantic: Difference
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string', multiple: true },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      queries: { type: 'string' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data?.length) throw new UsageError('name a data set: --data <folder>')
    const most = values.queries === undefined ? Number.POSITIVE_INFINITY : Number(values.queries)
    if (!(most >= 1)) throw new UsageError(`--queries must be a number from 1, not "${values.queries}"`)
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const sets = await Promise.all(values.data.map(readBeir))
    await withCoordinator({ url, key: values.key, variables: variablesOf(values.variable) }, async (http) => {
      for (const set of sets) {
        const report = await evaluate(http, { ...set, queries: set.queries.slice(0, most) })
        process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
      }
    })
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:retrieval --')
  }
}

/** Stores the set in its own project and runs every query in every arm. */
export async function evaluate(http: HttpClient, set: BeirSet): Promise<RetrievalReport> {
  const project = `eval-${randomUUID().slice(0, 8)}`
  const documents = await storeCorpus(http, project, set)
  const measured = Object.fromEntries(ARMS.map((arm) => [arm, [] as RetrievalMetrics[]])) as Record<
    Arm,
    RetrievalMetrics[]
  >
  const milliseconds = Object.fromEntries(ARMS.map((arm) => [arm, 0])) as Record<Arm, number>
  const progress = new Progress({ noun: `queries of ${set.name}`, total: set.queries.length })
  for (const [at, query] of set.queries.entries()) {
    for (const arm of ARMS) {
      const started = performance.now()
      const ranked = await search(http, project, set.collection, clean(query.text), arm)
      milliseconds[arm] += performance.now() - started
      measured[arm].push(measure(ranked, query.judgements))
    }
    progress.update(at + 1, '')
  }
  progress.finish()
  const difference = (a: Arm, b: Arm): Difference => {
    const paired = measured[a].map((metrics, i) => metrics['ndcg@10'] - (measured[b][i]?.['ndcg@10'] ?? 0))
    return { 'ndcg@10': mean(paired), ci95: bootstrap95(paired) }
  }
  const arms = Object.fromEntries(
    ARMS.map((arm) => [arm, { ...average(measured[arm]), ms_per_query: milliseconds[arm] / set.queries.length }]),
  ) as Record<Arm, ArmResult>
  return {
    dataset: set.name,
    documents,
    queries: set.queries.length,
    arms,
    hybrid_minus_keyword: difference('hybrid', 'keyword'),
    auto_minus_hybrid: difference('auto', 'hybrid'),
    auto_minus_keyword: difference('auto', 'keyword'),
    auto_minus_semantic: difference('auto', 'semantic'),
  }
}

interface Hit {
  key: string
  context_id: string
}

/** Document ids in the order of one arm. */
async function search(
  http: HttpClient,
  project: string,
  collection: string,
  query: string,
  arm: Arm,
): Promise<string[]> {
  const common = { project, query, limit: DEPTH, keyword_limit: DEPTH }
  if (arm === 'auto') {
    const { results } = await wholeAnswer<{ results: Hit[] }>(http, '/query', {
      ...common,
      mode: 'auto',
      collections: [collection],
    })
    return results.map(({ key }) => key)
  }
  const answer = await wholeAnswer<Record<`${string}_results`, Hit[]>>(http, '/hybrid_search', {
    ...common,
    mode: arm,
    collections: [collection],
  })
  const keys = new Map(answer.combined_results?.map(({ context_id, key }) => [context_id, key]))
  return (answer[LISTS[arm]] ?? []).flatMap(({ context_id }) => keys.get(context_id) ?? [])
}

function average(all: readonly RetrievalMetrics[]): RetrievalMetrics {
  const of = (name: keyof RetrievalMetrics) => mean(all.map((metrics) => metrics[name]))
  return {
    'ndcg@10': of('ndcg@10'),
    'recall@10': of('recall@10'),
    'recall@100': of('recall@100'),
    'mrr@10': of('mrr@10'),
  }
}

function format(report: RetrievalReport): string {
  const figure = (value: number) => value.toFixed(4).padStart(10)
  const rows = ARMS.map((arm) => {
    const { ms_per_query, ...metrics } = report.arms[arm]
    return `  ${arm.padEnd(9)}${Object.values(metrics).map(figure).join('')}${ms_per_query.toFixed(1).padStart(10)}`
  })
  const gain = report.hybrid_minus_keyword
  const relative = (100 * gain['ndcg@10']) / report.arms.keyword['ndcg@10']
  return [
    `${report.dataset}: ${report.documents} documents, ${report.queries} queries`,
    `  arm         nDCG@10 recall@10 recall@100    mrr@10  ms/query`,
    ...rows,
    `  hybrid − keyword: ${gain['ndcg@10'].toFixed(4)} [${gain.ci95.map((value) => value.toFixed(4)).join(', ')}] (${relative.toFixed(1)} %)`,
    '',
    '',
  ].join('\n')
}
