/**
 * Records reported outcomes and ratings.
 * @module
 */
import { TRIES } from '../archive/read.ts'
import { restore } from '../archive/restore.ts'
import { type OutcomeChange, type RecordedOutcome, recordOutcome } from '../database/queries/outcomes.ts'
import { CoordinatorError } from '../errors.ts'
import type { Services } from '../services.ts'

/**
 * Records an outcome or a rating, whether the interaction is in the table or in the archive.
 * @returns null if the interaction doesn't exist; then nothing was written
 * @throws CoordinatorError `engine_unavailable` if its archive can't be read
 */
export async function reportOutcome(services: Services, change: OutcomeChange): Promise<RecordedOutcome | null> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const recorded = await recordOutcome(services.database, change, services.now())
    if (!recorded?.archived) return recorded
    await restore(services, [change.interactionId])
  }
  throw new CoordinatorError('conflict', 'The interaction kept moving while its outcome was recorded.', {
    hint: 'Report it again.',
  })
}
