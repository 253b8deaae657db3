/**
 * `npm run --prefix lab eval:routing-repeats -- --data FILE`: measures whether the router stays calibrated on new
 * queries when queries repeat.
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { MAX_CHARACTERS, MAX_EXAMPLES, QUERY_CHARACTERS } from '../../src/routing/bounds.ts'
import { type Example, estimate, trainRouter } from '../../src/routing/router.ts'
import { pathGiven } from '../paths.ts'
import { type ReliabilityBin, reliability, reliabilityDiagram } from './reliability.ts'
import { type RoutingRow, readRows } from './routing.ts'
import { calibrationError, routerMetrics } from './routing-metrics.ts'

const HELP = `Usage: npm run --prefix lab eval:routing-repeats -- --data FILE [options]

Splits the rows of a routing file into halves. Each half in turn teaches the product's router, every row reported N times for both models
with the same outcome; the other half is asked once. Prints how much of the gap between both models the router recovers (APGR; random
0.5), the calibration error of its probabilities, and what they said beside what happened. In one process.

Options
  --data FILE      rows: a JSON object a line with id, prompt, weak and strong
  --repeats N      times that each row is reported; may be repeated; 1, 3 and 6 when left out
  --svg FILE       write the reliability diagram of the first half as SVG
  --json           print one object a half and number of repeats
  -h, --help       print this
`

const NOTHING = { local: { success: 0, partial: 0, failure: 0 }, remote: { success: 0, partial: 0, failure: 0 } }

interface RepeatsReport {
  readonly trained_on: 'first half' | 'second half'
  readonly repeats: number
  /** Number of distinct queries in the training data. */
  readonly queries: number
  readonly test_rows: number
  readonly apgr: number
  readonly length_apgr: number
  readonly calibration_error: { readonly local: number; readonly remote: number }
  readonly reliability: { readonly local: ReliabilityBin[]; readonly remote: ReliabilityBin[] }
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      repeats: { type: 'string', multiple: true },
      svg: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data) throw new UsageError('name a file of rows: --data FILE')
    const repeats = (values.repeats ?? ['1', '3', '6']).map(Number)
    if (repeats.some((times) => !Number.isInteger(times) || times < 1)) {
      throw new UsageError('--repeats must be a whole number from 1')
    }
    const rows = await readRows(values.data)
    const middle = Math.floor(rows.length / 2)
    const halves = [rows.slice(0, middle), rows.slice(middle)] as const
    const reports = repeats.flatMap((times) => [
      measure('first half', halves[0], halves[1], times),
      measure('second half', halves[1], halves[0], times),
    ])
    for (const report of reports) process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    if (values.svg) {
      const series = Object.fromEntries(
        reports
          .filter((report) => report.trained_on === 'first half')
          .map((report) => [`local, asked ${report.repeats} times`, report.reliability.local]),
      )
      await writeFile(pathGiven(values.svg), reliabilityDiagram(series, 'Router, new queries'))
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:routing-repeats --')
  }
}

function measure(
  half: RepeatsReport['trained_on'],
  train: readonly RoutingRow[],
  test: readonly RoutingRow[],
  repeats: number,
): RepeatsReport {
  // The same limit as a training of the product.
  let characters = 0
  const read = train.filter(({ prompt }, i) => {
    characters += 2 * repeats * Math.min(prompt.length, QUERY_CHARACTERS)
    return characters <= MAX_CHARACTERS && 2 * repeats * (i + 1) <= MAX_EXAMPLES
  })
  const examples = read.flatMap(({ prompt, weak, strong }): Example[] => {
    const query = prompt.slice(0, QUERY_CHARACTERS)
    return [
      { query, backend: 'local', outcome: weak },
      { query, backend: 'remote', outcome: strong },
    ]
  })
  const router = trainRouter(Array.from({ length: repeats }, () => examples).flat())
  const estimates = test.map(({ prompt }) => estimate(router, prompt, NOTHING))
  const said = (side: 'local' | 'remote') => estimates.map((own) => own[side].probability)
  const [weak, strong] = [test.map((row) => row.weak), test.map((row) => row.strong)]
  return {
    trained_on: half,
    repeats,
    queries: read.length,
    test_rows: test.length,
    apgr: routerMetrics(
      test,
      estimates.map(({ gain }) => gain),
    ).apgr,
    length_apgr: routerMetrics(
      test,
      test.map(({ prompt }) => prompt.length),
    ).apgr,
    calibration_error: {
      local: calibrationError(said('local'), weak),
      remote: calibrationError(said('remote'), strong),
    },
    reliability: { local: reliability(said('local'), weak), remote: reliability(said('remote'), strong) },
  }
}

function format(report: RepeatsReport): string {
  const line = (name: string, bins: readonly ReliabilityBin[]) =>
    `    ${name.padEnd(7)}${bins
      .map(
        ({ said, happened, margin, count }) =>
          `${said.toFixed(2)}→${happened.toFixed(2)}±${margin.toFixed(2)} (${count})`,
      )
      .join('  ')}`
  const { local, remote } = report.calibration_error
  return [
    `trained on ${report.queries} queries of the ${report.trained_on}, each ${report.repeats} times; ${report.test_rows} new queries`,
    `  APGR ${report.apgr.toFixed(3)} (length ${report.length_apgr.toFixed(3)}), calibration error local ${local.toFixed(3)}, remote ${remote.toFixed(3)}`,
    '  said→succeeded (queries):',
    line('local', report.reliability.local),
    line('remote', report.reliability.remote),
    '',
  ].join('\n')
}
