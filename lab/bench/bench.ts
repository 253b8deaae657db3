/**
 * `npm run --prefix lab bench`: measures every hot path, compared with minimal code of the same kind in the same run.
 * @module
 */

import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { arch, cpus, platform, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'
import { formatComparison, formatReport } from './format.ts'
import { benchInteractions } from './interactions.ts'
import { benchKnowledge } from './knowledge.ts'
import type { Effort } from './load.ts'
import { bareTargets, benchOverhead, startBaseline } from './overhead.ts'
import { plotReport } from './plot.ts'
import { type BenchReport, ratiosOf } from './results.ts'

const HELP = `Usage: npm run --prefix lab bench -- [options]

Runs the built Worker in workerd and drives it with autocannon, one request at a time and 16 at once, in turn with a bare Hono
route, a bare tool of the MCP SDK and a bare insert into D1. Prints tables and ratios; writes them as JSON and as a plot.
The whole run takes about half an hour and 4 GB of disk; nothing else should run on the machine meanwhile.

Options
  --only PART           overhead, knowledge or interactions; may be repeated, all when left out
  --items N             knowledge items; may be repeated (default: 1000, 5000, 10000, 50000, 100000)
  --interactions N      interactions; may be repeated (default: 1000, 10000, 100000, 1000000)
  --seconds N           of each measurement in a round, default 3
  --rounds N            default 3
  --quick               1,000 and 5,000 items, 1,000 and 10,000 interactions, one round of a second
  --out FOLDER          where the JSON and the plot go, default lab/bench/results; "none" writes nothing
  --compare FILE        also print the ratios beside those of an earlier run
  --json                print one object instead of tables
  -h, --help            print this
`

const PARTS = ['overhead', 'knowledge', 'interactions'] as const
type Part = (typeof PARTS)[number]

const ROOT = join(import.meta.dirname, '../..')
const CONNECTIONS = [1, 16]
const ITEMS = [1_000, 5_000, 10_000, 50_000, 100_000]
const INTERACTIONS = [1_000, 10_000, 100_000, 1_000_000]
const QUICK = { items: [1_000, 5_000], interactions: [1_000, 10_000], effort: { rounds: 1, seconds: 1 } }

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      only: { type: 'string', multiple: true },
      items: { type: 'string', multiple: true },
      interactions: { type: 'string', multiple: true },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean' },
      out: { type: 'string', default: join(ROOT, 'lab/bench/results') },
      compare: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const defaults = values.quick
      ? QUICK
      : { items: ITEMS, interactions: INTERACTIONS, effort: { rounds: 3, seconds: 3 } }
    const before = values.compare === undefined ? null : await readReport(pathGiven(values.compare))
    const report = await bench({
      parts: partsOf(values.only),
      items: sizesOf(values.items, '--items') ?? defaults.items,
      interactions: sizesOf(values.interactions, '--interactions') ?? defaults.interactions,
      effort: {
        rounds: whole(values.rounds, '--rounds') ?? defaults.effort.rounds,
        seconds: whole(values.seconds, '--seconds') ?? defaults.effort.seconds,
      },
    })
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : formatReport(report))
    if (before && !values.json) process.stdout.write(formatComparison(report, before))
    if (values.out !== 'none') await save(report, pathGiven(values.out))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench --')
  }
}

interface Plan {
  readonly parts: ReadonlySet<Part>
  readonly items: readonly number[]
  readonly interactions: readonly number[]
  readonly effort: Effort
}

async function bench({ parts, items, interactions, effort }: Plan): Promise<BenchReport> {
  const baseline = await startBaseline()
  try {
    const overhead = parts.has('overhead') ? await benchOverhead(baseline, effort, CONNECTIONS) : []
    const { knowledge, index } = parts.has('knowledge')
      ? await benchKnowledge(bareTargets(baseline.url), items, effort, CONNECTIONS)
      : { knowledge: [], index: [] }
    const tracked = parts.has('interactions')
      ? await benchInteractions(baseline, interactions, effort, CONNECTIONS)
      : []
    return {
      at: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model.trim() ?? 'unknown',
        cores: cpus().length,
        memory_gb: Math.round(totalmem() / 2 ** 30),
        platform: `${platform()} ${arch()}`,
      },
      versions: {
        node: process.versions.node,
        ...versionsOf(['workerd', 'hono', '@modelcontextprotocol/server', 'autocannon']),
      },
      ...effort,
      overhead,
      knowledge,
      index,
      interactions: tracked,
      ratios: ratiosOf(overhead, knowledge, tracked),
    }
  } finally {
    await baseline.stop()
  }
}

/** Versions of installed packages. */
function versionsOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, versionOf(name)]))
}

/** The version in the nearest node_modules, of the lab or of the product. */
function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url)
  if (!file) throw new Error(`${name} is not installed`)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

async function save(report: BenchReport, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const name = join(folder, report.at.slice(0, 16).replaceAll(':', ''))
  await writeFile(`${name}.json`, `${JSON.stringify(report, null, 2)}\n`)
  await writeFile(`${name}.svg`, plotReport(report))
  process.stderr.write(`Written to ${name}.json and .svg\n`)
}

async function readReport(file: string): Promise<BenchReport> {
  try {
    const report = JSON.parse(await readFile(file, 'utf8')) as Partial<BenchReport>
    if (report.ratios) return report as BenchReport
  } catch {
    // reported below
  }
  throw new UsageError(`--compare ${file}: not the JSON of a run`)
}

function partsOf(names: readonly string[] | undefined): Set<Part> {
  for (const name of names ?? []) {
    if (!(PARTS as readonly string[]).includes(name))
      throw new UsageError(`--only takes ${PARTS.join(', ')}; not ${name}`)
  }
  return new Set((names ?? PARTS) as readonly Part[])
}

function sizesOf(texts: readonly string[] | undefined, option: string): number[] | undefined {
  return texts?.map((text) => whole(text, option) ?? 0).sort((a, b) => a - b)
}

function whole(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${option} takes whole numbers from 1, not ${text}`)
  return value
}
