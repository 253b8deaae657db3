/**
 * The consumer of the dead-letter queue. The rows are the source of truth, so no work is lost with a message. A dropped
 * message is recorded where people look: in its job's row, and in the log.
 * @module
 */
import { markDeadLetters } from '../database/queries/jobs.ts'
import { log } from '../log.ts'
import type { Services } from '../services.ts'
import type { JobMessage } from './message.ts'

/** Suffix of the name of a dead-letter queue. */
export const DEAD_LETTERS = '-dead'

/** Records dead messages in the rows of unfinished jobs. The sweep runs those jobs when they are due. */
export async function keepDeadLetters(batch: MessageBatch<JobMessage>, services: Services): Promise<void> {
  const ids = batch.messages.map(({ body }) => body.jobId)
  try {
    const open = await markDeadLetters(services.database, ids, services.now())
    log(
      'error',
      'dead_letters',
      { queue: batch.queue, messages: ids.length, open_jobs: open },
      services.settings.LOG_LEVEL,
    )
    batch.ackAll()
  } catch {
    batch.retryAll()
  }
}
