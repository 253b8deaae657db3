/**
 * The job that deletes old log rows that are no longer read, so that the database doesn't keep growing.
 * @module
 */
import type { Budget } from '../budget.ts'
import { LOGS, PRUNED, pruneLog } from '../database/queries/pruning.ts'
import type { Services } from '../services.ts'

const DAY_MS = 86_400_000
/** Number of days that ended jobs are kept for `list_jobs`. */
export const JOB_DAYS = 30

/**
 * Deletes ended jobs after 30 days, and retrievals and routing decisions after LOG_DAYS. Returns `more` if some are
 * left.
 */
export async function pruneLogs(services: Services, budget: Budget): Promise<'done' | 'more'> {
  const days = services.settings.LOG_DAYS
  for (const log of LOGS) {
    if (log !== 'jobs' && days === 0) continue
    const before = services.now() - (log === 'jobs' ? JOB_DAYS : days) * DAY_MS
    while ((await pruneLog(services.database, log, before)) === PRUNED) if (budget.spent) return 'more'
  }
  return 'done'
}
