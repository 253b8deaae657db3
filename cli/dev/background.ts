/**
 * Runs a coordinator in the background: start, stop, status, logs, and start at login.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, watch, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { untilReady } from './serve.ts'
import { BACKGROUND, endGroup, type Instance, readInstance, StateError } from './state.ts'

const ROOT = join(import.meta.dirname, '../..')
const LOG = 'coordinator.log'
/** A larger log is moved aside at the next start. */
const MAX_LOG_BYTES = 5_000_000
/** Maximum wait for a coordinator to stop by itself, in milliseconds. */
const STOP_MS = 15_000
/**
 * Maximum wait for a coordinator to answer after its start, in milliseconds. Without it, a source that doesn't build
 * would block forever.
 */
const START_MS = 180_000
/** Number of lines that `logs` prints. */
const LOG_LINES = 100

/**
 * Starts a coordinator in the background, unless one is already using this folder.
 * @param limitMs maximum wait for its first answer
 * @returns its address, and whether this call started it
 * @throws StateError with its output if it ends or doesn't answer in time; then nothing is left running
 */
export async function startInBackground(
  state: string,
  port: number,
  limitMs = START_MS,
): Promise<{ base: string; started: boolean }> {
  const running = await readInstance(state)
  if (running) return { base: baseOf(running), started: false }
  await mkdir(state, { recursive: true })
  const path = join(state, LOG)
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size > MAX_LOG_BYTES) await rename(path, `${path}.1`)
  const log = await open(path, 'a', 0o600)
  const { size: from } = await log.stat()
  const child = spawn(process.execPath, devCommand(state, port), {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, NO_COLOR: '1', [BACKGROUND]: '1' },
  })
  await log.close()
  const base = `http://127.0.0.1:${port}`
  const limit = new AbortController()
  const ready = await untilReady(base, Promise.race([exitOf(child), sleep(limitMs, undefined, limit)]))
  limit.abort()
  if (!ready) {
    await stopBackground(state)
    if (child.pid !== undefined) endGroup(child.pid)
    const said = (await readFile(path, 'utf8')).slice(from).trim()
    throw new StateError(`The coordinator did not start.\n${said}`)
  }
  child.unref()
  return { base, started: true }
}

/**
 * Stops the coordinator of a folder.
 * @returns the stopped coordinator; null: none was running
 */
export async function stopBackground(state: string): Promise<Instance | null> {
  const running = await readInstance(state)
  if (!running) return null
  process.kill(running.pid, 'SIGTERM')
  for (const deadline = Date.now() + STOP_MS; await readInstance(state); await sleep(100)) {
    if (Date.now() < deadline) continue
    if (running.group) endGroup(running.group.pid)
    process.kill(running.pid, 'SIGKILL')
    await sleep(500)
    break
  }
  return running
}

/** The address of a running coordinator. */
export function baseOf({ port }: Pick<Instance, 'port'>): string {
  return `http://127.0.0.1:${port}`
}

/** Prints the end of the log and, with `follow`, new lines. */
export async function printLogs(state: string, follow: boolean, out: NodeJS.WritableStream): Promise<void> {
  const path = join(state, LOG)
  const text = await readFile(path, 'utf8').catch(() => {
    throw new StateError('There is no log: no coordinator was started in the background for this folder.')
  })
  out.write(
    text
      .split('\n')
      .slice(-LOG_LINES - 1)
      .join('\n'),
  )
  if (!follow) return
  let at = Buffer.byteLength(text)
  for await (const _ of watch(path)) {
    const { size } = await stat(path)
    if (size <= at) continue
    for await (const piece of createReadStream(path, { start: at, end: size - 1 })) out.write(piece as Buffer)
    at = size
  }
}

/** The environment for starting at login. */
export interface BootWorld {
  readonly platform: NodeJS.Platform
  readonly home: string
  run(program: string, parameters: readonly string[]): Promise<unknown>
}

/** This machine. */
export function thisMachine(env: NodeJS.ProcessEnv = process.env): BootWorld {
  return { platform: process.platform, home: env.HOME || homedir(), run: promisify(execFile) }
}

/**
 * Configures systemd or launchd to start the coordinator when its user signs in.
 * @returns the written configuration file
 * @throws StateError on systems with neither
 */
export async function startAtBoot(state: string, port: number, world: BootWorld): Promise<string> {
  const { path, text, enable } = bootFile(state, port, world)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text, { mode: 0o644 })
  for (const [program, ...parameters] of enable) await runOrExplain(world, program, parameters)
  return path
}

/** Reverts {@link startAtBoot}. */
export async function stopAtBoot(state: string, port: number, world: BootWorld): Promise<string> {
  const { path, disable } = bootFile(state, port, world)
  for (const [program, ...parameters] of disable) await world.run(program, parameters).catch(() => undefined)
  await rm(path, { force: true })
  return path
}

interface BootFile {
  readonly path: string
  readonly text: string
  readonly enable: readonly [string, ...string[]][]
  readonly disable: readonly [string, ...string[]][]
}

function bootFile(state: string, port: number, { platform, home }: BootWorld): BootFile {
  const command = [process.execPath, ...devCommand(state, port)]
  if (platform === 'linux') {
    const unit = 'hybrid-coordinator.service'
    const quoted = command.map(
      (word) => `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`,
    )
    return {
      path: join(home, '.config/systemd/user', unit),
      text: `[Unit]\nDescription=Hybrid Coordinator\n\n[Service]\nEnvironment=HYBRID_IN_BACKGROUND=1\nWorkingDirectory=${ROOT.replaceAll('%', '%%')}\nExecStart=${quoted.join(' ')}\nRestart=on-abnormal\n\n[Install]\nWantedBy=default.target\n`,
      enable: [
        ['systemctl', '--user', 'daemon-reload'],
        ['systemctl', '--user', 'enable', unit],
      ],
      disable: [['systemctl', '--user', 'disable', unit]],
    }
  }
  if (platform === 'darwin') {
    const path = join(home, 'Library/LaunchAgents/hybrid-coordinator.plist')
    const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    const words = command.map((word) => `<string>${escaped(word)}</string>`).join('')
    return {
      path,
      text: `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0"><dict>\n<key>Label</key><string>hybrid-coordinator</string>\n<key>ProgramArguments</key><array>${words}</array>\n<key>WorkingDirectory</key><string>${escaped(ROOT)}</string>\n<key>RunAtLoad</key><true/>\n</dict></plist>\n`,
      // launchd reads the folder at sign-in. Loading the file now would start a second coordinator.
      enable: [],
      disable: [],
    }
  }
  throw new StateError(
    `A start with the machine is made for Linux (systemd) and macOS (launchd). Elsewhere have this run at sign-in:\n${command.join(' ')}`,
  )
}

async function runOrExplain(world: BootWorld, program: string, parameters: readonly string[]): Promise<void> {
  try {
    await world.run(program, parameters)
  } catch (error) {
    throw new StateError(`${program} ${parameters.join(' ')} failed: ${(error as Error).message.trim()}`)
  }
}

function devCommand(state: string, port: number): string[] {
  return [join(ROOT, 'cli/main.ts'), 'dev', '--port', String(port), '--state', state]
}

function exitOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => {
    child.once('exit', resolve)
    child.once('error', resolve)
  })
}
