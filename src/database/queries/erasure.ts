/**
 * Deletes all data of a project, a conversation or a key from the database, in repeatable steps.
 * @module
 */
import { sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import type { CollectionName } from '../../knowledge/collections.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { ADDED_VOTES, type ItemReference } from './credit.ts'
import type { FactTable } from './erasure-selection.ts'

/** Rows that one step deletes from a table without ordered ids. */
export const CHUNK = 1_000

/**
 * Deletes interactions with all their dependents in one transaction: the credit of their votes is subtracted, and
 * patterns learnt from them are deleted and learnt again from the remaining interactions.
 * @returns deleted rows by table (counted by returned rows, because D1's own count includes changes by triggers)
 */
export async function eraseInteractions(
  database: Database,
  ids: readonly string[],
  now: number,
): Promise<Record<string, number>> {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const credited = sql`FROM outcome_votes v JOIN interactions i ON i.id = v.interaction_id
    JOIN interaction_contexts c ON c.interaction_id = i.id WHERE i.id IN ${list} AND v.credited IS NOT NULL`
  const taken = sql`-sum(v.credited = 'success'), -sum(v.credited = 'partial'), -sum(v.credited = 'failure')`
  const takenOf = (given: 0 | 1) => sql`-sum(c.given = ${given} AND v.credited = 'success'),
    -sum(c.given = ${given} AND v.credited = 'partial'), -sum(c.given = ${given} AND v.credited = 'failure')`
  const added = sql`successes = successes + excluded.successes, partials = partials + excluded.partials,
    failures = failures + excluded.failures`
  const sources = sql`SELECT pattern_id FROM pattern_sources WHERE interaction_id IN ${list}`
  const { rows: fellows } = await execute(
    database,
    sql`SELECT DISTINCT interaction_id FROM pattern_sources WHERE pattern_id IN (${sources})`,
  )
  const relearnt = fellows.map((row) => [row.interaction_id, newId()])
  const results = await atomically(database, [
    sql`INSERT INTO context_votes (project, collection, item_id, caller, successes, partials, failures, unseen_successes,
          unseen_partials, unseen_failures)
        SELECT i.project, c.collection, c.item_id, v.caller, ${takenOf(1)}, ${takenOf(0)} ${credited}
        GROUP BY i.project, c.collection, c.item_id, v.caller ON CONFLICT DO UPDATE SET ${ADDED_VOTES}`,
    sql`INSERT INTO context_credit (project, collection, item_id, successes, partials, failures, version, updated_at)
        SELECT i.project, c.collection, c.item_id, ${taken}, 1, ${now} ${credited}
        GROUP BY i.project, c.collection, c.item_id
        ON CONFLICT DO UPDATE SET ${added}, version = version + 1, updated_at = excluded.updated_at`,
    // A pattern's remaining sources are processed again, because its text may have come from a deleted one.
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT value ->> 1, i.project, 'learn_pattern', i.id, i.revision, 'pending', 0, ${now}, ${now}, ${now}
        FROM json_each(${JSON.stringify(relearnt)}) JOIN interactions i ON i.id = value ->> 0 WHERE i.id NOT IN ${list}
        ON CONFLICT (kind, subject, revision) DO UPDATE SET status = 'pending', attempts = 0, run_after = excluded.run_after,
          updated_at = excluded.updated_at WHERE jobs.status = 'done'`,
    sql`DELETE FROM patterns WHERE id IN (${sources}) RETURNING 1`,
    sql`DELETE FROM pattern_sources WHERE pattern_id IN (${sources}) RETURNING 1`,
    sql`DELETE FROM jobs WHERE kind = 'index_correction' AND subject IN
          (SELECT id FROM corrections WHERE interaction_id IN ${list}) RETURNING 1`,
    sql`DELETE FROM corrections WHERE interaction_id IN ${list} RETURNING 1`,
    sql`DELETE FROM outcome_events WHERE interaction_id IN ${list} RETURNING 1`,
    sql`DELETE FROM outcome_votes WHERE interaction_id IN ${list} RETURNING 1`,
    sql`DELETE FROM interaction_contexts WHERE interaction_id IN ${list} RETURNING 1`,
    sql`DELETE FROM jobs WHERE kind IN ('index_interaction', 'score_interaction', 'learn_pattern') AND subject IN ${list} RETURNING 1`,
    sql`DELETE FROM interactions WHERE id IN ${list} RETURNING 1`,
  ])
  const count = (index: number) => results[index]?.rows.length ?? 0
  return {
    patterns: count(3),
    corrections: count(6),
    outcome_events: count(7),
    outcome_votes: count(8),
    interaction_contexts: count(9),
    jobs: count(5) + count(10),
    interactions: count(11),
  }
}

/** Deletes rows by id. Returns the number of deleted rows. */
export async function eraseRows(
  database: Database,
  table: Exclude<FactTable, 'interactions'>,
  ids: readonly string[],
): Promise<number> {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const results = await atomically(database, [
    sql`DELETE FROM ${sql.identifier(table)} WHERE id IN ${list} RETURNING 1`,
    ...(table === 'corrections' ? [sql`DELETE FROM jobs WHERE kind = 'index_correction' AND subject IN ${list}`] : []),
  ])
  return results[0]?.rows.length ?? 0
}

/** Deletes up to 1,000 rows of a project from a table of {@link PROJECT_TABLES}. Returns the number of deleted rows. */
export async function eraseOfProject(database: Database, table: string, project: string): Promise<number> {
  const name = sql.identifier(table)
  const { rows } = await execute(
    database,
    sql`DELETE FROM ${name} WHERE rowid IN (SELECT rowid FROM ${name} WHERE project = ${project} LIMIT ${CHUNK}) RETURNING 1`,
  )
  return rows.length
}

/** Deletes the jobs that summarise conversations. */
export async function eraseSummaryJobs(
  database: Database,
  project: string,
  conversations: readonly string[],
): Promise<void> {
  const subjects = JSON.stringify(conversations.map((conversation) => JSON.stringify([project, conversation])))
  await execute(
    database,
    sql`DELETE FROM jobs WHERE kind = 'summarise_conversation' AND subject IN (SELECT value FROM json_each(${subjects}))`,
  )
}

/**
 * Removes a key's reports on others' interactions: its votes are deleted with their credit; its reports are kept
 * without the key. Works in steps of 1,000 rows.
 * @returns the items whose credit has changed, and the number of changed rows; 0: nothing is left
 */
export async function eraseVotes(
  database: Database,
  { key, project }: { readonly key: string; readonly project: string | null },
  now: number,
): Promise<{ changed: number; credited: ItemReference[] }> {
  const own = sql`caller = ${key} AND (${project} IS NULL OR project = ${project})`
  const chunk = sql`SELECT rowid FROM context_votes WHERE ${own} ORDER BY rowid LIMIT ${CHUNK}`
  const inProject = sql`(${project} IS NULL OR interaction_id IN (SELECT id FROM interactions WHERE project = ${project}))`
  const results = await atomically(database, [
    sql`SELECT project, collection, item_id AS id FROM context_votes WHERE rowid IN (${chunk})`,
    sql`UPDATE context_credit SET successes = context_credit.successes - v.successes - v.unseen_successes,
          partials = context_credit.partials - v.partials - v.unseen_partials,
          failures = context_credit.failures - v.failures - v.unseen_failures, version = version + 1, updated_at = ${now}
        FROM (SELECT * FROM context_votes WHERE rowid IN (${chunk})) v
        WHERE context_credit.project = v.project AND context_credit.collection = v.collection AND context_credit.item_id = v.item_id`,
    sql`DELETE FROM context_votes WHERE rowid IN (${chunk}) RETURNING 1`,
    sql`DELETE FROM outcome_votes WHERE rowid IN
          (SELECT rowid FROM outcome_votes WHERE caller = ${key} AND ${inProject} LIMIT ${CHUNK}) RETURNING 1`,
    sql`UPDATE outcome_events SET caller = 'deleted' WHERE rowid IN
          (SELECT rowid FROM outcome_events WHERE ${own} LIMIT ${CHUNK}) RETURNING 1`,
  ])
  const changed = [2, 3, 4].reduce((sum, index) => sum + (results[index]?.rows.length ?? 0), 0)
  return {
    changed,
    credited: (results[0]?.rows ?? []).map((row) => ({
      project: String(row.project),
      collection: row.collection as CollectionName,
      id: String(row.id),
    })),
  }
}
