/**
 * Deletes all data of a project, a conversation or a key from the database, in repeatable steps.
 * @module
 */
import { getTableColumns, getTableName, is, type SQL, sql } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { newId } from '../../ids.ts'
import type { CollectionName } from '../../knowledge/collections.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import * as schema from '../schema.ts'
import { ADDED_VOTES, type ItemReference } from './credit.ts'

/** The data to select. */
export type Selection =
  | { readonly what: 'project'; readonly project: string }
  | { readonly what: 'conversation'; readonly project: string; readonly conversation: string }
  | { readonly what: 'key'; readonly key: string; readonly project: string | null }

/** Tables of facts, whose ids increase with time. */
export type FactTable = 'interactions' | 'retrievals' | 'routing_decisions' | 'corrections'

/**
 * Rows of a table that one step scans, and the maximum that it selects: each may have a conversation, with its own
 * Durable Object.
 */
const WINDOW = 2_000
const TAKEN = 200
/** Rows that one step deletes from a table without ordered ids. */
export const CHUNK = 1_000

/**
 * Tables with a project column that are kept when a project is deleted: keys, the audit log, and the deletions
 * themselves.
 */
export const KEPT_TABLES: readonly string[] = ['keys', 'audit_log', 'deletions']
/** Tables whose rows belong to rows of other tables and are deleted with them. */
export const DEPENDENT_TABLES: readonly string[] = ['interaction_contexts', 'outcome_votes', 'pattern_sources']
/** Tables without project or content. */
export const GLOBAL_TABLES: readonly string[] = ['learning_controls', 'model_usage', 'generation_usage']

/** Every table with a project column, in deletion order: facts before the rollups derived from them. */
export const PROJECT_TABLES: readonly string[] = Object.values(schema)
  .filter((value) => is(value, SQLiteTable))
  .filter((table) => 'project' in getTableColumns(table as unknown as SQLiteTable))
  .map((table) => getTableName(table as unknown as SQLiteTable))
  .filter((name) => !KEPT_TABLES.includes(name))
  .sort((a, b) => Number(a.startsWith('rollup_')) - Number(b.startsWith('rollup_')) || (a < b ? -1 : 1))

function matching(selection: Selection, table: FactTable): SQL {
  switch (selection.what) {
    case 'project':
      return sql`project = ${selection.project}`
    case 'conversation':
      return table === 'corrections'
        ? sql`0`
        : sql`project = ${selection.project} AND conversation_id = ${selection.conversation}`
    case 'key':
      return sql`caller = ${selection.key} AND (${selection.project} IS NULL OR project = ${selection.project})`
  }
}

/** A row to delete. */
export interface SelectedRow {
  readonly id: string
  readonly project: string
  readonly conversation: string | null
  readonly retrieval: string | null
}

/**
 * The rows of the selection among the next 2,000 rows of a table, at most 200.
 * @returns `next`: the position to continue from; null at the end of the table
 */
export async function selectRows(
  database: Database,
  table: FactTable,
  selection: Selection,
  after: string,
): Promise<{ rows: SelectedRow[]; next: string | null }> {
  const name = sql.identifier(table)
  const within = selection.project === null ? sql`id > ${after}` : sql`project = ${selection.project} AND id > ${after}`
  const [end, found] = await atomically(database, [
    sql`SELECT max(id) AS last, count(*) AS n FROM (SELECT id FROM ${name} WHERE ${within} ORDER BY id LIMIT ${WINDOW})`,
    sql`SELECT id, project, ${table === 'corrections' ? sql`NULL` : sql`conversation_id`} AS conversation,
          ${table === 'interactions' ? sql`retrieval_id` : sql`NULL`} AS retrieval
        FROM (SELECT * FROM ${name} WHERE ${within} ORDER BY id LIMIT ${WINDOW}) WHERE ${matching(selection, table)} ORDER BY id LIMIT ${TAKEN}`,
  ])
  const rows = found?.rows ?? []
  const last = rows.length === TAKEN ? rows.at(-1)?.id : null
  const whole = Number(end?.rows[0]?.n ?? 0) < WINDOW
  return {
    rows: rows.map((row) => ({
      id: String(row.id),
      project: String(row.project),
      conversation: row.conversation === null ? null : String(row.conversation),
      retrieval: row.retrieval === null ? null : String(row.retrieval),
    })),
    next: last !== null ? String(last) : whole ? null : String(end?.rows[0]?.last),
  }
}

