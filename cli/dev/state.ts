/**
 * The data folder of a local coordinator: its ownership, its lock, and its deletion.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Entries that the coordinator creates in its folder. Nothing else is ever deleted. */
const OWN = ['v3', 'migrations.sha256', 'coordinator.log', 'coordinator.log.1']
const LOCK = 'lock.json'
/** Written when the databases are migrated. It marks the folder as ours. */
export const MARK = 'migrations.sha256'

/** Variable that is set for a coordinator started in the background. */
export const BACKGROUND = 'HYBRID_IN_BACKGROUND'

/** A coordinator that is using a folder. */
export interface Instance {
  readonly pid: number
  /**
   * Start time of the process as reported by the system: after a restart, the process id may belong to another process.
   */
  readonly identity: string
  readonly port: number
  readonly startedAt: number
  /** Whether it was started with `npm run dev -- start`. */
  readonly background: boolean
  /** Process group of the server, which ends after the main process. */
  readonly group?: { readonly pid: number; readonly identity: string }
}

/** The folder can't be used. The message contains the reason and the fix. */
export class StateError extends Error {
  override name = 'StateError'
}

/** The running coordinator of a folder; null: none. */
export async function readInstance(folder: string): Promise<Instance | null> {
  const instance = await readLock(folder)
  return instance !== null && isAlive(instance) ? instance : null
}

/**
 * Locks a folder for one coordinator.
 * @returns functions that release the lock and record the server's process group
 * @throws StateError if another one uses it
 */
export async function lockState(
  folder: string,
  port: number,
): Promise<{ release(): Promise<void>; noteGroup(pid: number): Promise<void> }> {
  await makeFolder(folder)
  const path = join(folder, LOCK)
  const instance: Instance = {
    pid: process.pid,
    identity: identityOf(process.pid),
    port,
    startedAt: Date.now(),
    background: process.env[BACKGROUND] === '1',
  }
  for (;;) {
    const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return null
      throw error
    })
    if (file) {
      await file.writeFile(JSON.stringify(instance))
      await file.close()
      break
    }
    const other = await readInstance(folder)
    if (other)
      throw new StateError(
        `A coordinator already uses ${folder} (http://127.0.0.1:${other.port}, process ${other.pid}).\nStop it with npm run dev -- stop, or choose another folder with --state.`,
      )
    const dead = await readLock(folder)
    // Its server may still be running.
    if (dead?.group && isAlive(dead.group)) endGroup(dead.group.pid)
    await rm(path, { force: true })
  }
  return {
    release: () => unlink(path).catch(() => undefined),
    async noteGroup(pid) {
      const file = await open(path, 'w', 0o600)
      await file.writeFile(JSON.stringify({ ...instance, group: { pid, identity: identityOf(pid) } }))
      await file.close()
    },
  }
}

/**
 * Whether a folder contains the data of a coordinator.
 * @returns `empty`: no content, or no folder; `ours`; `foreign`: other files
 * @throws StateError if it is a file
 */
export async function ownershipOf(folder: string): Promise<'empty' | 'ours' | 'foreign'> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    if (error.code === 'ENOTDIR') throw new StateError(`${folder} is a file; --state takes a folder.`)
    throw error
  })
  if (names.length === 0) return 'empty'
  return names.includes(MARK) && names.includes('v3') ? 'ours' : 'foreign'
}

/** Total size of all files in a folder, in bytes. */
export async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = await Promise.all(
    entries.map((entry) =>
      entry.isFile()
        ? stat(join(entry.parentPath, entry.name)).then(
            ({ size }) => size,
            () => 0,
          )
        : 0,
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** @throws StateError if a folder isn't ours, or is in use by a coordinator */
export async function refuseToEmpty(folder: string): Promise<void> {
  if ((await ownershipOf(folder)) === 'foreign')
    throw new StateError(`${folder} contains no data of Hybrid Coordinator; nothing was deleted.\nCheck --state.`)
  const running = await readInstance(folder)
  if (running)
    throw new StateError(
      `A coordinator uses ${folder} (process ${running.pid}); nothing was deleted.\nStop it with npm run dev -- stop.`,
    )
}

/**
 * Deletes the coordinator's data in a folder, and nothing else.
 * @throws StateError like {@link refuseToEmpty}
 */
export async function emptyState(folder: string): Promise<void> {
  await refuseToEmpty(folder)
  for (const name of OWN) await rm(join(folder, name), { recursive: true, force: true })
}

/** Kills a process group that this program started. */
export function endGroup(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // Already ended.
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' || error.code === 'ENOTDIR')
      throw new StateError(`${folder} is a file; --state takes a folder.`)
    throw error
  })
}

async function readLock(folder: string): Promise<Instance | null> {
  try {
    return JSON.parse(await readFile(join(folder, LOCK), 'utf8')) as Instance
  } catch {
    return null
  }
}

function isAlive({ pid, identity }: { readonly pid: number; readonly identity: string }): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return identityOf(pid) === identity
}

/** Start time of a process; empty if the system doesn't report it. */
function identityOf(pid: number): string {
  if (process.platform === 'win32') return ''
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    }).trim()
  } catch {
    return ''
  }
}
