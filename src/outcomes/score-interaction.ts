/**
 * Processes an outcome: computes the value score, credits the context, and updates the entry in interaction-history.
 * @module
 */

import { tableInteraction } from '../archive/restore.ts'
import { applyOutcome, votesOnContext } from '../database/queries/credit.ts'
import { earlierIndexPending } from '../database/queries/jobs.ts'
import type { Services } from '../services.ts'
import { earlierSimilarities, indexInteraction } from './history.ts'
import { syncCredit } from './sync-credit.ts'
import { valueParts, valueScore, valueVersion } from './value-score.ts'

/**
 * Scores one revision of an interaction. Safe to repeat, to run late and to run concurrently: a score of an older
 * revision is not written, and credit changes by the difference between the current and the counted votes.
 * @returns `not_ready` while an earlier interaction of the project is not indexed yet: novelty and recurrence are
 *   measured against all earlier ones
 */
export async function scoreInteraction(
  services: Services,
  id: string,
  revision: number,
): Promise<'done' | 'not_ready'> {
  const { database } = services
  const row = await tableInteraction(services, id)
  if (!row || row.revision !== revision) return 'done'
  if (await earlierIndexPending(database, row.project, id)) return 'not_ready'
  let score = null
  if (row.outcome !== null) {
    const weights = services.settings.VALUE_WEIGHTS
    const facts = {
      query: row.query,
      response: row.response,
      outcome: row.outcome,
      userFeedback: row.userFeedback,
      similarities: await earlierSimilarities(services, row),
    }
    const parts = valueParts(facts, weights)
    score = { value: valueScore(parts), parts, version: valueVersion(weights) }
  }
  const threshold = services.settings.HIGH_VALUE_THRESHOLD
  const learning = await applyOutcome(database, id, revision, score, threshold, services.now())
  await syncCredit(database, [services.knowledge], await votesOnContext(database, id))
  await indexInteraction(services, id)
  if (learning !== null) await services.enqueueJobs([learning]).catch(() => undefined)
  return 'done'
}
