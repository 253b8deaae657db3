/**
 * The queue's consumer. A message is only a hint that a row may be due; the row keeps what is left to do, and the sweep finds
 * it when the queue has lost its message or given up on it.
 * @module
 */
import { withBudget } from '../budget.ts'
import { readControls } from '../database/queries/controls.ts'
import { log } from '../log.ts'
import type { Services } from '../services.ts'
import { inTrace, traceFrom } from '../tracing.ts'
import type { JobMessage } from './message.ts'
import { type JobRun, runJob } from './run-job.ts'

/** A job that waits longer than this, in milliseconds, is left to the sweep. */
const MAX_DELAY_MS = 60_000

/**
 * Runs the jobs of one batch, oldest cause first, each at most once. Jobs for which the budget of the invocation has no room are sent
 * to the queue once more.
 * A message whose row can't even be claimed or ended (the database doesn't answer) goes back to the queue.
 * While background work is paused nothing runs; the rows wait for the sweep.
 */
export function consume(batch: MessageBatch<JobMessage>, services: Services): Promise<void> {
  return withBudget(async (budget) => {
    if ((await readControls(services.database)).paused) return batch.ackAll()
    const messages = [...batch.messages].sort((a, b) => (a.body.jobId < b.body.jobId ? -1 : 1))
    const left = new Set<string>()
    for (const message of messages) {
      if (budget.spent) {
        left.add(message.body.jobId)
        message.ack()
      } else await handle(message, services)
    }
    // New messages cost none of the retries after which a queue gives one up. What can't be sent is made up for by the sweep.
    if (left.size > 0) await services.enqueueJobs([...left]).catch(() => undefined)
  })
}

async function handle(message: Message<JobMessage>, services: Services): Promise<void> {
  try {
    const { jobId, traceparent } = message.body
    const run = await inTrace(traceFrom(traceparent), async () => {
      const ran = await runJob(services, jobId)
      if (ran) logRun(services, jobId, ran)
      return ran
    })
    const again = run && run.status !== 'done' && run.status !== 'dead' ? run.runAfter - services.now() : null
    const delaySeconds = run?.status === 'unfinished' ? 0 : Math.max(1, Math.ceil((again ?? 0) / 1000))
    if (run?.status === 'failed') message.retry({ delaySeconds })
    else {
      // What goes on or waits has not failed: a new message costs no retry.
      if (again !== null && again <= MAX_DELAY_MS)
        await services.enqueueJobs([jobId], delaySeconds).catch(() => undefined)
      message.ack()
    }
  } catch {
    message.retry()
  }
}

/** One line a run: which job, and how it ended. */
function logRun({ settings }: Services, jobId: string, { kind, status, error }: JobRun): void {
  const level = status === 'dead' ? 'error' : status === 'failed' ? 'warn' : 'info'
  log(level, 'job', { job_id: jobId, kind, status, error }, settings.LOG_LEVEL)
}
