/**
 * The queue's consumer. A message is only a hint that a row may be due; the row keeps what is left to do, and the sweep finds
 * it when the queue has lost its message or given up on it.
 * @module
 */
import { readControls } from '../database/queries/controls.ts'
import { runJob } from '../learning/run-job.ts'
import type { Services } from '../operations/operation.ts'
import type { JobMessage } from './message.ts'

/**
 * Runs the jobs of one batch, oldest cause first, each at most once.
 * A message whose row can't even be claimed or ended (the database doesn't answer) goes back to the queue.
 * While background work is paused nothing runs; the rows wait for the sweep.
 */
export async function consume(batch: MessageBatch<JobMessage>, services: Services): Promise<void> {
  if ((await readControls(services.database)).paused) return batch.ackAll()
  const messages = [...batch.messages].sort((a, b) => (a.body.jobId < b.body.jobId ? -1 : 1))
  for (const message of messages) {
    try {
      const run = await runJob(services, message.body.jobId)
      if (run?.status === 'waiting' || run?.status === 'failed') {
        message.retry({ delaySeconds: Math.max(1, Math.ceil((run.runAfter - services.now()) / 1000)) })
      } else message.ack()
    } catch {
      message.retry()
    }
  }
}
