/**
 * `npm run --prefix lab eval:modes -- --data <BEIR folder>`: compares the coordinator's choice of search with always
 * using the same one.
 * @module
 */
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { readBeir } from './beir.ts'
import { type Difference, evaluate, type RetrievalReport } from './retrieval.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:modes -- --data <folder> [options]

Asks every query of a BEIR data set in mode auto and in each fixed mode, and prints by how much auto is better (nDCG@10,
paired, 95 % bootstrap interval).

Options
  --data FOLDER    the data set; may be repeated
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object (one a line for several sets)
  --url URL        measure a running coordinator (a project of its own is used) instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

export interface ModesReport {
  dataset: string
  queries: number
  'ndcg@10': Record<keyof RetrievalReport['arms'], number>
  auto_minus: { hybrid: Difference; keyword: Difference; semantic: Difference }
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string', multiple: true },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data?.length) throw new UsageError('name a data set: --data <folder>')
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const sets = await Promise.all(values.data.map(readBeir))
    await withCoordinator({ url, key: values.key, variables: variablesOf(values.variable) }, async (http) => {
      for (const set of sets) {
        const report = modesOf(await evaluate(http, set))
        process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
      }
    })
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:modes --')
  }
}

function modesOf({ dataset, queries, arms, ...differences }: RetrievalReport): ModesReport {
  return {
    dataset,
    queries,
    'ndcg@10': {
      auto: arms.auto['ndcg@10'],
      hybrid: arms.hybrid['ndcg@10'],
      keyword: arms.keyword['ndcg@10'],
      semantic: arms.semantic['ndcg@10'],
    },
    auto_minus: {
      hybrid: differences.auto_minus_hybrid,
      keyword: differences.auto_minus_keyword,
      semantic: differences.auto_minus_semantic,
    },
  }
}

function format(report: ModesReport): string {
  const lines = Object.entries(report.auto_minus).map(([mode, { 'ndcg@10': by, ci95 }]) => {
    const alone = report['ndcg@10'][mode as keyof ModesReport['ndcg@10']]
    return `  always ${mode.padEnd(9)} ${alone.toFixed(4)}   auto − ${mode}: ${by.toFixed(4)} [${ci95.map((end) => end.toFixed(4)).join(', ')}]`
  })
  return `${report.dataset}: ${report.queries} queries, auto ${report['ndcg@10'].auto.toFixed(4)} nDCG@10\n${lines.join('\n')}\n\n`
}
