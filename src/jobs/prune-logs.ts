/**
 * The job that deletes old rows of logs, so that the database doesn't grow with what nothing reads any more.
 * @module
 */
import type { Budget } from '../budget.ts'
import { LOGS, PRUNED, pruneLog } from '../database/queries/pruning.ts'
import type { Services } from '../services.ts'

const DAY_MS = 86_400_000
/** Days that a job which has ended is kept, so that `list_jobs` shows it. */
export const JOB_DAYS = 30

/** Deletes ended jobs after 30 days, retrievals and routing decisions after LOG_DAYS; `more` while some are left. */
export async function pruneLogs(services: Services, budget: Budget): Promise<'done' | 'more'> {
  const days = services.settings.LOG_DAYS
  for (const log of LOGS) {
    if (log !== 'jobs' && days === 0) continue
    const before = services.now() - (log === 'jobs' ? JOB_DAYS : days) * DAY_MS
    while ((await pruneLog(services.database, log, before)) === PRUNED) if (budget.spent) return 'more'
  }
  return 'done'
}
