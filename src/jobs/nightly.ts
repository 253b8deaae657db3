/**
 * Work that cron starts every night: one export job for each project with new learning data since the last night, one
 * archiving job for each project with interactions that have not changed for long, and one job that prunes the logs.
 * @module
 */

import { coldBefore } from '../archive/archive.ts'
import { scheduleArchiving } from '../database/queries/archives.ts'
import { scheduleExports } from '../database/queries/exports.ts'
import { schedulePruning } from '../database/queries/pruning.ts'
import type { Services } from '../services.ts'
import { DAY_MS } from '../time.ts'

/**
 * The cron expression of the sweep, as in wrangler.toml. Any other expression starts the nightly work, so its time can
 * be edited there. Starting it more than once a day has no effect.
 */
export const EVERY_MINUTE = '* * * * *'

/** Overlap of two nights, so that a late cron run misses nothing. Exporting unchanged data creates no new file. */
const OVERLAP_MS = 7_200_000

/**
 * Writes and announces the export jobs of this day (UTC). A second call on the same day adds none.
 * @returns number of projects whose export is in progress
 */
export async function exportNightly(services: Services): Promise<number> {
  const now = services.now()
  const ids = await scheduleExports(services.database, now - DAY_MS - OVERLAP_MS, Math.floor(now / DAY_MS), now)
  await services.enqueueJobs(ids).catch(() => undefined)
  return ids.length
}

/**
 * Writes and announces the archiving jobs of this day (UTC). A second call on the same day adds none.
 * @returns number of projects whose archiving is in progress
 */
export async function archiveNightly(services: Services): Promise<number> {
  const now = services.now()
  // Without the setting, nothing new is archived, but stale archives are still tidied.
  const before = coldBefore(services) ?? 0
  const ids = await scheduleArchiving(services.database, before, Math.floor(now / DAY_MS), now)
  await services.enqueueJobs(ids).catch(() => undefined)
  return ids.length
}

/**
 * Writes and announces the job that prunes the logs on this day (UTC). A second call on the same day adds none.
 * @returns whether the job was written
 */
export async function pruneNightly(services: Services): Promise<boolean> {
  const now = services.now()
  const id = await schedulePruning(services.database, Math.floor(now / DAY_MS), now)
  if (id) await services.enqueueJobs([id]).catch(() => undefined)
  return id !== null
}
