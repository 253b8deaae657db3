/**
 * `npm run --prefix lab eval:abstention -- --data A --data B`: does the coordinator abstain when it has no answer?
 * Every query is sent to every set's corpus: its own (with relevant documents) and the others (without).
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type BeirSet, clean, readBeir, storeCorpus } from './beir.ts'
import { bootstrap95, expectedCalibrationError, type Judgements, mean } from './metrics.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:abstention -- --data <folder> --data <folder> [options]

Asks each BEIR set's queries of its own corpus and of the others, and prints, by threshold of the calibrated probability:
how often a foreign query would get any context (false injection), and which share of the relevant items that were
retrieved is kept; then the calibration error of the best result's probability.

Options
  --data FOLDER    a data set; at least two
  --queries N      only the first N queries of each set
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object
  --url URL        measure a running coordinator instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

const THRESHOLDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
/** Number of examined results, the same as in augmentation. */
const DEPTH = 10

interface Answer {
  /** Probability that any result answers the query. It is compared with the threshold. */
  readonly answerable: number
  /** Calibrated probabilities, best first. */
  readonly probabilities: number[]
  /** Relevance of the same results; always false for a foreign query. */
  readonly relevant: boolean[]
}

interface Rates {
  false_injection: number
  ci95: [number, number]
  /** Share of the retrieved relevant items, over all own queries, that is kept. */
  relevant_kept: number
  /** Share of the own queries that are answered. */
  own_answered: number
}

export interface AbstentionReport {
  datasets: string[]
  own_queries: number
  foreign_queries: number
  /** The coordinator's setting. */
  default_threshold: number
  at_default: Rates
  thresholds: Record<string, Rates>
  /** Calibration error of the best result of every query, own and foreign. */
  calibration_error: number
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string', multiple: true },
      queries: { type: 'string' },
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
    if ((values.data?.length ?? 0) < 2)
      throw new UsageError('name at least two data sets: --data <folder> --data <folder>')
    const most = values.queries === undefined ? Number.POSITIVE_INFINITY : Number(values.queries)
    if (!(most >= 1)) throw new UsageError(`--queries must be a number from 1, not "${values.queries}"`)
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const sets = await Promise.all((values.data ?? []).map(readBeir))
    const limited = sets.map((set) => ({ ...set, queries: set.queries.slice(0, most) }))
    const report = await withCoordinator({ url, key: values.key, variables: variablesOf(values.variable) }, (http) =>
      evaluate(http, limited),
    )
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:abstention --')
  }
}

async function evaluate(http: HttpClient, sets: readonly BeirSet[]): Promise<AbstentionReport> {
  const projects: string[] = []
  for (const set of sets) {
    const project = `eval-${randomUUID().slice(0, 8)}`
    await storeCorpus(http, project, set)
    projects.push(project)
  }
  const own: Answer[] = []
  const foreign: Answer[] = []
  const total = sets.reduce((sum, { queries }) => sum + queries.length, 0) * sets.length
  const progress = new Progress({ noun: 'queries', total })
  let done = 0
  for (const asked of sets) {
    for (const query of asked.queries) {
      for (const [at, corpus] of sets.entries()) {
        const judgements = corpus === asked ? query.judgements : new Map<string, number>()
        const answer = await ask(http, projects[at] ?? '', corpus.collection, clean(query.text), judgements)
        if (corpus === asked) own.push(answer)
        else foreign.push(answer)
        progress.update(++done, '')
      }
    }
  }
  progress.finish()
  const threshold = await defaultThreshold(http, projects[0] ?? '')
  const rates = (at: number) => ratesAt(at, own, foreign)
  const best = [...own, ...foreign].flatMap(({ probabilities: [probability], relevant: [relevant] }) =>
    probability === undefined ? [] : [{ probability, relevant: relevant === true }],
  )
  return {
    datasets: sets.map(({ name }) => name),
    own_queries: own.length,
    foreign_queries: foreign.length,
    default_threshold: threshold,
    at_default: rates(threshold),
    thresholds: Object.fromEntries(THRESHOLDS.map((at) => [String(at), rates(at)])),
    calibration_error: expectedCalibrationError(best),
  }
}

async function ask(
  http: HttpClient,
  project: string,
  collection: string,
  query: string,
  judgements: Judgements,
): Promise<Answer> {
  const { combined_results, answerable } = await http.post<{
    combined_results: { key: string; score: number }[]
    answerable: number
  }>('/hybrid_search', { project, query, collections: [collection], limit: DEPTH })
  return {
    answerable,
    probabilities: combined_results.map(({ score }) => score),
    relevant: combined_results.map(({ key }) => (judgements.get(key) ?? 0) > 0),
  }
}

async function defaultThreshold(http: HttpClient, project: string): Promise<number> {
  const answer = await http.post<{ relevance_threshold: number }>('/augment_query', { project, query: 'threshold' })
  return answer.relevance_threshold
}

function ratesAt(threshold: number, own: readonly Answer[], foreign: readonly Answer[]): Rates {
  const injected = foreign.map(({ answerable }) => (answerable >= threshold ? 1 : 0))
  const answered = own.filter(({ answerable }) => answerable >= threshold)
  const relevantIn = (answers: readonly Answer[]) =>
    answers.reduce((sum, { relevant }) => sum + relevant.filter(Boolean).length, 0)
  return {
    false_injection: mean(injected),
    ci95: bootstrap95(injected),
    relevant_kept: relevantIn(answered) / Math.max(1, relevantIn(own)),
    own_answered: answered.length / Math.max(1, own.length),
  }
}

function format(report: AbstentionReport): string {
  const row = (name: string, { false_injection, ci95, relevant_kept, own_answered }: Rates) => {
    const interval = `[${ci95.map((value) => (100 * value).toFixed(1)).join(', ')}]`
    return `  ${name.padEnd(16)}${`${(100 * false_injection).toFixed(1)} %`.padStart(9)} ${interval.padEnd(14)}${`${(100 * relevant_kept).toFixed(1)} %`.padStart(9)}${`${(100 * own_answered).toFixed(1)} %`.padStart(14)}`
  }
  return [
    `${report.datasets.join(', ')}: ${report.own_queries} own, ${report.foreign_queries} foreign queries`,
    '  threshold       false injection        relevant kept  own answered',
    ...Object.entries(report.thresholds).map(([threshold, rates]) => row(threshold, rates)),
    row(`default ${report.default_threshold}`, report.at_default),
    `  calibration error of the best result: ${report.calibration_error.toFixed(4)}`,
    '',
  ].join('\n')
}
