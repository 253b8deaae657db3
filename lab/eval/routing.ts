/**
 * `npm run --prefix lab eval:routing -- --train FILE --test FILE`: measures how well the coordinator learns which model
 * a query needs.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { style } from '../../cli/shared/terminal.ts'
import { pathGiven } from '../paths.ts'
import { trainRouter } from '../train-router.ts'
import {
  bootstrapRows,
  calibrationError,
  type Labelled,
  type RouterMetrics,
  routerMetrics,
  seeded,
} from './routing-metrics.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:routing -- --train <file> --test <file> [options]

Imports the training rows as interactions with outcomes into a fresh local coordinator, lets its router learn, asks it for
every test row which model would succeed, and prints how well its order of need recovers the gap between both models. A row
is a JSON object a line with id, prompt, weak and strong (1 if that model answered right).

Options
  --train FILE     rows to learn from
  --test FILE      rows to measure on
  --mode MODE      full: both models' outcomes are reported for each row (default); bandit: one, chosen at random
  --online         also learn along the rows: each is routed by what was learnt before, only the chosen outcome is reported
  --seed N         of the choice in bandit mode and of exploration, default 1
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object
  --url URL        measure a running coordinator (a project of its own is used) instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

/** Number of interactions or queries per request. */
const BATCH = 250
/** Maximum characters of one request. */
const BATCH_CHARACTERS = 1_500_000
/** Number of parts of the online run. The router is trained after each. */
const ONLINE_STEPS = 10
/** Share of online rows that use the other model. */
const ONLINE_EXPLORATION = 0.1

export interface RoutingRow extends Labelled {
  readonly id: string
  readonly prompt: string
}

type Mode = 'full' | 'bandit'
type Interval = [low: number, high: number]
type Measured = RouterMetrics & { calibration_error: number | null; ci95: Record<keyof RouterMetrics, Interval> }

export interface RoutingReport {
  mode: Mode
  train_rows: number
  test_rows: number
  interactions: number
  router: Measured & { remote_calibration_error: number; ms_per_query: number; train_ms: number }
  baselines: { random: RouterMetrics; length: Measured; oracle: Measured }
  router_minus_length: { apgr: number; ci95: Interval }
  online?: OnlineStep[]
}

/** One part of the online run. */
export interface OnlineStep {
  rows: number
  /** Share of rows sent to the strong model. */
  strong_share: number
  accuracy: number
  /** Expected accuracy of sending the same share at random. */
  random_accuracy: number
  oracle_accuracy: number
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      train: { type: 'string' },
      test: { type: 'string' },
      mode: { type: 'string', default: 'full' },
      online: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.train || !values.test) throw new UsageError('name both files: --train FILE --test FILE')
    if (values.mode !== 'full' && values.mode !== 'bandit') throw new UsageError('--mode is full or bandit')
    const seed = Number(values.seed)
    if (!Number.isInteger(seed)) throw new UsageError('--seed is a whole number')
    const mode = values.mode
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const [train, test] = await Promise.all([readRows(values.train), readRows(values.test)])
    const report = await withCoordinator({ url, key: values.key, variables: variablesOf(values.variable) }, (http) =>
      evaluate(http, train, test, { mode, seed, online: values.online === true }),
    )
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:routing --')
  }
}

/** The rows of a file: one JSON object per line. */
export async function readRows(file: string): Promise<RoutingRow[]> {
  const text = await readFile(pathGiven(file), 'utf8').catch(() => {
    throw new UsageError(`${file} cannot be read`)
  })
  const rows = text.split('\n').flatMap((line, i): RoutingRow[] => {
    if (line.trim() === '') return []
    const row: Partial<RoutingRow> = JSON.parse(line)
    if (typeof row.prompt !== 'string' || typeof row.weak !== 'number' || typeof row.strong !== 'number') {
      throw new UsageError(`${file}:${i + 1} has no prompt, weak and strong`)
    }
    return [{ id: row.id ?? `row-${i + 1}`, prompt: row.prompt, weak: row.weak, strong: row.strong }]
  })
  if (rows.length === 0) throw new UsageError(`${file} holds no rows`)
  return rows
}

interface Estimate {
  local: { probability: number }
  remote: { probability: number }
  gain: number
}

