/**
 * `npm run --prefix lab bench:dashboard`: how soon the overview is there with many interactions.
 * @module
 */

import { startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, UsageError } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { openBrowser } from '../screenshots/browser.ts'
import { addInteractions } from './seed.ts'

const HELP = `Usage: npm run --prefix lab bench:dashboard -- [options]

Fills a fresh coordinator with interactions of the last 90 days, opens the overview in a browser and prints when something was
painted first and when every figure was there, beside an empty coordinator in the same run.

Options
  --interactions N   default 100000
  --loads N          page loads each, the median counts (default: 5)
  --json             print one object
  -h, --help         print this
`

interface Times {
  /** First contentful paint, in milliseconds. */
  readonly paint: number
  /** Every figure and chart is there, in milliseconds. */
  readonly ready: number
}

/** Runs the command. Exit codes: 0 done, 1 there is no browser, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      interactions: { type: 'string', default: '100000' },
      loads: { type: 'string', default: '5' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const interactions = wholeNumber(values.interactions, '--interactions')
    const loads = wholeNumber(values.loads, '--loads')
    const worker = await startLocalWorker()
    try {
      const empty = await measure(worker.url, loads)
      if (!empty) {
        process.stderr.write(`${style('red', 'There is no Chromium for this machine among the packages.')}\n`)
        return 1
      }
      await addInteractions(worker, interactions)
      const full = await measure(worker.url, loads)
      const report = { interactions, empty, full, ratio: full ? full.ready / empty.ready : null }
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    } finally {
      await worker.stop()
    }
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run --prefix lab bench:dashboard -- --help\n`)
    return 2
  }
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${option} must be a whole number from 1`)
  return value
}

/** The median load; null without a browser. */
async function measure(url: string, loads: number): Promise<Times | null> {
  const browser = await openBrowser()
  if (!browser) return null
  const seen: Times[] = []
  for (let i = 0; i <= loads; i++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
    const page = await context.newPage()
    const started = performance.now()
    await page.goto(url)
    await page.waitForSelector('main[data-ready="overview"]')
    const ready = performance.now() - started
    const paint = await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    // The first load warms the Worker up.
    if (i > 0) seen.push({ paint, ready })
    await context.close()
  }
  await browser.close()
  const median = (of: (times: Times) => number) => seen.map(of).sort((a, b) => a - b)[Math.floor(seen.length / 2)] ?? 0
  return { paint: median(({ paint }) => paint), ready: median(({ ready }) => ready) }
}

function format(report: { interactions: number; empty: Times; full: Times | null; ratio: number | null }): string {
  const row = (name: string, times: Times | null) =>
    times
      ? `  ${name.padEnd(24)} ${times.paint.toFixed(0).padStart(6)} ms ${times.ready.toFixed(0).padStart(8)} ms\n`
      : ''
  return `                           first paint   all there\n${row('empty', report.empty)}${row(`${report.interactions} interactions`, report.full)}  ratio of all there: ${report.ratio?.toFixed(2)}\n`
}
