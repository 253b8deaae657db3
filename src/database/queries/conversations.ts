/**
 * Background work on conversations.
 * @module
 */
import { sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

/**
 * Writes the job that summarises a conversation after a turn. One job per turn.
 * @returns its id; null if it already exists
 */
export async function queueSummary(
  database: Database,
  project: string,
  conversation: string,
  turn: number,
  now: number,
): Promise<string | null> {
  const id = newId()
  const { changes } = await execute(
    database,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        VALUES (${id}, ${project}, 'summarise_conversation', ${JSON.stringify([project, conversation])}, ${turn}, 'pending', 0,
          ${now}, ${now}, ${now})
        ON CONFLICT DO NOTHING`,
  )
  return changes > 0 ? id : null
}