/** Imports, trains and measures in a separate project. */
export async function evaluate(
  http: HttpClient,
  train: readonly RoutingRow[],
  test: readonly RoutingRow[],
  options: { mode: Mode; seed: number; online: boolean },
): Promise<RoutingReport> {
  const project = `eval-${randomUUID()}`
  const random = seeded(options.seed)
  const reported = train.flatMap((row) => {
    const both = [interaction(row, 'local'), interaction(row, 'remote')]
    return options.mode === 'full' ? both : both.slice(...(random() < 0.5 ? [0, 1] : [1, 2]))
  })
  await report(http, project, reported, 'import')
  const started = performance.now()
  await trainRouter(http, project)
  const trainMs = performance.now() - started
  const asked = performance.now()
  const estimates = await estimateRows(http, project, test, 'test')
  const msPerQuery = (performance.now() - asked) / test.length
  const gains = estimates.map(({ gain }) => gain)
  const lengths = test.map(({ prompt }) => prompt.length)
  const difference = (indices: readonly number[]) => {
    const rows = indices.map((i) => test[i] as RoutingRow)
    const of = (scores: readonly number[]) =>
      routerMetrics(
        rows,
        indices.map((i) => scores[i] ?? 0),
      ).apgr
    return of(gains) - of(lengths)
  }
  return {
    mode: options.mode,
    train_rows: train.length,
    test_rows: test.length,
    interactions: reported.length,
    router: {
      ...measured(test, gains),
      calibration_error: calibrationError(
        estimates.map(({ local }) => local.probability),
        test.map(({ weak }) => weak),
      ),
      remote_calibration_error: calibrationError(
        estimates.map(({ remote }) => remote.probability),
        test.map(({ strong }) => strong),
      ),
      ms_per_query: msPerQuery,
      train_ms: trainMs,
    },
    baselines: {
      random: { apgr: 0.5, cpt50: 0.5, cpt80: 0.8 },
      length: measured(test, lengths),
      oracle: measured(
        test,
        test.map(({ weak, strong }) => strong - weak),
      ),
    },
    router_minus_length: {
      apgr: difference(test.map((_, i) => i)),
      ci95: bootstrapRows(test.length, difference),
    },
    ...(options.online && { online: await online(http, train, options.seed) }),
  }
}

function measured(rows: readonly RoutingRow[], scores: readonly number[]): Measured {
  const interval = (name: keyof RouterMetrics) =>
    bootstrapRows(
      rows.length,
      (indices) =>
        routerMetrics(
          indices.map((i) => rows[i] as RoutingRow),
          indices.map((i) => scores[i] ?? 0),
        )[name],
    )
  return {
    ...routerMetrics(rows, scores),
    calibration_error: null,
    ci95: { apgr: interval('apgr'), cpt50: interval('cpt50'), cpt80: interval('cpt80') },
  }
}

function interaction(row: RoutingRow, agent: 'local' | 'remote') {
  return {
    query: row.prompt,
    response: 'The answer is not part of the data set.',
    agent_type: agent,
    model_used: agent === 'local' ? 'weak' : 'strong',
    outcome: (agent === 'local' ? row.weak : row.strong) === 1 ? 'success' : 'failure',
    idempotency_key: `${agent}-${row.id}`,
  }
}

/** Stores interactions with their outcomes. */
async function report(
  http: HttpClient,
  project: string,
  interactions: readonly ReturnType<typeof interaction>[],
  label: string,
): Promise<void> {
  const progress = new Progress({ noun: 'interactions', total: interactions.length })
  let done = 0
  for (const batch of batches(interactions, ({ query }) => query.length)) {
    await http.post('/interactions/import', { project, interactions: batch, learn: false })
    done += batch.length
    progress.update(done, label)
  }
  progress.finish()
}

async function estimateRows(
  http: HttpClient,
  project: string,
  rows: readonly RoutingRow[],
  label: string,
): Promise<Estimate[]> {
  const progress = new Progress({ noun: 'queries', total: rows.length })
  const estimates: Estimate[] = []
  for (const batch of batches(rows, ({ prompt }) => prompt.length)) {
    const answer = await http.post<{ estimates: Estimate[] }>('/routing/estimate', {
      project,
      queries: batch.map(({ prompt }) => prompt),
    })
    estimates.push(...answer.estimates)
    progress.update(estimates.length, label)
  }
  progress.finish()
  return estimates
}

