/**
 * What follows from an outcome: the value score, the credit of the context, and the refreshed entry in interaction-history.
 * @module
 */
import { applyOutcome } from '../database/queries/credit.ts'
import { findInteraction } from '../database/queries/interactions.ts'
import { earlierIndexPending } from '../database/queries/jobs.ts'
import type { Services } from '../operations/operation.ts'
import { earlierSimilarities, indexInteraction } from './history.ts'
import { VALUE_VERSION, valueParts, valueScore } from './value-score.ts'

/**
 * Scores one revision of an interaction. Safe to repeat, to run late and to run beside itself: a score of an older revision is
 * not written, and credit is the difference between what is and what was counted.
 * @returns `not_ready` while an earlier interaction of the project is still to be indexed: novelty and recurrence are
 *   measured against all of them
 */
export async function scoreInteraction(
  services: Services,
  id: string,
  revision: number,
): Promise<'done' | 'not_ready'> {
  const { database, knowledge } = services
  const row = await findInteraction(database, id, null)
  if (!row || row.revision !== revision) return 'done'
  if (await earlierIndexPending(database, row.project, id)) return 'not_ready'
  let score = null
  if (row.outcome !== null) {
    const parts = valueParts({
      query: row.query,
      response: row.response,
      outcome: row.outcome,
      userFeedback: row.userFeedback,
      similarities: await earlierSimilarities(services, row),
    })
    score = { value: valueScore(parts), parts, version: VALUE_VERSION }
  }
  const credit = await applyOutcome(database, id, revision, score, services.now())
  for (const [collection, updates] of credit) {
    await knowledge.setCredit({ project: row.project, collection }, updates)
  }
  await indexInteraction(services, id)
  return 'done'
}
