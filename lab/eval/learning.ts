/**
 * `npm run --prefix lab eval:learning -- --data <BEIR folder>`: measures whether outcomes improve search for unseen
 * questions.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { itemId } from '../../src/ids.ts'
import { type BeirSet, clean, readBeir, storeCorpus } from './beir.ts'
import {
  checkpoints,
  HOSTILE_EVERY,
  makeCallers,
  outcomeOf,
  shuffled,
  splitQueries,
  streamSize,
} from './learning-stream.ts'
import { bootstrap95, mean, ndcg } from './metrics.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:learning -- --data <folder> [options]

Stores a BEIR data set (corpus.jsonl, queries.jsonl, qrels/test.tsv) in two projects of a fresh local coordinator. In one, half
of the queries are asked through augment_query, tracked, and given outcomes: success when something relevant was shown, failure
otherwise, 20 % of them wrong at random; 10 % of the callers always say the opposite of what they mean. Every caller has its own
key. The other half of the queries is never asked; on it both projects are compared.

Options
  --data FOLDER    the data set
  --outcomes N     outcomes to report, 2000 when left out
  --feedback WHICH what a caller names as the base of an answer: used, the items it took it from (a fifth of the successes, and
                   every dishonest one, names a shown item at random); shown, all that it was shown. used when left out
  --seed N         of the split and the draws, 1 when left out
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object
  -h, --help       print this
`

/** Number of callers, each with its own key. Every tenth is hostile. */
/** Share of honest success reports that name a different item than the one that helped. */
const MISNAMED = 0.2
/** Number of jobs that one request to process the queue runs. */
const JOBS = 60
/** Time after which every search uses the latest model, in milliseconds: cached weights may be five seconds old. */
const SETTLED_MS = 6_000

/** The items that callers name: those that the answer is based on, or all that were shown. */
type Feedback = 'used' | 'shown'
type Interval = [low: number, high: number]

export interface LearningReport {
  dataset: string
  feedback: Feedback
  documents: number
  training_queries: number
  unseen_queries: number
  outcomes: number
  successes: number
  off: { 'ndcg@10': number }
  on: { 'ndcg@10': number }
  /** With learning on, after each number of outcomes; `difference` to off on the same queries. */
  curve: { outcomes: number; 'ndcg@10': number; ci95: Interval; difference: { 'ndcg@10': number; ci95: Interval } }[]
  /** On minus off after the last outcome. */
  difference: { 'ndcg@10': number; ci95: Interval; relative: number }
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      outcomes: { type: 'string', default: '2000' },
      feedback: { type: 'string', default: 'used' },
      seed: { type: 'string', default: '1' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data) throw new UsageError('name a data set: --data <folder>')
    const [outcomes, seed] = streamSize(values)
    const { feedback } = values
    if (feedback !== 'used' && feedback !== 'shown') throw new UsageError('--feedback must be used or shown')
    const set = await readBeir(values.data)
    const key = randomUUID()
    await withCoordinator({ variables: { ...variablesOf(values.variable), HYBRID_API_KEY: key } }, async (_, url) => {
      const report = await evaluate(url, key, set, outcomes, seed, feedback)
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    })
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:learning --')
  }
}

/** Trains one of two projects and compares them after every part of the stream. */
async function evaluate(
  url: string,
  key: string,
  set: BeirSet,
  outcomes: number,
  seed: number,
  feedback: Feedback,
): Promise<LearningReport> {
  const admin = createHttpClient({ url, key })
  const callers = await makeCallers(url, admin)
  const documents = await storeCorpus(admin, 'off', set)
  await storeCorpus(admin, 'on', set)
  const random = seeded(seed)
  const { training, unseen } = splitQueries(set.queries, random)
  const off = await measureUnseen(callers, 'off', set, unseen)
  const curve: LearningReport['curve'] = []
  let [done, successes] = [0, 0]
  let waiting: typeof training = []
  const progress = new Progress({ noun: `outcomes on ${set.name}`, total: outcomes })
  const note = async () => {
    const on = done === 0 ? await measureUnseen(callers, 'on', set, unseen) : await drained(callers, set, unseen)
    const difference = on.map((value, i) => value - (off[i] ?? 0))
    curve.push({
      outcomes: done,
      'ndcg@10': mean(on),
      ci95: bootstrap95(on),
      difference: { 'ndcg@10': mean(difference), ci95: bootstrap95(difference) },
    })
  }
  await note()
  for (const checkpoint of checkpoints(outcomes)) {
    for (; done < checkpoint; done++) {
      if (waiting.length === 0) waiting = shuffled(training, random)
      const query = waiting.pop()
      const at = Math.floor(random() * callers.length)
      const caller = callers[at]
      if (!query || !caller) throw new UsageError('the data set has no queries to learn from')
      if (await report(caller, set, query, at % HOSTILE_EVERY === 0, random, feedback)) successes++
      progress.update(done + 1, '')
    }
    await note()
  }
  progress.finish()
  const last = curve.at(-1)
  const gain = last?.difference ?? { 'ndcg@10': 0, ci95: [0, 0] as Interval }
  return {
    dataset: set.name,
    feedback,
    documents,
    training_queries: training.length,
    unseen_queries: unseen.length,
    outcomes: done,
    successes,
    off: { 'ndcg@10': mean(off) },
    on: { 'ndcg@10': last?.['ndcg@10'] ?? 0 },
    curve,
    difference: { ...gain, relative: gain['ndcg@10'] / Math.max(mean(off), Number.EPSILON) },
  }
}

