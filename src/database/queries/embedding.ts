/**
 * Jobs that embed what a collection lacks in the space of the model in use.
 * @module
 */
import { sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

export const EMBED_COLLECTION = 'embed_collection'

/** A collection that failed to be embedded is tried again by a new job after this, in milliseconds. */
const RENEWAL_MS = 900_000

/**
 * Writes a job for a collection unless one waits or runs already.
 * @param subject the collection, as the job's function reads it
 * @returns the job's id; null when there is one already
 */
export async function addEmbeddingJob(
  database: Database,
  project: string,
  subject: string,
  now: number,
): Promise<string | null> {
  const id = newId()
  const { changes } = await execute(
    database,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${id}, ${project}, ${EMBED_COLLECTION}, ${subject}, ${Math.floor(now / RENEWAL_MS)}, 'pending', 0, ${now}, ${now}, ${now}
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE kind = ${EMBED_COLLECTION} AND subject = ${subject}
                            AND status IN ('pending', 'running'))
        ON CONFLICT (kind, subject, revision) DO UPDATE
          SET status = 'pending', attempts = 0, run_after = excluded.run_after, updated_at = excluded.updated_at
          WHERE jobs.status = 'done'`,
  )
  return changes > 0 ? id : null
}
