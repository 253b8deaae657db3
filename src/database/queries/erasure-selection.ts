/**
 * Finds and counts the data of a project, a conversation or a key: what a deletion has to cover.
 * @module
 */
import { getTableColumns, getTableName, is, type SQL, sql } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { CollectionName } from '../../knowledge/collections.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import * as schema from '../schema.ts'
import type { ItemReference } from './credit.ts'

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