function* batches<T>(items: readonly T[], size: (item: T) => number): Generator<T[]> {
  let batch: T[] = []
  let characters = 0
  for (const item of items) {
    if (batch.length === BATCH || (batch.length > 0 && characters + size(item) > BATCH_CHARACTERS)) {
      yield batch
      batch = []
      characters = 0
    }
    batch.push(item)
    characters += size(item)
  }
  if (batch.length > 0) yield batch
}

/**
 * Learns online: in each part, the half with the greatest expected gain goes to the strong model, a share is swapped
 * randomly, and only the chosen model's outcome is reported.
 */
async function online(http: HttpClient, rows: readonly RoutingRow[], seed: number): Promise<OnlineStep[]> {
  const project = `eval-${randomUUID()}`
  const random = seeded(seed + 1)
  const steps: OnlineStep[] = []
  const length = Math.ceil(rows.length / ONLINE_STEPS)
  for (let at = 0; at < rows.length; at += length) {
    const stretch = rows.slice(at, at + length)
    const estimates = await estimateRows(http, project, stretch, 'online')
    const order = stretch
      .map((row, i) => ({ row, need: (estimates[i]?.gain ?? 0) + random() * 1e-9 }))
      .sort((a, b) => b.need - a.need)
    const chosen = order.map(({ row }, rank) => {
      const strong = rank < stretch.length / 2 !== random() < ONLINE_EXPLORATION
      return { row, strong }
    })
    const share = chosen.filter(({ strong }) => strong).length / stretch.length
    const mean = (of: (row: RoutingRow) => number) => stretch.reduce((sum, row) => sum + of(row), 0) / stretch.length
    const weak = mean((row) => row.weak)
    const best = stretch.map((row) => row.strong - row.weak).sort((a, b) => b - a)
    steps.push({
      rows: stretch.length,
      strong_share: share,
      accuracy: chosen.reduce((sum, { row, strong }) => sum + (strong ? row.strong : row.weak), 0) / stretch.length,
      random_accuracy: weak + share * (mean((row) => row.strong) - weak),
      oracle_accuracy:
        weak + best.slice(0, Math.round(share * stretch.length)).reduce((a, b) => a + b, 0) / stretch.length,
    })
    const told = chosen.map(({ row, strong }) => interaction(row, strong ? 'remote' : 'local'))
    await report(http, project, told, 'online')
    await trainRouter(http, project)
  }
  return steps
}

function format(report: RoutingReport): string {
  const number = (value: number | null) => (value === null ? '    –' : value.toFixed(3))
  const line = (name: string, of: RouterMetrics & { calibration_error?: number | null; ci95?: Measured['ci95'] }) =>
    `  ${name.padEnd(8)} ${number(of.apgr)} ${(of.ci95 ? `[${of.ci95.apgr.map(number).join(', ')}]` : '').padEnd(16)} ` +
    `${number(of.cpt50)}  ${number(of.cpt80)}  ${number(of.calibration_error ?? null)}`
  const { router, baselines, router_minus_length: over } = report
  const lines = [
    `${style('bold', `${report.train_rows} training rows (${report.mode}), ${report.test_rows} test rows`)}`,
    '           APGR  95 %             CPT50  CPT80  calibration error',
    line('router', router),
    line('length', baselines.length),
    line('random', baselines.random),
    line('oracle', baselines.oracle),
    `  router − length: ${number(over.apgr)} [${over.ci95.map(number).join(', ')}]`,
    `  training ${Math.round(router.train_ms)} ms, estimating ${router.ms_per_query.toFixed(2)} ms a query`,
  ]
  for (const [i, step] of (report.online ?? []).entries()) {
    lines.push(
      `  online ${String(i + 1).padStart(2)}  accuracy ${number(step.accuracy)}  at random ${number(step.random_accuracy)}  ` +
        `oracle ${number(step.oracle_accuracy)}  strong share ${number(step.strong_share)}`,
    )
  }
  return `${lines.join('\n')}\n`
}
