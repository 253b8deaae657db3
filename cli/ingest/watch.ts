/**
 * Keeps a folder's knowledge fresh: ingests it, and again whenever a file in it has changed.
 * @module
 */
import { join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watch as watchFiles } from 'chokidar'
import { isToolFolder } from './skip-rules.ts'

/** Quiet time after a change before the folder is read: an editor or a checkout writes many files at once. */
const SETTLE_MS = 150
/** Pause before another try when a run failed: the coordinator may not be up yet. */
const RETRY_MS = 10_000

/** A watch under way. */
export interface Watch {
  /** Ends it, after the run under way. */
  stop(): void
  /** When it has ended. */
  ended: Promise<void>
}

/**
 * Runs once, then after every change, one run at a time.
 * @param folder - absolute path
 * @param run - ingests the folder; tells whether it worked, and the directories that need not be watched
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
  // A full queue of the system or a folder that went away: the next change, or the next try, reads everything anyway.
  watcher.on('error', () => undefined)
  await new Promise<void>((ready) => watcher.on('ready', () => ready()))
  // What was saved while the first run was under way.
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
