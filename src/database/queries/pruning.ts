/**
 * Deletes old rows of logs.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { leastIdAt, newId } from '../../ids.ts'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

/** Logs that are pruned. */
export const LOGS = ['jobs', 'retrievals', 'routing_decisions'] as const
export type Log = (typeof LOGS)[number]

/** Maximum number of rows that one statement deletes. */
export const PRUNED = 1_000

/** Only ended jobs are deleted. The single training job per project and kind is reused, so its id may be old. */
const CONDITIONS: Readonly<Record<Log, (before: number) => SQL>> = {
  jobs: (before) => sql`AND status IN ('done', 'discarded') AND updated_at < ${before}`,
  retrievals: () => sql``,
  routing_decisions: () => sql``,
}

/**
 * Deletes up to 1,000 rows of a log that are older than a given time. Triggers update their rollups. Ids encode the
 * time, so newer rows are not read.
 * @returns number of deleted rows
 */
export async function pruneLog(database: Database, log: Log, before: number): Promise<number> {
  const name = sql.identifier(log)
  const { rows } = await execute(
    database,
    sql`DELETE FROM ${name} WHERE id IN (SELECT id FROM ${name} WHERE id < ${leastIdAt(before)} ${CONDITIONS[log](before)}
          ORDER BY id LIMIT ${PRUNED}) RETURNING 1`,
  )
  return rows.length
}

/**
 * Writes the job that prunes the logs on this day. A second call on the same day adds none.
 * @param day number of the day (UTC) since 1970
 * @returns the job's id; null if it already exists
 */
export async function schedulePruning(database: Database, day: number, now: number): Promise<string | null> {
  const { rows } = await execute(
    database,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        VALUES (${newId()}, '-', 'prune_logs', '-', ${day}, 'pending', 0, ${now}, ${now}, ${now})
        ON CONFLICT (kind, subject, revision) DO NOTHING RETURNING id`,
  )
  const [row] = rows
  return row ? String(row.id) : null
}
