/**
 * Runs `ingest` like a user, in a separate process, and measures its cost.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Report } from '../../../cli/ingest/report.ts'

const MAIN = join(import.meta.dirname, '../../../cli/main.mjs')
const USAGE = join(import.meta.dirname, 'usage.mjs')
const execute = promisify(execFile)

/** The result and cost of a run. */
export interface Ran {
  readonly code: number
  readonly report: Report
  readonly seconds: number
  /** CPU time of the command itself, without git. */
  readonly cpu: number
  readonly megabytes: number
}

let runs = 0

/** Starts `ingest` with `--json`. */
export function startIngest(folder: string, parameters: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, ['--max-semi-space-size=4', MAIN, 'ingest', folder, '--json', ...parameters], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
}

/** Runs `ingest` until it ends. */
export async function runIngest(folder: string, parameters: readonly string[]): Promise<Ran> {
  const usage = join(tmpdir(), `usage-${process.pid}-${runs++}.json`)
  const started = performance.now()
  const child = startIngest(folder, parameters, { NODE_OPTIONS: `--import=${USAGE}`, USAGE_FILE: usage })
  let out = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)))
  const seconds = (performance.now() - started) / 1_000
  const { kilobytes, cpu } = JSON.parse(await readFile(usage, 'utf8')) as { kilobytes: number; cpu: number }
  await rm(usage, { force: true })
  return { code, report: JSON.parse(out.trim()) as Report, seconds, cpu, megabytes: kilobytes / 1_024 }
}

/** Runs git in a folder. */
export async function git(folder: string, ...parameters: string[]): Promise<string> {
  const safe = ['-c', 'user.name=measure', '-c', 'user.email=measure@example.com', '-c', 'advice.detachedHead=false']
  const { stdout } = await execute('git', ['-C', folder, ...safe, ...parameters], { maxBuffer: 256 * 1024 * 1024 })
  return stdout
}

/** CPU seconds used by the local Workers of this process; 0 if `ps` doesn't report it. */
export async function workerCpu(): Promise<number> {
  const { stdout } = await execute('ps', ['-eo', 'ppid=,comm=,cputimes=']).catch(() => ({ stdout: '' }))
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([parent, name]) => Number(parent) === process.pid && name === 'workerd')
    .reduce((sum, [, , seconds]) => sum + Number(seconds), 0)
}
