/**
 * The outbox sweep, run by cron: rows whose message was lost, whose backoff is over, or whose runner died.
 * @module
 */
import { withBudget } from '../budget.ts'
import { readControls } from '../database/queries/controls.ts'
import { dueJobs } from '../database/queries/jobs.ts'
import type { Services } from '../services.ts'
import { runJob } from './run-job.ts'

/** A row that has been due for less is left to its message. */
export const SWEEP_AGE_MS = 30_000
/** Rows that one sweep announces at most. */
const ANNOUNCED = 500
/** Rows that one sweep runs itself when the queue doesn't take them. */
const RUN_DIRECTLY = 20

/**
 * Announces overdue rows to the queue again, or runs a few of them here when the queue is down. Does nothing while background
 * work is paused.
 * @returns how many rows were overdue (at most 500) and what was done about them
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
