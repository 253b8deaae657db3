/**
 * Keeps a folder's knowledge up to date: ingests it, and again whenever a file changes.
 * @module
 */
import { join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watch as watchFiles } from 'chokidar'
import { isToolFolder } from './skip-rules.ts'

/** Quiet time after a change before the folder is read, because editors and checkouts write many files at once. */
const SETTLE_MS = 150
/** Pause before a retry after a failed run: the coordinator may not be up yet. */
const RETRY_MS = 10_000

/** A running watch. */
export interface Watch {
  /** Ends the watch after the current run. */
  stop(): void
  /** Resolves when the watch has ended. */
  ended: Promise<void>
}

/**
 * Runs once, then after every change, with one run at a time.
 * @param folder - absolute path
 * @param run - ingests the folder; returns whether it succeeded, and the directories that need not be watched
 */
export async function watchFolder(
  folder: string,
  run: () => Promise<{ ok: boolean; ignored: readonly string[] }>,
): Promise<Watch> {
  const aborted = new AbortController()
  let wake: (() => void) | undefined
  let changed = false
  const first = await run()
  const ignored = new Set(first.ignored.filter((path) => path.endsWith('/')).map((path) => join(folder, path)))
  const watcher = watchFiles(folder, {
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
    ignored: (path) =>
      ignored.has(path) || ignored.has(`${path}${sep}`) || relative(folder, path).split(sep).some(isToolFolder),
  })
  watcher.on('all', () => {
    changed = true
    wake?.()
  })
  // If the system's queue overflows or the folder disappears, the next change or retry reads everything anyway.
  watcher.on('error', () => undefined)
  await new Promise<void>((ready) => watcher.on('ready', () => ready()))
  // Changes made during the first run.
  changed = true

  const loop = async (): Promise<void> => {
    let { ok } = first
    while (!aborted.signal.aborted) {
      if (!changed) {
        await Promise.race([
          new Promise<void>((resolve) => {
            wake = resolve
          }),
          ...(ok ? [] : [sleep(RETRY_MS, undefined, { signal: aborted.signal }).catch(() => undefined)]),
        ])
      }
      if (aborted.signal.aborted) break
      await sleep(SETTLE_MS)
      changed = false
      ;({ ok } = await run())
    }
    await watcher.close()
  }
  return {
    stop: () => {
      aborted.abort()
      wake?.()
    },
    ended: loop(),
  }
}
