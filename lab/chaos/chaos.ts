/**
 * `npm run --prefix lab chaos`: simulates a busy hour of a team of agents with many faults, and then checks that the
 * stored data matches all answers.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { count, plural, style } from '../../cli/shared/terminal.ts'
import { pathGiven } from '../paths.ts'
import { ENTRY, type RunReport, runSeed } from './conductor.ts'
import { describeIncident, type Incident, type Size } from './plan.ts'

const HELP = `Usage: npm run --prefix lab chaos -- [options]

Runs the built Worker in workerd under a mixed load: agents augment, route, search, track, report, correct, ingest, remove and export
at once, over REST and MCP, while an hour of its clock goes by. Meanwhile invocations die between any two steps, clocks differ by
minutes, messages get lost and doubled, consumers are killed, Durable Objects are evicted, the process is killed and started again, the
embedding server fails in four ways, and twice a day and a half goes by, so that what was quiet is archived. Agents repeat each call until it is answered. Then the faults end, pending work finishes, and the
stored data is checked against what the agents were told: nothing lost, nothing stored twice, every counter equal to its recount.

A seed decides what each agent does, which of its calls die where, and what goes wrong in which minute. How the calls of different
agents interleave depends on the machine.

Options
  --seeds N       runs, with the seeds 1 to N (default 20)
  --seed N        only this seed, with a line for each thing that goes wrong
  --agents N      default 8
  --steps N       of each agent, default 60
  --minutes N     of the coordinator's clock, default 60
  --qdrant FILE   Qdrant's executable: knowledge is kept in a server of its own, which is killed, paused and left without disk space
  --json          print one object
  -h, --help      print this
`

/** Runs the command. Exit codes: 0 no findings, 1 findings, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      seeds: { type: 'string', default: '20' },
      seed: { type: 'string' },
      agents: { type: 'string', default: '8' },
      steps: { type: 'string', default: '60' },
      minutes: { type: 'string', default: '60' },
      qdrant: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const size = {
      agents: whole(values.agents, '--agents'),
      steps: whole(values.steps, '--steps'),
      minutes: whole(values.minutes, '--minutes'),
    }
    const seeds =
      values.seed === undefined
        ? Array.from({ length: whole(values.seeds, '--seeds') }, (_, i) => i + 1)
        : [whole(values.seed, '--seed')]
    return await chaos(seeds, size, {
      json: values.json === true,
      telling: values.seed !== undefined,
      qdrant: values.qdrant && pathGiven(values.qdrant),
    })
  } catch (error) {
    return reportUsage(error, '--prefix lab chaos --')
  }
}

async function chaos(
  seeds: readonly number[],
  size: Size,
  { json, telling, qdrant }: { json: boolean; telling: boolean; qdrant?: string },
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'))
  const reports: RunReport[] = []
  const tell = (text: string) => (json ? process.stderr : process.stdout).write(text)
  try {
    const bundle = await buildWorker(folder, ENTRY)
    for (const seed of seeds) {
      const note = (minute: number, incident: Incident) => {
        if (telling) process.stderr.write(`minute ${minute}: ${describeIncident(incident)}\n`)
      }
      const report = await runSeed(seed, size, bundle, note, qdrant)
      reports.push(report)
      tell(formatReport(report))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const bad = reports.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed)
  if (json) process.stdout.write(`${JSON.stringify({ size, failed_seeds: bad, runs: reports })}\n`)
  else tell(formatTotal(reports, bad))
  return bad.length === 0 ? 0 : 1
}

/** One run as lines. */
export function formatReport(report: RunReport): string {
  const { seed, violations, answered, repeated, crashes, evictions, outages, revived, seconds } = report
  const held = violations.length === 0 ? style('green', 'held', process.stdout) : style('red', 'BROKEN', process.stdout)
  const what = [
    `${count(answered)} calls answered, ${count(repeated)} attempts lost`,
    `${plural(report.interactions, 'interaction')} (${count(report.archived)} archived at the end)`,
    plural(report.reports, 'report'),
    plural(report.jobs, 'job'),
    plural(crashes, 'crash').replace(/crashs$/, 'crashes'),
    plural(evictions, 'eviction'),
    plural(outages, 'outage'),
    ...(report.qdrant
      ? [`${plural(report.qdrant.faults, 'fault')} of Qdrant, met by ${report.qdrant.jobs.join(', ') || 'no job'}`]
      : []),
    `${count(revived)} jobs revived`,
  ]
  const lines = violations.slice(0, 20).map((line) => `    ${line}\n`)
  const rest = violations.length > 20 ? `    and ${violations.length - 20} more\n` : ''
  return `seed ${seed}: ${held} · ${what.join(' · ')} · ${seconds.toFixed(1)} s\n${lines.join('')}${rest}`
}

function formatTotal(reports: readonly RunReport[], bad: readonly number[]): string {
  const sum = (of: (report: RunReport) => number) => count(reports.reduce((total, report) => total + of(report), 0))
  const verdict =
    bad.length === 0
      ? `Every invariant held in ${plural(reports.length, 'seed')}.`
      : `Broken: ${bad.map((seed) => `npm run --prefix lab chaos -- --seed ${seed}`).join(', ')}`
  return `${sum(({ answered }) => answered)} calls, ${sum(({ repeated }) => repeated)} lost attempts, ${sum(({ jobs }) => jobs)} jobs. ${verdict}\n`
}

function whole(text: string, option: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000) return value
  throw new UsageError(`${option} takes a whole number from 1 to 1,000,000, not ${JSON.stringify(text.slice(0, 40))}.`)
}