/** Asks one query, tracks an answer with the shown items, and reports the outcome. Returns whether it was a success. */
async function report(
  caller: HttpClient,
  set: BeirSet,
  query: BeirSet['queries'][number],
  hostile: boolean,
  random: () => number,
  feedback: Feedback,
): Promise<boolean> {
  const text = clean(query.text)
  const asked = await caller.post<{ context_ids: string[]; retrieval_id: string }>('/augment_query', {
    project: 'on',
    query: text,
    collections: [set.collection],
    score_threshold: 0,
  })
  const relevant = new Set<string>()
  for (const [document, grade] of query.judgements) {
    if (grade > 0) relevant.add(`${set.collection}/${itemId('on', set.collection, document)}`)
  }
  const helped = asked.context_ids.some((id) => relevant.has(id))
  const outcome = outcomeOf(helped, hostile, random())
  const used = asked.context_ids.filter((id) => relevant.has(id))
  const honest = helped && !hostile && random() >= MISNAMED
  const guess = asked.context_ids.slice(Math.floor(random() * asked.context_ids.length)).slice(0, 1)
  const named = feedback === 'shown' || outcome === 'failure' ? asked.context_ids : honest ? used : guess
  const { interaction_id } = await caller.post<{ interaction_id: string }>('/track_interaction', {
    project: 'on',
    query: text,
    response: `Answered from ${asked.context_ids.length} items.`,
    agent_type: 'remote',
    model_used: 'simulated',
    context_ids: named,
    retrieval_id: asked.retrieval_id,
  })
  await caller.post('/update_outcome', { interaction_id, outcome })
  return outcome === 'success'
}

/** Runs the jobs caused by the outcomes, then measures. */
async function drained(callers: readonly HttpClient[], set: BeirSet, unseen: BeirSet['queries']): Promise<number[]> {
  for (let i = 0; ; i++) {
    const caller = callers[i % callers.length]
    const answer = await caller?.post<{ ran: number; kinds: { left: number }[] }>('/learning/process', {
      project: 'on',
      limit: JOBS,
    })
    if (!answer || answer.kinds.every(({ left }) => left === 0)) break
    if (answer.ran === 0) await sleep(500)
  }
  await sleep(SETTLED_MS)
  return measureUnseen(callers, 'on', set, unseen)
}

/** nDCG@10 of each query. */
async function measureUnseen(
  callers: readonly HttpClient[],
  project: string,
  set: BeirSet,
  queries: BeirSet['queries'],
): Promise<number[]> {
  const values: number[] = []
  for (const [i, query] of queries.entries()) {
    const answer = await callers[i % callers.length]?.post<{ combined_results: { key: string }[] }>('/hybrid_search', {
      project,
      query: clean(query.text),
      collections: [set.collection],
      limit: 10,
    })
    values.push(ndcg(answer?.combined_results.map(({ key }) => key) ?? [], query.judgements, 10))
  }
  return values
}

function format(report: LearningReport): string {
  const span = ([low, high]: Interval) => `[${low.toFixed(4)}, ${high.toFixed(4)}]`
  const rows = report.curve.map(
    (at) =>
      `  ${String(at.outcomes).padStart(8)}  ${at['ndcg@10'].toFixed(4)} ${span(at.ci95)}  ` +
      `${at.difference['ndcg@10'].toFixed(4).padStart(7)} ${span(at.difference.ci95)}`,
  )
  return [
    `${report.dataset}: ${report.documents} documents, ${report.training_queries} queries asked, ${report.unseen_queries} unseen`,
    `  ${report.successes} of ${report.outcomes} outcomes were reported as successes; callers name what they ${report.feedback === 'used' ? 'used' : 'were shown'}`,
    '  outcomes  nDCG@10 on unseen, 95 %    difference to off, paired, 95 %',
    ...rows,
    `  off ${report.off['ndcg@10'].toFixed(4)}, on ${report.on['ndcg@10'].toFixed(4)} (${(100 * report.difference.relative).toFixed(1)} %)`,
    '',
    '',
  ].join('\n')
}
