/**
 * What an interaction's outcome says about it and about the context it was given.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import type { CollectionName, ContextSource } from '../../knowledge/collections.ts'
import type { CreditUpdate } from '../../knowledge/stores/store.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import type { Outcome, ValueParts } from '../schema.ts'

export interface Score {
  readonly value: number
  readonly parts: ValueParts
  readonly version: string
}

/**
 * In one transaction: writes the score if the interaction is still at `revision`, and brings the counters of its context up to
 * the present votes. What each vote was already counted as is taken back first, so running twice, late or beside another
 * run leaves the same counters. When there is something to learn from it (a high score, a failure, or a pattern that rests on
 * it), the job that learns it is written too.
 * @param highValue score from which an interaction is worth learning from
 * @returns id of the job that learns from this revision; null when there is none
 */
export async function applyOutcome(
  database: Database,
  interactionId: string,
  revision: number,
  score: Score | null,
  highValue: number,
  now: number,
): Promise<string | null> {
  // One row for each uncounted vote and item: what the vote adds, less what it added before.
  const difference = (name: Outcome) => sql`(v.outcome IS ${name}) - (v.credited IS ${name})`
  const uncounted = sql`FROM outcome_votes v JOIN interactions i ON i.id = v.interaction_id
    JOIN interaction_contexts c ON c.interaction_id = i.id WHERE i.id = ${interactionId} AND v.credited IS NOT v.outcome`
  const results = await atomically(database, [
    sql`UPDATE interactions SET value_score = ${score?.value ?? null}, value_version = ${score?.version ?? null},
          value_parts = ${score ? JSON.stringify(score.parts) : null}
        WHERE id = ${interactionId} AND revision = ${revision}`,
    sql`INSERT INTO context_votes (project, collection, item_id, caller, successes, partials, failures)
        SELECT i.project, c.collection, c.item_id, v.caller, ${difference('success')}, ${difference('partial')},
          ${difference('failure')} ${uncounted}
        ON CONFLICT (project, collection, item_id, caller) DO UPDATE SET successes = successes + excluded.successes,
          partials = partials + excluded.partials, failures = failures + excluded.failures`,
    sql`INSERT INTO context_credit (project, collection, item_id, successes, partials, failures, version, updated_at)
        SELECT i.project, c.collection, c.item_id, sum(${difference('success')}), sum(${difference('partial')}),
          sum(${difference('failure')}), 1, ${now} ${uncounted} GROUP BY i.project, c.collection, c.item_id
        ON CONFLICT (project, collection, item_id) DO UPDATE SET successes = successes + excluded.successes,
          partials = partials + excluded.partials, failures = failures + excluded.failures,
          version = version + 1, updated_at = excluded.updated_at`,
    sql`UPDATE outcome_votes SET credited = outcome WHERE interaction_id = ${interactionId} AND credited IS NOT outcome`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${newId()}, project, 'learn_pattern', id, revision, 'pending', 0, ${now}, ${now}, ${now} FROM interactions
        WHERE id = ${interactionId} AND revision = ${revision} AND (value_score >= ${highValue} OR outcome = 'failure'
          OR EXISTS (SELECT 1 FROM pattern_sources s WHERE s.interaction_id = interactions.id))
        ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT id FROM jobs WHERE kind = 'learn_pattern' AND subject = ${interactionId} AND revision = ${revision}`,
  ])
  const job = results[5]?.rows[0]
  return job ? String(job.id) : null
}

/** An item of a collection. */
export interface ItemReference {
  readonly project: string
  readonly collection: CollectionName
  readonly id: string
}

/** One caller's votes on one item; `version` belongs to the item's counters, all callers together. */
export interface ItemVotes extends CreditUpdate {
  readonly project: string
  readonly collection: ContextSource
}

const VOTES = sql`k.project, k.collection, k.item_id AS id, k.version, coalesce(v.successes, 0) AS successes,
  coalesce(v.partials, 0) AS partials, coalesce(v.failures, 0) AS failures`
const CALLER_VOTES_JOIN = sql`LEFT JOIN context_votes v ON v.project = k.project AND v.collection = k.collection AND v.item_id = k.item_id`

/** The votes on every item that an interaction was given: a row for each item and caller, as of one moment. */
export function votesOnContext(database: Database, interactionId: string): Promise<ItemVotes[]> {
  return votes(
    database,
    sql`SELECT ${VOTES} FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
        JOIN context_credit k ON k.project = i.project AND k.collection = c.collection AND k.item_id = c.item_id
        ${CALLER_VOTES_JOIN} WHERE c.interaction_id = ${interactionId} ORDER BY c.position, v.caller`,
  )
}

/** The votes on these items: a row for each item and caller, as of one moment. One whose votes were taken back has a row of zeros. */
export function votesOnItems(database: Database, items: readonly ItemReference[]): Promise<ItemVotes[]> {
  return votes(
    database,
    sql`SELECT ${VOTES} FROM (SELECT DISTINCT value FROM json_each(${JSON.stringify(items)})) asked JOIN context_credit k
          ON k.project = asked.value ->> 'project' AND k.collection = asked.value ->> 'collection'
          AND k.item_id = asked.value ->> 'id' ${CALLER_VOTES_JOIN}`,
  )
}

async function votes(database: Database, query: SQL): Promise<ItemVotes[]> {
  const { rows } = await execute(database, query)
  return rows.map((row) => ({
    project: String(row.project),
    collection: row.collection as ContextSource,
    id: String(row.id),
    version: Number(row.version),
    successes: Number(row.successes),
    partials: Number(row.partials),
    failures: Number(row.failures),
  }))
}

/** Items with a known outcome, by posterior mean of success under a uniform prior; best or worst first. */
export async function creditedItems(
  database: Database,
  project: string,
  order: 'best' | 'worst',
  limit: number,
): Promise<{ collection: ContextSource; itemId: string; successes: number; partials: number; failures: number }[]> {
  const { rows } = await execute(
    database,
    sql`SELECT collection, item_id, successes, partials, failures FROM context_credit
        WHERE project = ${project} AND successes + partials + failures > 0
        ORDER BY (1.0 + successes + partials / 2.0) / (2.0 + successes + partials + failures) ${sql.raw(order === 'best' ? 'DESC' : 'ASC')},
          successes + partials + failures DESC, item_id LIMIT ${limit}`,
  )
  return rows.map((row) => ({
    collection: row.collection as ContextSource,
    itemId: String(row.item_id),
    successes: Number(row.successes),
    partials: Number(row.partials),
    failures: Number(row.failures),
  }))
}
