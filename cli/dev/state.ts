/**
 * The folder that holds the data of a local coordinator: whose it is, who uses it, and how it is emptied.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Entries that the coordinator makes in its folder. Nothing else is ever deleted. */
const OWN = ['v3', 'migrations.sha256', 'coordinator.log', 'coordinator.log.1']
const LOCK = 'lock.json'
/** Written when the databases are migrated: the folder is ours. */
export const MARK = 'migrations.sha256'

/** Variable that tells a coordinator that it was started in the background. */
export const BACKGROUND = 'HYBRID_IN_BACKGROUND'

/** A coordinator that uses a folder. */
export interface Instance {
  readonly pid: number
  /** When the process started, as the system tells it: a process id alone may be somebody else's after a restart. */
  readonly identity: string
  readonly port: number
  readonly startedAt: number
  /** Whether it was started with `npm run dev -- start`. */
  readonly background: boolean
  /** Process group of the server, which ends after the process above. */
  readonly group?: { readonly pid: number; readonly identity: string }
}

/** The folder can't be used as asked; the message says why and what to do. */
export class StateError extends Error {
  override name = 'StateError'
}

/** The running coordinator of a folder; null: none. */
export async function readInstance(folder: string): Promise<Instance | null> {
  const instance = await readLock(folder)
  return instance !== null && isAlive(instance) ? instance : null
}

/**
 * Takes a folder for one coordinator.
 * @returns what gives it back, and what notes the server's process group
 * @throws StateError when another one uses it
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
    // Its server may have survived it.
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
 * Whether a folder holds the data of a coordinator.
 * @returns `empty`: there is nothing, or no folder; `ours`; `foreign`: files, but not ours
 * @throws StateError when it is a file
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

/** Bytes of all files below a folder. */
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

/** @throws StateError when a folder isn't one of ours, or a coordinator uses it */
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
 * Deletes the data in a folder, and nothing that isn't the coordinator's.
 * @throws StateError as {@link refuseToEmpty}
 */
export async function emptyState(folder: string): Promise<void> {
  await refuseToEmpty(folder)
  for (const name of OWN) await rm(join(folder, name), { recursive: true, force: true })
}

/** Ends a process group that this program started. */
export function endGroup(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // It has ended.
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

/** When a process started; empty where the system doesn't tell. */
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
