/**
 * Questions for which nothing relevant was found, from the log of what augmentation showed.
 * @module
 */
import { sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { retrievals } from '../schema.ts'

/** The latest retrievals of a project that are looked through: the work is the same however long the log is. */
export const LOOKED_THROUGH = 1_000

export interface UnansweredQuestion {
  readonly query: string
  /** How often it was asked in vain among those looked through. */
  readonly times: number
  /** Milliseconds since 1970. */
  readonly lastAskedAt: number
  /** Of the latest time. */
  readonly retrievalId: string
}

/**
 * Distinct questions without an answer, asked most often first, then latest first. Left out: what was withheld from a control group,
 * what an earlier turn had carried, and what had an answer that found no room.
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
