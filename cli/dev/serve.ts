/**
 * Runs the Worker in wrangler's development server, after checking its settings and migrating its database.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { watch } from 'node:fs'
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
/** Maximum wait for the server to stop by itself, in milliseconds. */
const END_MS = 8000

/** Options of the server. */
export interface ServeOptions {
  readonly port: number
  readonly state: string
  /** Whether to print requests and the server's own messages. */
  readonly verbose: boolean
}

/**
 * Serves until it is interrupted.
 * @returns the exit code
 * @throws StateError if the folder, the port or a setting is unusable
 */
export async function serve({ port, state, verbose }: ServeOptions): Promise<number> {
  const { schedules } = await checkSettings()
  const lock = await lockState(state, port)
  try {
    await checkPort(port)
    await migrate(state)
    process.stderr.write('Starting …\n')
    const base = `http://127.0.0.1:${port}`
    const settings = watchSettings()
    let child: ChildProcess | null = null
    let stopping = false
    const end = () => {
      const ending = child
      ending?.kill('SIGINT')
      setTimeout(() => ending?.pid !== undefined && endGroup(ending.pid), END_MS).unref()
    }
    const stop = () => {
      if (stopping) return
      stopping = true
      end()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    let crons: Cron[] = []
    let code = 0
    let again = true
    while (again && !stopping) {
      const running = startWrangler(
        ['dev', '--ip', '127.0.0.1', '--port', String(port), '--persist-to', state],
        verbose,
      )
      child = running
      if (running.pid !== undefined) await lock.noteGroup(running.pid)
      const ended = new Promise<number>((resolve, reject) => {
        running.once('error', reject)
        running.once('exit', (status) => resolve(status ?? 0))
      })
      void untilReady(base, ended).then((ready) => {
        if (!ready || stopping || child !== running) return
        if (crons.length === 0) {
          crons = triggerCrons(base, schedules)
          process.stderr.write(welcome(base, state))
        } else process.stderr.write('The changed settings are in use.\n')
      })
      again = false
      settings.onChange = () => {
        again = true
        process.stderr.write('.dev.vars has changed: starting again …\n')
        end()
      }
      code = await ended
      // Its child processes, such as a bundler, don't always end with it.
      if (running.pid !== undefined) endGroup(running.pid)
    }
    settings.close()
    for (const cron of crons) cron.stop()
    return stopping ? 0 : code
  } finally {
    await lock.release()
  }
}

/** Time for a file to be written completely, in milliseconds. */
const SETTLED_MS = 300

/**
 * Watches .dev.vars, which wrangler reads only once. Invalid settings are reported, and the current ones stay in use.
 * @returns a watcher that calls `onChange` after a valid change
 */
function watchSettings(): { onChange: () => void; close(): void } {
  const watched = { onChange: () => {}, close: () => watcher.close() }
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(ROOT, (_, name) => {
    if (name !== '.dev.vars') return
    clearTimeout(timer)
    timer = setTimeout(() => {
      checkSettings().then(
        () => watched.onChange(),
        (error: Error) => process.stderr.write(`${style('red', `.dev.vars: ${error.message}`)}\n`),
      )
    }, SETTLED_MS)
  })
  watcher.unref()
  return watched
}

/**
 * Rejects settings with which every request would fail.
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
 * Runs the Worker's schedules, which wrangler's development server doesn't run: the sweep for lost messages, and the
 * nightly work. Times are in UTC, as at Cloudflare.
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

/** @throws StateError if the port is in use */
async function checkPort(port: number): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const probe = createServer()
    probe.once('error', resolve)
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(null)))
  })
  if (error?.code === 'EACCES')
    throw new StateError(`Port ${port} needs root privileges. Choose one above 1023 with --port.`)
  if (error) throw new StateError(`Port ${port} is in use by another program. Choose another one with --port.`)
}

/** Waits until the coordinator answers or the server ends. A first start takes some time to compile. */
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

/** The address to open and the next steps. If the port is not the default one, commands need the address. */
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

/** Applies migrations, unless the same files were already applied to this state. */
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

/** Starts wrangler as the leader of a process group, so that all its child processes can be ended with it. */
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
