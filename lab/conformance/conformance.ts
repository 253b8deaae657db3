/**
 * `npm run --prefix lab conformance`: runs the published MCP conformance suite against the product's transport and
 * authentication, with the suite's own fixture tools.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'

const HELP = `Usage: npm run --prefix lab conformance -- [options]

Runs both requirement sets of the MCP conformance suite. A scenario that checks nothing is not counted as passed. Ends with 1 when
something failed that test/conformance/expected-failures.json gives no reason for, or passed that it says will fail.

Options
  --json         print one object
  -h, --help     print this
`

const FIXTURES = join(import.meta.dirname, './worker')
/** Tested revisions of the protocol. */
const REVISIONS = ['2025-11-25', '2026-07-28']

export type Verdict = 'passed' | 'failed' | 'nothing checked'

export interface ScenarioReport {
  readonly revision: string
  readonly scenario: string
  readonly verdict: Verdict
  readonly passed: number
  readonly failed: number
  /** Why it is expected to fail; null: it isn't. */
  readonly reason: string | null
  readonly messages: readonly string[]
}

/** Runs the command. Exit codes: 0 as expected, 1 unexpected results, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const reports = await runSuite()
    process.stdout.write(values.json ? `${JSON.stringify(reports)}\n` : format(reports))
    return reports.some(isUnexpected) ? 1 : 0
  } catch (error) {
    return reportUsage(error, '--prefix lab conformance --')
  }
}

/** Whether a scenario's result differs from the expected one. */
export function isUnexpected({ verdict, reason }: ScenarioReport): boolean {
  return reason === null ? verdict === 'failed' : verdict === 'passed'
}

/** Runs both requirement sets and reads their results. */
export async function runSuite(): Promise<ScenarioReport[]> {
  const expected = JSON.parse(await readFile(join(FIXTURES, 'expected-failures.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const worker = await startLocalWorker({ entry: join(FIXTURES, 'worker.ts') })
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  try {
    const reports: ScenarioReport[] = []
    for (const revision of REVISIONS) {
      const output = join(folder, revision)
      await callSuite(['server', '--url', `${worker.url}/mcp`, '--requirements', revision, '-o', output])
      for (const [scenario, checks] of await resultsIn(output)) {
        reports.push(reportOf(revision, scenario, checks, expected[revision]?.[scenario] ?? null))
      }
    }
    return reports
  } finally {
    await worker.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The suite exits with 1 if anything fails, expected or not. Its result files contain the details. */
function callSuite(parameters: readonly string[]): Promise<void> {
  const program = join(
    dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
    'dist/index.js',
  )
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...parameters], { maxBuffer: 1 << 26 }, (error, _, stderr) => {
      if (error && typeof error.code !== 'number')
        reject(new Error(`the suite could not be run: ${stderr.slice(0, 500)}`))
      else resolve()
    })
  })
}

interface Check {
  readonly id: string
  readonly status: string
  readonly errorMessage?: string
}

/** Checks by scenario, from folders named `server-<scenario>-<time>`. */
async function resultsIn(folder: string): Promise<[string, Check[]][]> {
  const names = (await readdir(folder)).sort()
  return Promise.all(
    names.map(async (name): Promise<[string, Check[]]> => {
      const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
      return [scenario, JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8'))]
    }),
  )
}

/** Every scenario records a protocol trace, which is not a check. */
const TRACE = /^(?:wire|protocol)-/

function reportOf(revision: string, scenario: string, checks: readonly Check[], reason: string | null): ScenarioReport {
  const told = checks.filter(({ id }) => !TRACE.test(id))
  const passed = told.filter(({ status }) => status === 'SUCCESS').length
  const failures = told.filter(({ status }) => status === 'FAILURE')
  return {
    revision,
    scenario,
    verdict: failures.length > 0 ? 'failed' : passed > 0 ? 'passed' : 'nothing checked',
    passed,
    failed: failures.length,
    reason,
    messages: failures.map(({ id, errorMessage = '' }) => `${id}: ${errorMessage.slice(0, 200)}`),
  }
}

function format(reports: readonly ScenarioReport[]): string {
  const count = (verdict: Verdict) => reports.filter((report) => report.verdict === verdict).length
  const lines = reports.map((report) => {
    const mark = isUnexpected(report) ? style('red', '!') : report.verdict === 'passed' ? style('green', '✓') : ' '
    const why = report.verdict === 'failed' ? `  ${report.reason ?? report.messages.join('; ')}` : ''
    return `${mark} ${report.revision}  ${report.scenario.padEnd(46)} ${report.verdict}, ${report.passed} of ${report.passed + report.failed} checks${why}`
  })
  const known = reports.filter(({ verdict, reason }) => verdict === 'failed' && reason !== null).length
  return [
    ...lines,
    `${count('passed')} scenarios passed, ${count('failed')} failed (${known} with a reason), ${count('nothing checked')} checked nothing`,
    '',
  ].join('\n')
}
