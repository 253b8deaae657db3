/**
 * `npm run --prefix lab bench:dashboard`: measures how fast the overview loads with many interactions.
 * @module
 */

import type { Browser } from 'playwright-core'
import { startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { openBrowser } from '../screenshots/browser.ts'
import { addInteractions } from './seed.ts'

const HELP = `Usage: npm run --prefix lab bench:dashboard -- [options]

Fills a fresh coordinator with interactions of the last 90 days, opens the overview in a browser and prints when something was
painted first, when every figure was there and how many bytes came over the wire, beside an empty coordinator in the same run.

Options
  --interactions N   default 100000
  --loads N          page loads each, the median counts (default: 5)
  --beside URL       load this coordinator in turns with the empty one, for example one of an earlier version
  --json             print one object
  -h, --help         print this
`

interface Times {
  /** First contentful paint, in milliseconds. */
  readonly paint: number
  /** Time until every figure and chart is displayed, in milliseconds. */
  readonly ready: number
  /** Transferred bytes of the page's own files and of its API answers. */
  readonly bytes: number
  /** Number of requests. */
  readonly requests: number
}

/** Runs the command. Exit codes: 0 done, 1 no browser, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      interactions: { type: 'string', default: '100000' },
      loads: { type: 'string', default: '5' },
      beside: { type: 'string' },
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
      const before = await measure([worker.url, ...(values.beside ? [values.beside] : [])], loads)
      if (!before) {
        process.stderr.write(`${style('red', 'There is no Chromium for this machine among the packages.')}\n`)
        return 1
      }
      const [empty, beside] = before as [Times, Times | undefined]
      await addInteractions(worker, interactions)
      const [full] = (await measure([worker.url], loads)) ?? []
      const report = {
        interactions,
        empty,
        beside: beside ?? null,
        full: full ?? null,
        ratio: full ? full.ready / empty.ready : null,
      }
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    } finally {
      await worker.stop()
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:dashboard --')
  }
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${option} must be a whole number from 1`)
  return value
}

/** The median load of each address, loaded alternately; null without a browser. */
async function measure(urls: readonly string[], loads: number): Promise<Times[] | null> {
  const browser = await openBrowser()
  if (!browser) return null
  const seen = urls.map((): Times[] => [])
  for (let i = 0; i <= loads; i++) {
    for (const [k, url] of urls.entries()) {
      const times = await load(browser, url)
      // The first load warms the Worker up.
      if (i > 0) seen[k]?.push(times)
    }
  }
  await browser.close()
  return seen.map((times) => {
    const median = (of: (one: Times) => number) =>
      times.map(of).sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
    return {
      paint: median(({ paint }) => paint),
      ready: median(({ ready }) => ready),
      bytes: median(({ bytes }) => bytes),
      requests: median(({ requests }) => requests),
    }
  })
}

async function load(browser: Browser, url: string): Promise<Times> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
  const page = await context.newPage()
  const started = performance.now()
  await page.goto(url)
  await page.waitForSelector('main[data-ready="overview"]')
  const ready = performance.now() - started
  const paint = await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime")
  const [bytes, requests] = await page.evaluate<[number, number]>(
    `(() => {
      const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      return [all.reduce((sum, { transferSize }) => sum + transferSize, 0), all.length]
    })()`,
  )
  await context.close()
  return { paint, ready, bytes, requests }
}

function format(report: {
  interactions: number
  empty: Times
  beside: Times | null
  full: Times | null
  ratio: number | null
}): string {
  const row = (name: string, times: Times | null) =>
    times
      ? `  ${name.padEnd(24)} ${times.paint.toFixed(0).padStart(6)} ms ${times.ready.toFixed(0).padStart(8)} ms ${(times.bytes / 1024).toFixed(0).padStart(8)} KiB ${String(times.requests).padStart(9)}\n`
      : ''
  return `                           first paint   all there   transferred  requests\n${row('empty', report.empty)}${row('beside', report.beside)}${row(`${report.interactions} interactions`, report.full)}  ratio of all there: ${report.ratio?.toFixed(2)}\n`
}
