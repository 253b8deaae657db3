/**
 * `npm run --prefix lab eval:learning-code -- --data <set> --sources <folder>`: measures whether outcomes of earlier
 * changes to a code base improve search for questions about later ones.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { pathGiven } from '../paths.ts'
import { clean } from './beir.ts'
import { ingestFolder } from './code.ts'
import { type CodeQuestion, readCodeSet } from './code-data.ts'
import { answers, measureCode, type Piece } from './code-measures.ts'
import { historyOf } from './history.ts'
import { HOSTILE_EVERY, makeCallers, outcomeOf, shuffled, streamSize } from './learning-stream.ts'
import { bootstrap95, mean } from './metrics.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:learning-code -- --data <set> --sources <folder> [options]

Ingests each repository of a set into two projects of a fresh local coordinator. The questions of its history (commits and issues, in
time order) are split at the middle: in one project the earlier half is asked through augment_query, tracked with what was used, and
given outcomes, 20 % of them wrong at random; 10 % of the callers always say the opposite of what they saw. The later half is never
asked; on it nDCG@10 by file is compared between both projects.

Options
  --data SET        folder of the set, as for eval:code
  --sources FOLDER  the sources, one folder a repository under the same name
  --mirrors FOLDER  bare git directories <owner>+<name>, which tell the order of commits and issues; not needed for commits alone
  --only NAME       only this repository; may be repeated
  --outcomes N      outcomes to report for each repository, 2000 when left out
  --seed N          of the draws, 1 when left out
  --variable NAME=VALUE setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json            print one object a repository
  -h, --help        print this
`

/** Share of honest success reports that name a different piece than the one that helped. */
const MISNAMED = 0.2
const JOBS = 60
/** Time after which every search uses the latest model, in milliseconds: cached weights may be five seconds old. */
const SETTLED_MS = 6_000
/** Measured pieces of a ranking, from which files are counted. */
const DEPTH = 50

interface LearningCodeReport {
  repository: string
  asked: number
  unseen: number
  outcomes: number
  successes: number
  off: number
  on: number
  difference: { ndcg: number; ci95: [number, number]; relative: number }
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      sources: { type: 'string' },
      mirrors: { type: 'string' },
      only: { type: 'string', multiple: true },
      outcomes: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data || !values.sources)
      throw new UsageError('name a set and its sources: --data <set> --sources <folder>')
    const [outcomes, seed] = streamSize(values)
    const set = await readCodeSet(pathGiven(values.data))
    const sources = pathGiven(values.sources)
    const { only } = values
    for (const repository of set.repositories.filter(({ name }) => !only || only.includes(name))) {
      const history = historyOf(repository, values.mirrors && pathGiven(values.mirrors))
      const key = randomUUID()
      await withCoordinator({ variables: { ...variablesOf(values.variable), HYBRID_API_KEY: key } }, async (_, url) => {
        const report = await evaluate(
          url,
          key,
          repository.name,
          history,
          join(sources, repository.name),
          outcomes,
          seed,
        )
        process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
      })
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:learning-code --')
  }
}

async function evaluate(
  url: string,
  key: string,
  repository: string,
  history: readonly CodeQuestion[],
  folder: string,
  outcomes: number,
  seed: number,
): Promise<LearningCodeReport> {
  const admin = createHttpClient({ url, key })
  const callers = await makeCallers(url, admin)
  for (const project of ['off', 'on']) await ingestFolder(url, key, project, folder)
  const asked = history.slice(0, Math.floor(history.length / 2))
  const unseen = history.slice(asked.length)
  if (asked.length === 0) throw new UsageError(`${repository} has no questions of its history`)
  const random = seeded(seed)
  const progress = new Progress({ noun: `outcomes on ${repository}`, total: outcomes })
  let waiting: CodeQuestion[] = []
  let successes = 0
  for (let done = 0; done < outcomes; done++) {
    if (waiting.length === 0) waiting = shuffled(asked, random)
    const question = waiting.pop()
    const at = Math.floor(random() * callers.length)
    const caller = callers[at]
    if (question && caller && (await report(caller, question, at % HOSTILE_EVERY === 0, random))) successes++
    progress.update(done + 1, '')
  }
  progress.finish()
  await drain(admin)
  const off = await measure(admin, 'off', unseen)
  const on = await measure(admin, 'on', unseen)
  const difference = on.map((value, i) => value - (off[i] ?? 0))
  const gain = mean(difference)
  return {
    repository,
    asked: asked.length,
    unseen: unseen.length,
    outcomes,
    successes,
    off: mean(off),
    on: mean(on),
    difference: { ndcg: gain, ci95: bootstrap95(difference), relative: gain / Math.max(mean(off), Number.EPSILON) },
  }
}