/** Whether any of these interactions and corrections belongs to the selection, or was deleted. */
export async function selectedAmong(
  database: Database,
  selection: Selection,
  ids: readonly string[],
): Promise<boolean> {
  const { rows } = await execute(
    database,
    sql`WITH asked AS (SELECT value AS id FROM json_each(${JSON.stringify(ids)}))
        SELECT 1 FROM asked WHERE
          EXISTS (SELECT 1 FROM interactions WHERE interactions.id = asked.id AND ${matching(selection, 'interactions')})
          OR EXISTS (SELECT 1 FROM corrections WHERE corrections.id = asked.id AND (${matching(selection, 'corrections')}
            OR EXISTS (SELECT 1 FROM interactions WHERE interactions.id = corrections.interaction_id
              AND ${matching(selection, 'interactions')})))
          OR (NOT EXISTS (SELECT 1 FROM interactions WHERE interactions.id = asked.id)
            AND NOT EXISTS (SELECT 1 FROM corrections WHERE corrections.id = asked.id)) LIMIT 1`,
  )
  return rows.length > 0
}

/**
 * The tables whose rows have items of their own, by collection. Items' keys are the row ids; items of patterns have the
 * pattern's id.
 */
const ITEM_TABLES = { 'interaction-history': 'interactions', 'learning-feedback': 'corrections' } as const

/** Collections with items that represent rows. */
export const ROW_COLLECTIONS: readonly CollectionName[] = [
  'interaction-history',
  'learning-feedback',
  'skills-patterns',
  'error-solutions',
]

/**
 * The items among these whose rows were deleted. Items that users stored in the pattern collections represent no rows.
 */
export async function orphanedItems(
  database: Database,
  collection: CollectionName,
  items: readonly { readonly id: string; readonly key: string }[],
): Promise<string[]> {
  const table = Object.hasOwn(ITEM_TABLES, collection) ? ITEM_TABLES[collection as keyof typeof ITEM_TABLES] : null
  const own = table ? items : items.filter(({ key }) => key.startsWith('pattern:'))
  const { rows } = await execute(
    database,
    sql`SELECT value ->> 'id' AS id FROM json_each(${JSON.stringify(own)})
        WHERE value ->> ${table ? 'key' : 'id'} NOT IN (SELECT id FROM ${sql.identifier(table ?? 'patterns')})`,
  )
  return rows.map((row) => String(row.id))
}

/** Data that depends on interactions, in addition to their rows. */
export interface Dependents {
  readonly corrections: { readonly id: string; readonly project: string }[]
  /** Items of patterns that are based on them. */
  readonly patterns: ItemReference[]
  /** Items whose credit they changed. */
  readonly credited: ItemReference[]
}

/** Looks up the dependents of these interactions. */
export async function dependentsOf(database: Database, ids: readonly string[]): Promise<Dependents> {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const [corrections, patterns, credited] = await atomically(database, [
    sql`SELECT id, project FROM corrections WHERE interaction_id IN ${list}`,
    sql`SELECT id, project, collection FROM patterns
        WHERE id IN (SELECT pattern_id FROM pattern_sources WHERE interaction_id IN ${list})`,
    sql`SELECT DISTINCT i.project, c.collection, c.item_id AS id FROM outcome_votes v JOIN interactions i ON i.id = v.interaction_id
        JOIN interaction_contexts c ON c.interaction_id = i.id WHERE i.id IN ${list} AND v.credited IS NOT NULL`,
  ])
  const references = (rows: readonly Record<string, unknown>[] = []) =>
    rows.map((row) => ({
      project: String(row.project),
      collection: row.collection as CollectionName,
      id: String(row.id),
    }))
  return {
    corrections: (corrections?.rows ?? []).map((row) => ({ id: String(row.id), project: String(row.project) })),
    patterns: references(patterns?.rows),
    credited: references(credited?.rows),
  }
}

