/**
 * The queue's consumer. A message is only a hint that a row may be due. The row describes the remaining work, and the
 * sweep finds the row if the queue loses or drops its message.
 * @module
 */
import { withBudget } from '../budget.ts'
import { readControls } from '../database/queries/controls.ts'
import { log } from '../log.ts'
import type { Services } from '../services.ts'
import { inTrace, traceFrom } from '../tracing.ts'
import type { JobMessage } from './message.ts'
import { type JobRun, runJob } from './run-job.ts'

/** Jobs with a longer delay are left to the sweep, in milliseconds. */
const MAX_DELAY_MS = 60_000

/**
 * Runs the jobs of one batch, oldest cause first, each at most once. Jobs that exceed the budget of the invocation are
 * sent to the queue again. If a row can't be claimed or ended because the database doesn't answer, its message is
 * returned to the queue. While background work is paused, nothing runs; the rows wait for the sweep.
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
    // New messages don't count as retries, after which a queue drops a message. The sweep picks up jobs that can't be
    // sent.
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
      // A job that continues or waits has not failed: a new message doesn't count as a retry.
      if (again !== null && again <= MAX_DELAY_MS)
        await services.enqueueJobs([jobId], delaySeconds).catch(() => undefined)
      message.ack()
    }
  } catch {
    message.retry()
  }
}

/** Logs one line per run: the job, and how it ended. */
function logRun({ settings }: Services, jobId: string, { kind, status, error }: JobRun): void {
  const level = status === 'dead' ? 'error' : status === 'failed' ? 'warn' : 'info'
  log(level, 'job', { job_id: jobId, kind, status, error }, settings.LOG_LEVEL)
}
