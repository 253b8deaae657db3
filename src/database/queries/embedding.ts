/**
 * Jobs that compute a collection's missing vectors in the space of the current model.
 * @module
 */
import { sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

export const EMBED_COLLECTION = 'embed_collection'

/** After a failed embedding job, how long until a new job tries again, in milliseconds. */
const RENEWAL_MS = 900_000

/** The pending and running jobs of a collection. */
const open = (project: string, subject: string) =>
  sql`project = ${project} AND kind = ${EMBED_COLLECTION} AND subject = ${subject} AND status IN ('pending', 'running')`

/** Writes a job for a collection unless one is pending or running. */
const insert = (project: string, subject: string, now: number, runAfter: number) =>
  sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
      SELECT ${newId()}, ${project}, ${EMBED_COLLECTION}, ${subject}, ${Math.floor(now / RENEWAL_MS)}, 'pending', 0, ${runAfter}, ${now}, ${now}
      WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE ${open(project, subject)})
      ON CONFLICT (kind, subject, revision) DO UPDATE
        SET status = 'pending', attempts = 0, run_after = excluded.run_after, updated_at = excluded.updated_at
        WHERE jobs.status = 'done'
      RETURNING id`

/**
 * Writes a job for a collection unless one is pending or running.
 * @param subject the collection, in the format of the job's function
 * @returns the id of the due job; null if one is running or postponed
 */
export async function addEmbeddingJob(
  database: Database,
  project: string,
  subject: string,
  now: number,
): Promise<string | null> {
  const added = await execute(database, insert(project, subject, now, now))
  const [row] = added.rows.length
    ? added.rows
    : (
        await execute(
          database,
          sql`SELECT id FROM jobs WHERE ${open(project, subject)} AND status = 'pending' AND run_after <= ${now} LIMIT 1`,
        )
      ).rows
  return row ? String(row.id) : null
}

/** Postpones a collection's job. A running job continues. */
export async function postponeEmbeddingJob(
  database: Database,
  project: string,
  subject: string,
  now: number,
  until: number,
): Promise<void> {
  await execute(database, insert(project, subject, now, until))
  await execute(
    database,
    sql`UPDATE jobs SET run_after = ${until}, updated_at = ${now}
        WHERE ${open(project, subject)} AND status = 'pending' AND run_after < ${until}`,
  )
}