/** Other archived interactions that the same patterns are based on. */
export async function fellowSources(database: Database, ids: readonly string[]): Promise<string[]> {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const { rows } = await execute(
    database,
    sql`SELECT DISTINCT s.interaction_id AS id FROM pattern_sources s JOIN interactions i ON i.id = s.interaction_id
        WHERE s.pattern_id IN (SELECT pattern_id FROM pattern_sources WHERE interaction_id IN ${list})
          AND i.archive_id IS NOT NULL`,
  )
  return rows.map((row) => String(row.id))
}

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

/** The knowledge that a key wrote: up to 500 references of one source. */
export async function writtenBy(
  database: Database,
  key: string,
  project: string | null,
): Promise<{ project: string; collection: CollectionName; source: string; references: string[] } | null> {
  const own = sql`caller = ${key} AND (${project} IS NULL OR project = ${project})`
  const { rows } = await execute(
    database,
    sql`WITH first AS (SELECT project, collection, source FROM knowledge_writers WHERE ${own} LIMIT 1)
        SELECT w.project, w.collection, w.source, w.reference FROM knowledge_writers w JOIN first
          ON w.project = first.project AND w.collection = first.collection AND w.source = first.source
        WHERE w.caller = ${key} LIMIT 500`,
  )
  const [first] = rows
  if (!first) return null
  return {
    project: String(first.project),
    collection: first.collection as CollectionName,
    source: String(first.source),
    references: rows.map((row) => String(row.reference)),
  }
}

/**
 * Current number of rows in the selection, by table. For a key, it reads whole tables: an index by key would make every
 * write more expensive for a rare operation.
 */
export async function countSelected(database: Database, selection: Selection): Promise<Record<string, number>> {
  const counted: [string, SQL][] = []
  if (selection.what === 'project') {
    for (const table of PROJECT_TABLES) {
      counted.push([
        table,
        sql`SELECT count(*) AS n FROM ${sql.identifier(table)} WHERE project = ${selection.project}`,
      ])
    }
    for (const [table, column] of [
      ['interaction_contexts', 'interaction_id'],
      ['outcome_votes', 'interaction_id'],
    ] as const) {
      counted.push([
        table,
        sql`SELECT count(*) AS n FROM ${sql.identifier(table)}
            WHERE ${sql.identifier(column)} IN (SELECT id FROM interactions WHERE project = ${selection.project})`,
      ])
    }
  } else {
    for (const table of ['interactions', 'retrievals', 'routing_decisions', 'corrections'] as const) {
      if (selection.what === 'conversation' && table === 'corrections') continue
      counted.push([table, sql`SELECT count(*) AS n FROM ${sql.identifier(table)} WHERE ${matching(selection, table)}`])
    }
  }
  if (selection.what === 'key') {
    const own = sql`caller = ${selection.key} AND (${selection.project} IS NULL OR project = ${selection.project})`
    for (const table of ['knowledge_writers', 'context_votes', 'outcome_events'] as const) {
      counted.push([table, sql`SELECT count(*) AS n FROM ${sql.identifier(table)} WHERE ${own}`])
    }
  }
  const results = await atomically(
    database,
    counted.map(([, statement]) => statement),
  )
  return Object.fromEntries(counted.map(([table], i) => [table, Number(results[i]?.rows[0]?.n ?? 0)]))
}

/** The next dataset of a project, or of all projects, in order of id, among those created since a given time. */
export async function datasetsAfter(
  database: Database,
  project: string | null,
  after: string,
  since = 0,
): Promise<{ id: string; key: string; createdAt: number; rows: number } | null> {
  const { rows } = await execute(
    database,
    sql`SELECT id, key, created_at, rows FROM exports WHERE id > ${after} AND created_at >= ${since} AND (${project} IS NULL OR project = ${project})
        ORDER BY id LIMIT 1`,
  )
  const [row] = rows
  return row
    ? { id: String(row.id), key: String(row.key), createdAt: Number(row.created_at), rows: Number(row.rows) }
    : null
}
