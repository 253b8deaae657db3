/**
 * Imports interactions that happened elsewhere in batches, with their outcomes.
 * @module
 */
import { sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { redact } from '../../security/redact.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import type { AgentType, Outcome } from '../schema.ts'

export interface ImportedInteraction {
  readonly query: string
  readonly response: string
  readonly agentType: AgentType
  readonly modelUsed: string
  readonly tokensUsed: number
  readonly latencyMs: number
  readonly tags: readonly string[]
  readonly variant: string | null
  readonly outcome: Outcome | null
  readonly userFeedback: number | null
  readonly idempotencyKey: string | null
  /** When it happened. */
  readonly createdAt: number
}

export interface ImportOptions {
  readonly project: string
  /** Id of the key that imports the outcomes. */
  readonly caller: string
  /** Whether that key has `admin`, so that its reports count as verified. */
  readonly admin: boolean
  /** Whether to write the jobs that index and score each interaction. */
  readonly learn: boolean
}

export interface ImportResult {
  /** Ids of the interactions in order. If an idempotency key is known, the id of the existing interaction. */
  readonly ids: string[]
  readonly created: boolean[]
  /** Jobs for the new interactions. */
  readonly jobIds: string[]
}

/**
 * Stores interactions with their outcomes, outcome history and jobs, atomically. An interaction with a known
 * idempotency key changes nothing.
 */
export async function importInteractions(
  database: Database,
  entries: readonly ImportedInteraction[],
  options: ImportOptions,
  now: number,
): Promise<ImportResult> {
  const rows = entries.map((entry) => ({
    ...entry,
    query: redact(entry.query),
    response: redact(entry.response),
    id: newId(),
    event: newId(),
    index: newId(),
    score: newId(),
  }))
  const json = JSON.stringify(rows)
  const field = (name: string) => sql.raw(`value ->> '${name}'`)
  const stored = sql`json_each(${json}) JOIN interactions i ON i.id = ${field('id')}`
  const known = sql`${field('outcome')} IS NOT NULL OR ${field('userFeedback')} IS NOT NULL`
  const { project, caller } = options
  const results = await atomically(database, [
    sql`INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, variant,
          outcome, user_feedback, revision, last_event, idempotency_key, caller, imported, verified, created_at, updated_at)
        SELECT ${field('id')}, ${project}, ${field('query')}, ${field('response')}, ${field('agentType')},
          ${field('modelUsed')}, ${field('tokensUsed')}, ${field('latencyMs')}, value -> 'tags', ${field('variant')},
          ${field('outcome')}, ${field('userFeedback')}, CASE WHEN ${known} THEN 1 ELSE 0 END,
          CASE WHEN ${known} THEN ${field('event')} END, ${field('idempotencyKey')}, ${caller}, 1,
          ${options.admin ? sql`${field('outcome')} IS 'success'` : sql`0`}, ${field('createdAt')}, ${now}
        FROM json_each(${json}) WHERE 1
        ON CONFLICT (project, idempotency_key) DO NOTHING`,
    sql`INSERT INTO outcome_events (id, interaction_id, project, outcome, user_feedback, caller, created_at)
        SELECT i.last_event, i.id, ${project}, i.outcome, i.user_feedback, ${caller}, ${now}
        FROM ${stored} WHERE i.last_event IS NOT NULL`,
    sql`INSERT INTO outcome_votes (interaction_id, caller, outcome, independent)
        SELECT i.id, ${caller}, i.outcome, ${options.admin ? 1 : 0} FROM ${stored} WHERE i.outcome IS NOT NULL
        ON CONFLICT DO NOTHING`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${field('index')}, ${project}, 'index_interaction', i.id, 0, 'pending', 0, ${now}, ${now}, ${now}
        FROM ${stored} WHERE ${options.learn ? 1 : 0}
        UNION ALL
        SELECT ${field('score')}, ${project}, 'score_interaction', i.id, i.revision, 'pending', 0, ${now}, ${now}, ${now}
        FROM ${stored} WHERE ${options.learn ? 1 : 0} AND i.revision > 0`,
    sql`SELECT value ->> 'id' AS own, (SELECT j.id FROM interactions j WHERE j.id = value ->> 'id') AS stored,
          (SELECT j.id FROM interactions j WHERE j.project = ${project} AND j.idempotency_key = value ->> 'idempotencyKey') AS earlier
        FROM json_each(${json}) ORDER BY json_each.key`,
  ])
  const found = results[4]?.rows ?? []
  const created = found.map((row) => row.stored !== null)
  const fresh = options.learn ? rows.filter((_, i) => created[i]) : []
  return {
    ids: found.map((row) => String(row.stored ?? row.earlier)),
    created,
    jobIds: fresh.flatMap((row) =>
      row.outcome !== null || row.userFeedback !== null ? [row.index, row.score] : [row.index],
    ),
  }
}