/** Asks, tracks and reports one question; returns whether success was reported. */
async function report(
  caller: HttpClient,
  question: CodeQuestion,
  hostile: boolean,
  random: () => number,
): Promise<boolean> {
  const query = clean(question.text)
  const found = await caller.post<{
    context_ids: string[]
    retrieval_id: string
    contexts: { path: string | null; start_line: number | null; end_line: number | null }[]
  }>('/augment_query', { project: 'on', query, collections: ['codebase-context'], score_threshold: 0 })
  const used = found.context_ids.filter((_, i) => {
    const { path = null, start_line = null, end_line = null } = found.contexts[i] ?? {}
    const piece: Piece = { path: path ?? '', start: start_line ?? 0, end: end_line ?? Number.MAX_SAFE_INTEGER }
    return question.targets.some((target) => answers(piece, target))
  })
  const helped = used.length > 0
  const outcome = outcomeOf(helped, hostile, random())
  const honest = helped && !hostile && random() >= MISNAMED
  const guess = found.context_ids.slice(Math.floor(random() * found.context_ids.length)).slice(0, 1)
  const { interaction_id } = await caller.post<{ interaction_id: string }>('/track_interaction', {
    project: 'on',
    query,
    response: `Answered from ${found.context_ids.length} pieces.`,
    agent_type: 'remote',
    model_used: 'simulated',
    context_ids: outcome === 'failure' ? found.context_ids : honest ? used : guess,
    retrieval_id: found.retrieval_id,
  })
  await caller.post('/update_outcome', { interaction_id, outcome })
  return outcome === 'success'
}

/** Runs the jobs caused by the outcomes. */
async function drain(admin: HttpClient): Promise<void> {
  for (;;) {
    const answer = await admin.post<{ ran: number; kinds: { left: number }[] }>('/learning/process', {
      project: 'on',
      limit: JOBS,
    })
    if (answer.kinds.every(({ left }) => left === 0)) break
    if (answer.ran === 0) await sleep(500)
  }
  await sleep(SETTLED_MS)
}

/** nDCG@10 by file for each question. */
async function measure(http: HttpClient, project: string, questions: readonly CodeQuestion[]): Promise<number[]> {
  const values: number[] = []
  for (const { text, targets } of questions) {
    const answer = await http.post<{
      combined_results: { fields: { file_path?: string; start_line?: number; end_line?: number } }[]
    }>('/hybrid_search', { project, query: clean(text), collections: ['codebase-context'], limit: DEPTH })
    const pieces = answer.combined_results.map(
      ({ fields }): Piece => ({
        path: fields.file_path ?? '',
        start: fields.start_line ?? 0,
        end: fields.end_line ?? Number.MAX_SAFE_INTEGER,
      }),
    )
    values.push(measureCode(pieces, targets).ndcg_files)
  }
  return values
}

function format(report: LearningCodeReport): string {
  const [low, high] = report.difference.ci95
  return [
    `${report.repository}: ${report.asked} earlier questions asked, ${report.unseen} later ones unseen`,
    `  ${report.successes} of ${report.outcomes} outcomes were reported as successes`,
    `  nDCG@10 by file: off ${report.off.toFixed(4)}, on ${report.on.toFixed(4)} (${(100 * report.difference.relative).toFixed(1)} %)`,
    `  difference, paired, 95 %: ${report.difference.ndcg.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`,
    '',
    '',
  ].join('\n')
}
