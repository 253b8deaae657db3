/**
 * `npm run bench:search`: what a search costs, by size of the collection, on the built Worker in workerd.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { mean } from '../eval/metrics.ts'
import { parseArguments, UsageError } from '../shared/args.ts'
import { createHttpClient, type HttpClient } from '../shared/http.ts'
import { startLocalWorker } from '../shared/local-worker.ts'
import { Progress } from '../shared/progress.ts'
import { style } from '../shared/terminal.ts'
import { type BenchItem, packageTexts, questions } from './texts.ts'

const HELP = `Usage: npm run bench:search -- [options]

Stores pieces of the installed packages' sources and measures one search at a time: wall milliseconds (p50, p95) and the
CPU milliseconds that workerd spent (Linux only), beside a route that does nothing, in the same run.

Options
  --items N      items in the collection; may be repeated (default: 5000 and 50000)
  --queries N    default 200
  --json         print one object
  -h, --help     print this
`

const PROJECT = 'bench'
const COLLECTION = 'codebase-context'
const BATCH = 200

interface Cost {
  p50_ms: number
  p95_ms: number
  cpu_ms: number | null
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      items: { type: 'string', multiple: true },
      queries: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const sizes = (values.items ?? ['5000', '50000']).map(Number).sort((a, b) => a - b)
    const queries = Number(values.queries ?? 200)
    if (![...sizes, queries].every((value) => Number.isInteger(value) && value > 0)) {
      throw new UsageError('--items and --queries take whole numbers from 1')
    }
    const report = await bench(sizes, queries)
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run bench:search -- --help\n`)
    return 2
  }
}

interface Report {
  machine: string
  queries: number
  baseline: Cost
  sizes: { items: number; hybrid_search: Cost; augment_query: Cost }[]
}

async function bench(sizes: readonly number[], count: number): Promise<Report> {
  const items = await packageTexts(sizes.at(-1) ?? 0)
  const worker = await startLocalWorker()
  try {
    const http = createHttpClient({ url: worker.url })
    const asked = questions(items, count)
    const baseline = await measure(asked, () => http.get('/openapi.json'))
    const report: Report = {
      machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
      queries: count,
      baseline,
      sizes: [],
    }
    let stored = 0
    for (const size of sizes) {
      await store(http, items.slice(stored, size))
      stored = size
      const body = { project: PROJECT, collections: [COLLECTION] }
      report.sizes.push({
        items: size,
        hybrid_search: await measure(asked, (query) => http.post('/hybrid_search', { ...body, query })),
        augment_query: await measure(asked, (query) => http.post('/augment_query', { ...body, query })),
      })
    }
    return report
  } finally {
    await worker.stop()
  }
}

async function store(http: HttpClient, items: readonly BenchItem[]): Promise<void> {
  const progress = new Progress({ noun: 'items', total: items.length })
  for (let start = 0; start < items.length; start += BATCH) {
    await http.post('/knowledge/items', {
      project: PROJECT,
      collection: COLLECTION,
      items: items.slice(start, start + BATCH),
    })
    progress.update(Math.min(items.length, start + BATCH), '')
  }
  progress.finish()
}

/** Calls once per question, one after the other, after a tenth as many warm-up calls. */
async function measure(asked: readonly string[], call: (query: string) => Promise<unknown>): Promise<Cost> {
  for (const query of asked.slice(0, Math.ceil(asked.length / 10))) await call(query)
  const before = workerdCpuSeconds()
  const milliseconds: number[] = []
  for (const query of asked) {
    const started = performance.now()
    await call(query)
    milliseconds.push(performance.now() - started)
  }
  const after = workerdCpuSeconds()
  milliseconds.sort((a, b) => a - b)
  const at = (share: number) =>
    milliseconds[Math.min(milliseconds.length - 1, Math.floor(share * milliseconds.length))] ?? 0
  return {
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    cpu_ms: before === null || after === null ? null : mean([(1000 * (after - before)) / asked.length]),
  }
}

/** CPU seconds that this process's workerd children have used; null where /proc is missing. */
function workerdCpuSeconds(): number | null {
  let ticks: number | null = null
  try {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (stat.includes('(workerd)') && Number(fields[1]) === process.pid) {
        ticks = (ticks ?? 0) + Number(fields[11]) + Number(fields[12])
      }
    }
  } catch {
    return ticks === null ? null : ticks / 100
  }
  return ticks === null ? null : ticks / 100
}

function format(report: Report): string {
  const row = (name: string, { p50_ms, p95_ms, cpu_ms }: Cost) =>
    `  ${name.padEnd(30)}${p50_ms.toFixed(2).padStart(9)}${p95_ms.toFixed(2).padStart(9)}${(cpu_ms?.toFixed(2) ?? 'unknown').padStart(9)}`
  const lines = report.sizes.flatMap(({ items, hybrid_search, augment_query }) => [
    row(`hybrid_search, ${items} items`, hybrid_search),
    row(`augment_query, ${items} items`, augment_query),
  ])
  return [
    `${report.queries} queries, ${report.machine}`,
    `  ${'milliseconds'.padEnd(30)}      p50      p95      CPU`,
    row('a static route (baseline)', report.baseline),
    ...lines,
    '',
  ].join('\n')
}
