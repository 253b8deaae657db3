/**
 * Questions for which nothing relevant was found, from the log of augmentations.
 * @module
 */
import { sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { retrievals } from '../schema.ts'

/** Number of latest retrievals of a project that are scanned. It bounds the work, however long the log is. */
export const LOOKED_THROUGH = 1_000

export interface UnansweredQuestion {
  readonly query: string
  /** Number of times it was asked without an answer, among the scanned retrievals. */
  readonly times: number
  /** Milliseconds since 1970. */
  readonly lastAskedAt: number
  /** Id of the latest retrieval. */
  readonly retrievalId: string
}

/**
 * Distinct questions without an answer, most frequent first, then latest first. Excludes context withheld from a
 * control group, context that an earlier turn included, and answers that didn't fit in the budget.
 */
export async function unansweredQuestions(
  database: Database,
  project: string,
  limit: number,
): Promise<UnansweredQuestion[]> {
  const latest = sql`SELECT * FROM ${retrievals} WHERE project = ${project} ORDER BY id DESC LIMIT ${LOOKED_THROUGH}`
  return database.all<UnansweredQuestion>(sql`
    SELECT query, count(*) AS times, max(created_at) AS lastAskedAt, max(id) AS retrievalId FROM (${latest})
    WHERE shown = '[]' AND control = 0 AND tokens_spared = 0 AND tokens_top_whole = 0
    GROUP BY query ORDER BY times DESC, retrievalId DESC LIMIT ${limit}`)
}
