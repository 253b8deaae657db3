/**
 * The outbox sweep, run by cron. Picks up rows whose message was lost, whose backoff is over, or whose runner died.
 * @module
 */
import { withBudget } from '../budget.ts'
import { readControls } from '../database/queries/controls.ts'
import { dueJobs } from '../database/queries/jobs.ts'
import type { Services } from '../services.ts'
import { runJob } from './run-job.ts'

/** Rows that became due more recently are left to their messages. */
export const SWEEP_AGE_MS = 30_000
/** Maximum number of rows that one sweep announces. */
const ANNOUNCED = 500
/** Number of rows that one sweep runs itself if the queue is unavailable. */
const RUN_DIRECTLY = 20

/**
 * Announces overdue rows to the queue again, or runs a few of them directly if the queue is down. Does nothing while
 * background work is paused.
 * @returns the number of rows announced (at most 500) and the number run directly
 */
export async function sweep(services: Services): Promise<{ enqueued: number; ran: number }> {
  if ((await readControls(services.database)).paused) return { enqueued: 0, ran: 0 }
  const ids = await dueJobs(services.database, { before: services.now() - SWEEP_AGE_MS, limit: ANNOUNCED })
  if (ids.length === 0) return { enqueued: 0, ran: 0 }
  try {
    await services.enqueueJobs(ids)
    return { enqueued: ids.length, ran: 0 }
  } catch {
    let ran = 0
    await withBudget(async (budget) => {
      for (const id of ids.slice(0, RUN_DIRECTLY)) if (!budget.spent && (await runJob(services, id))) ran++
    })
    return { enqueued: 0, ran }
  }
}
