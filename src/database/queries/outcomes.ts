/**
 * Outcomes and ratings. The change, its history and its job are written in one transaction.
 * @module
 */
import { asc, eq, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { type JobStatus, type Outcome, outcomeEvents } from '../schema.ts'

export interface OutcomeChange {
  readonly interactionId: string
  /** Missing: unchanged. */
  readonly outcome?: Outcome
  /** −1, 0 or 1. Missing: unchanged. */
  readonly userFeedback?: number
  /** Id of the caller's key. */
  readonly caller: string
  /**
   * Whether that key has `admin`, so that its report counts as independent even for interactions that it tracked
   * itself.
   */
  readonly admin: boolean
  /** The only project that the caller may change; null: any. */
  readonly onlyProject: string | null
  readonly idempotencyKey: string | null
}

export interface RecordedOutcome {
  /** False: nothing changed and nothing was written. */
  readonly changed: boolean
  readonly project: string
  readonly outcome: Outcome | null
  readonly userFeedback: number | null
  readonly revision: number
  readonly valueScore: number | null
  /** JSON as stored. */
  readonly valueParts: string | null
  /** The job that scores this revision; null if there never was one. */
  readonly jobId: string | null
  readonly jobStatus: JobStatus | null
  /** Whether the interaction is archived: nothing was written, it must be restored first. */
  readonly archived: boolean
}

/**
 * Changes outcome and rating of an interaction, and the caller's vote. Unchanged values write nothing. Concurrent
 * changes are applied one after the other, each with a row in the history. The last report is the outcome; every
 * caller's last report is its vote.
 * @returns null if the interaction doesn't exist; then nothing was written
 */
export async function recordOutcome(
  database: Database,
  change: OutcomeChange,
  now: number,
): Promise<RecordedOutcome | null> {
  const event = newId()
  const jobId = newId()
  const outcome = change.outcome ?? null
  const feedback = change.userFeedback ?? null
  const id = change.interactionId
  const mine = sql`FROM interactions WHERE id = ${id} AND last_event = ${event}`
  const results = await atomically(database, [
    sql`UPDATE interactions SET outcome = coalesce(${outcome}, outcome), user_feedback = coalesce(${feedback}, user_feedback),
          revision = revision + 1, last_event = ${event}, value_score = NULL, value_parts = NULL, value_version = NULL,
          updated_at = ${now}
        WHERE id = ${id} AND archive_id IS NULL AND (${change.onlyProject} IS NULL OR project = ${change.onlyProject})
          AND ((${outcome} IS NOT NULL AND (outcome IS NOT ${outcome} OR NOT EXISTS (SELECT 1 FROM outcome_votes
              WHERE interaction_id = ${id} AND caller = ${change.caller} AND outcome = ${outcome})))
            OR (${feedback} IS NOT NULL AND user_feedback IS NOT ${feedback}))
          AND NOT EXISTS (SELECT 1 FROM outcome_events
            WHERE interaction_id = ${id} AND idempotency_key = ${change.idempotencyKey})`,
    sql`INSERT INTO outcome_events (id, interaction_id, project, outcome, user_feedback, caller, idempotency_key, created_at)
        SELECT ${event}, id, project, outcome, user_feedback, ${change.caller}, ${change.idempotencyKey}, ${now} ${mine}`,
    sql`INSERT INTO outcome_votes (interaction_id, caller, outcome, independent)
        SELECT id, ${change.caller}, ${outcome}, ${change.admin ? 1 : 0} OR (caller IS NOT NULL AND caller <> ${change.caller})
        ${mine} AND ${outcome} IS NOT NULL
        ON CONFLICT (interaction_id, caller) DO UPDATE SET outcome = excluded.outcome, independent = excluded.independent`,
    sql`UPDATE interactions SET verified = EXISTS (SELECT 1 FROM outcome_votes v
          WHERE v.interaction_id = interactions.id AND v.independent AND v.outcome = 'success')
        WHERE id = ${id} AND last_event = ${event}`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${jobId}, project, 'score_interaction', id, revision, 'pending', 0, ${now}, ${now}, ${now} ${mine}`,
    sql`SELECT i.project, i.outcome, i.user_feedback, i.revision, i.value_score, i.value_parts, i.last_event, i.archive_id,
          j.id AS job_id, j.status AS job_status
        FROM interactions i
        LEFT JOIN jobs j ON j.kind = 'score_interaction' AND j.subject = i.id AND j.revision = i.revision
        WHERE i.id = ${id} AND (${change.onlyProject} IS NULL OR i.project = ${change.onlyProject})`,
  ])
  const row = results[5]?.rows[0]
  if (!row) return null
  return {
    changed: row.last_event === event,
    project: String(row.project),
    outcome: row.outcome as Outcome | null,
    userFeedback: row.user_feedback as number | null,
    revision: Number(row.revision),
    valueScore: row.value_score as number | null,
    valueParts: row.value_parts as string | null,
    jobId: row.job_id as string | null,
    jobStatus: row.job_status as JobStatus | null,
    archived: row.archive_id !== null,
  }
}

/** Every change of one interaction's outcome and rating, oldest first. */
export function outcomeHistory(database: Database, interactionId: string) {
  return database
    .select()
    .from(outcomeEvents)
    .where(eq(outcomeEvents.interactionId, interactionId))
    .orderBy(asc(outcomeEvents.id))
}
