/**
 * Corrections of answers by people and agents.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { corrections } from '../schema.ts'
import type { Inserted } from './interactions.ts'

export type Correction = typeof corrections.$inferSelect

export interface NewCorrection {
  readonly project: string
  readonly interactionId: string | null
  readonly query: string
  readonly originalResponse: string | null
  readonly correction: string
  readonly rating: number | null
  readonly tags: readonly string[]
  readonly model: string | null
  readonly variant: string | null
  readonly idempotencyKey: string | null
  /** Id of the caller's key. */
  readonly caller?: string | null
}

/**
 * Stores a correction and the job that makes it searchable, atomically. Model and variant default to those of the
 * interaction.
 * @returns null if `interactionId` is not an interaction of the project; then nothing was written
 */
export async function insertCorrection(
  database: Database,
  entry: NewCorrection,
  now: number,
): Promise<(Inserted & { readonly jobStatus: string | null }) | null> {
  const id = newId()
  const jobId = newId()
  const about = sql`(SELECT i.id FROM interactions i WHERE i.id = ${entry.interactionId} AND i.project = ${entry.project})`
  const results = await atomically(database, [
    sql`INSERT INTO corrections (id, project, interaction_id, query, original_response, correction, rating, tags, model, variant,
          idempotency_key, caller, created_at)
        SELECT ${id}, ${entry.project}, ${entry.interactionId}, ${entry.query},
          coalesce(${entry.originalResponse}, (SELECT response FROM interactions WHERE id = ${about})), ${entry.correction},
          ${entry.rating}, ${JSON.stringify(entry.tags)},
          coalesce(${entry.model}, (SELECT model_used FROM interactions WHERE id = ${about})),
          coalesce(${entry.variant}, (SELECT variant FROM interactions WHERE id = ${about})), ${entry.idempotencyKey},
          ${entry.caller ?? null}, ${now}
        WHERE ${entry.interactionId} IS NULL OR ${about} IS NOT NULL
        ON CONFLICT (project, idempotency_key) DO NOTHING`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${jobId}, project, 'index_correction', id, 0, 'pending', 0, ${now}, ${now}, ${now}
        FROM corrections WHERE id = ${id}`,
    sql`SELECT c.id, j.status AS job_status FROM corrections c
        LEFT JOIN jobs j ON j.kind = 'index_correction' AND j.subject = c.id AND j.revision = 0
        WHERE c.id = ${id} OR (c.project = ${entry.project} AND c.idempotency_key = ${entry.idempotencyKey})`,
  ])
  const row = results[2]?.rows[0]
  if (!row) return null
  const created = row.id === id
  return { id: String(row.id), created, jobId: created ? jobId : null, jobStatus: row.job_status as string | null }
}

/** One correction; null if it doesn't exist. */
export async function findCorrection(database: Database, id: string): Promise<Correction | null> {
  const [row] = await database.select().from(corrections).where(eq(corrections.id, id)).limit(1)
  return row ?? null
}
