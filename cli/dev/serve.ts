/**
 * Runs the Worker in wrangler's development server, with its settings checked and its database migrated first.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cron } from 'croner'
import { migrateState } from '../shared/local-worker.ts'
import { style } from '../shared/terminal.ts'
import { endGroup, lockState, MARK, StateError } from './state.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Longest wait for the server to stop by itself, in milliseconds. */
const END_MS = 8000

/** How it is run. */
export interface ServeOptions {
  readonly port: number
  readonly state: string
  /** Whether requests and the server's own messages are printed. */
  readonly verbose: boolean
}

/**
 * Serves until it is interrupted.
 * @returns the exit code
 * @throws StateError when the folder, the port or a setting can't be used
 */
export async function serve({ port, state, verbose }: ServeOptions): Promise<number> {
  const { schedules } = await checkSettings()
  const lock = await lockState(state, port)
  try {
    await checkPort(port)
    await migrate(state)
    process.stderr.write('Starting …\n')
    const child = startWrangler(['dev', '--ip', '127.0.0.1', '--port', String(port), '--persist-to', state], verbose)
    if (child.pid !== undefined) await lock.noteGroup(child.pid)
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => resolve(code ?? 0))
    })
    let stopping = false
    const stop = () => {
      if (stopping) return
      stopping = true
      child.kill('SIGINT')
      setTimeout(() => child.pid !== undefined && endGroup(child.pid), END_MS).unref()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    const base = `http://127.0.0.1:${port}`
    let crons: Cron[] = []
    void untilReady(base, ended).then((ready) => {
      if (!ready || stopping) return
      crons = triggerCrons(base, schedules)
      process.stderr.write(welcome(base, state))
    })
    const code = await ended
    for (const cron of crons) cron.stop()
    // What it started, a bundler for one, does not always end with it.
    if (child.pid !== undefined) endGroup(child.pid)
    return stopping ? 0 : code
  } finally {
    await lock.release()
  }
}

/**
 * Refuses settings with which every request would fail.
 * @returns the schedules of wrangler.toml
 * @throws StateError naming the variable, never its value
 */
export async function checkSettings(folder = ROOT): Promise<{ schedules: readonly string[] }> {
  const { unstable_getMiniflareWorkerOptions: readOptions, unstable_readConfig: readConfig } = await import('wrangler')
  const { readSettings } = await import('../../src/settings.ts')
  const { bindings } = readOptions(join(folder, 'wrangler.toml')).workerOptions
  try {
    readSettings(Object.assign({}, bindings))
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string }
    throw new StateError(`${message}\n${hint ?? ''}`.trim())
  }
  return { schedules: readConfig({ config: join(folder, 'wrangler.toml') }).triggers.crons ?? [] }
}

/**
 * Runs the Worker's schedules, which wrangler's development server does not: jobs whose message was lost, and what is done at night.
 * Cloudflare counts in UTC.
 */
export function triggerCrons(base: string, schedules: readonly string[]): Cron[] {
  return schedules.map(
    (schedule) =>
      new Cron(schedule, { timezone: 'UTC', protect: true, unref: true }, async () => {
        const url = `${base}/cdn-cgi/local/scheduled?cron=${encodeURIComponent(schedule)}`
        await fetch(url, { signal: AbortSignal.timeout(300_000) }).catch(() => undefined)
      }),
  )
}

/** @throws StateError when something listens there */
async function checkPort(port: number): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const probe = createServer()
    probe.once('error', resolve)
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(null)))
  })
  if (error?.code === 'EACCES')
    throw new StateError(`Port ${port} needs more rights. Choose one above 1023 with --port.`)
  if (error) throw new StateError(`Port ${port} is in use by another program. Choose another one with --port.`)
}

/** Whether a coordinator answers before the server ends; a first start compiles for some time. */
export async function untilReady(base: string, ended: Promise<unknown>): Promise<boolean> {
  let running = true
  ended.then(
    () => {
      running = false
    },
    () => {
      running = false
    },
  )
  while (running) {
    const healthy = await fetch(`${base}/health`, { signal: AbortSignal.timeout(5000) }).then(
      ({ ok }) => ok,
      () => false,
    )
    if (healthy) return true
    await sleep(200)
  }
  return false
}

/** What to open and what to do next. Other than at the default port, commands need the address. */
export function welcome(base: string, state: string): string {
  const url = base === 'http://127.0.0.1:8787' ? '' : ` --url ${base}`
  return `
  ${style('bold', 'Hybrid Coordinator is ready')}

  Dashboard  ${base}/
  MCP        ${base}/mcp
  API        ${base}/docs
  Data       ${state}

  Next       npm run ingest -- <folder>${url}
             npm run connect -- claude-code --dir <folder>${url}
             npm run ask -- "<question>"${url}

`
}

/** Applies migrations, unless these very files were applied to this state before. */
async function migrate(state: string): Promise<void> {
  const folder = join(ROOT, 'migrations')
  const hash = createHash('sha256')
  for (const name of (await readdir(folder)).sort()) {
    if (name.endsWith('.sql')) hash.update(name).update(await readFile(join(folder, name)))
  }
  const digest = hash.digest('hex')
  const marker = join(state, MARK)
  const applied = await readFile(marker, 'utf8').catch(() => '')
  if (applied === digest) return
  await migrateState(join(state, 'v3'))
  await mkdir(state, { recursive: true })
  await writeFile(marker, digest)
}

/** Starts wrangler as the head of a process group, so that all it starts can be ended with it. */
function startWrangler(parameters: string[], verbose: boolean): ChildProcess {
  const script = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  const quiet = verbose ? [] : ['--log-level', 'error']
  return spawn(process.execPath, [script, ...parameters, '--show-interactive-dev-session=false', ...quiet], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: process.platform !== 'win32',
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
  })
}
