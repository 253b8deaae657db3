/**
 * Moves data from the tables to archives and back. A row of `interactions` is the source of truth: its `archive_id`
 * determines where its texts, contexts, history, votes and finished jobs are, and changes in the same transaction as
 * they do.
 * @module
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { leastIdAt } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'
import { archives } from '../schema.ts'
import { scheduleDaily } from './jobs.ts'

export type Archive = typeof archives.$inferSelect

/** Maximum characters of a query that stay in its row: as many as routing and ranking use for learning. */
export const KEPT_QUERY_CHARACTERS = 16_000
/** Maximum rows and bytes of one archive. */
const MAX_ROWS = 500
const MAX_BYTES = 1_000_000

/** The kinds of jobs that belong to one interaction. */
const JOB_KINDS = sql`('index_interaction', 'score_interaction', 'learn_pattern')`

const list = (ids: readonly string[]): SQL => sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`

/*
 * `+status` prevents SQLite from using the index on status. SQLite considers that index selective, and would read every
 * finished job for each interaction.
 */

/**
 * All dependents of an interaction, as JSON. Equal texts mean that nothing has changed. `of` is the interaction's id.
 */
function dependents(of: SQL): SQL {
  return sql`json_object(
    'contexts', (SELECT json_group_array(json_object('collection', collection, 'item_id', item_id, 'position', position, 'given', given)) FROM
      (SELECT * FROM interaction_contexts WHERE interaction_id = ${of} ORDER BY position, collection, item_id)),
    'history', (SELECT json_group_array(json_object('id', id, 'project', project, 'outcome', outcome, 'user_feedback', user_feedback,
        'caller', caller, 'idempotency_key', idempotency_key, 'created_at', created_at)) FROM
      (SELECT * FROM outcome_events WHERE interaction_id = ${of} ORDER BY id)),
    'votes', (SELECT json_group_array(json_object('caller', caller, 'outcome', outcome, 'credited', credited,
        'independent', independent)) FROM
      (SELECT * FROM outcome_votes WHERE interaction_id = ${of} ORDER BY caller)),
    'jobs', (SELECT json_group_array(json_object('id', id, 'project', project, 'kind', kind, 'revision', revision, 'attempts', attempts,
        'run_after', run_after, 'last_error', last_error, 'created_at', created_at, 'updated_at', updated_at)) FROM
      (SELECT * FROM jobs WHERE kind IN ${JOB_KINDS} AND subject = ${of} AND +status = 'done' ORDER BY id)))`
}

/** Whether an interaction has pending or running jobs. */
function busy(of: SQL): SQL {
  return sql`EXISTS (SELECT 1 FROM jobs WHERE kind IN ${JOB_KINDS} AND subject = ${of} AND +status IN ('pending', 'running'))`
}

/** A consistent snapshot of an interaction that is to be archived. */
export interface ColdRow {
  readonly id: string
  readonly revision: number
  readonly query: string
  readonly response: string
  /** JSON, see {@link Dependents}. */
  readonly dependents: string
  /** The columns that stay in the row. The archive repeats them, so that it can be read on its own. */
  readonly figures: Readonly<Record<string, unknown>>
}

/** The rows that depend on an interaction. */
export interface Dependents {
  /** `given` and `independent` are missing in older archives. */
  readonly contexts: readonly { collection: string; item_id: string; position: number; given?: number }[]
  readonly history: readonly {
    id: string
    project: string
    outcome: string | null
    user_feedback: number | null
    caller: string
    idempotency_key: string | null
    created_at: number
  }[]
  readonly votes: readonly { caller: string; outcome: string; credited: string | null; independent?: number }[]
  readonly jobs: readonly {
    id: string
    project: string
    kind: string
    revision: number
    attempts: number
    run_after: number
    last_error: string | null
    created_at: number
    updated_at: number
  }[]
}

const COLD = (before: number) => sql`archive_id IS NULL AND id < ${leastIdAt(before)} AND updated_at < ${before}`

const FIGURES = [
  'agent_type',
  'model_used',
  'tokens_used',
  'latency_ms',
  'tags',
  'variant',
  'conversation_id',
  'outcome',
  'user_feedback',
  'value_score',
  'created_at',
  'updated_at',
] as const

/**
 * The oldest interactions of a project that have not changed since a given time, as many as fit in one archive.
 * Interactions with open jobs are skipped, and so are those whose dependents exceed the size of one parameter.
 */
export async function coldRows(database: Database, project: string, before: number): Promise<ColdRow[]> {
  const own = sql`interactions.id`
  const { rows } = await execute(
    database,
    sql`WITH page AS (
          SELECT id, octet_length(query) + octet_length(response) AS texts, ${dependents(own)} AS dependents FROM interactions
          WHERE project = ${project} AND ${COLD(before)} AND NOT ${busy(own)} ORDER BY id LIMIT ${MAX_ROWS}),
        fitting AS (SELECT *, row_number() OVER (ORDER BY id) AS n, sum(texts + octet_length(dependents)) OVER (ORDER BY id) AS total FROM page
          WHERE octet_length(dependents) <= ${MAX_BYTES})
        SELECT i.id, i.revision, i.query, i.response, f.dependents, ${sql.raw(FIGURES.map((name) => `i.${name}`).join(', '))}, ${arrayIn(sql`i.tags`)} AS tags
        FROM fitting f JOIN interactions i ON i.id = f.id WHERE f.n = 1 OR f.total <= ${MAX_BYTES} ORDER BY i.id`,
  )
  return rows.map((row) => ({
    id: String(row.id),
    revision: Number(row.revision),
    query: String(row.query),
    response: String(row.response),
    dependents: String(row.dependents),
    figures: Object.fromEntries(
      FIGURES.map((name) => [name, name === 'tags' ? (JSON.parse(String(row.tags)) as unknown) : row[name]]),
    ),
  }))
}

/** Records that a file will be written. Without this row, no interaction can be moved to it. */
export async function beginArchive(database: Database, archive: Omit<Archive, 'status' | 'stale'>): Promise<void> {
  await database.insert(archives).values({ ...archive, status: 'writing' })
}

/** Completes an archive: it becomes valid, and is marked stale if some of its lines were not moved. */
function nowStored(archive: Pick<Archive, 'id' | 'project'>): SQL {
  return sql`UPDATE archives SET status = 'stored', stale = lines >
      (SELECT count(*) FROM interactions WHERE project = ${archive.project} AND archive_id = ${archive.id})
    WHERE id = ${archive.id} AND status = 'writing'`
}

const isWriting = (id: string) => sql`EXISTS (SELECT 1 FROM archives WHERE id = ${id} AND status = 'writing')`
const held = ({ id, project }: Pick<Archive, 'id' | 'project'>) =>
  sql`(SELECT id FROM interactions WHERE project = ${project} AND archive_id = ${id})`

/**
 * Moves interactions to an archive whose file is in R2, atomically. An interaction that has changed since it was read
 * is not moved; if the archive was abandoned in the meantime, none are. The rows get new rowids at the end of their
 * table: SQLite merges pages from which rows are removed, but not pages in which rows shrink.
 */
export async function moveToArchive(
  database: Database,
  archive: Pick<Archive, 'id' | 'project'>,
  rows: readonly { readonly row: ColdRow; readonly bytes: number; readonly jobs: Readonly<Record<string, number>> }[],
): Promise<void> {
  const expected = JSON.stringify(
    rows.map(({ row, bytes, jobs }) => [row.id, row.revision, row.dependents, bytes, jobs]),
  )
  const own = sql`interactions.id`
  await atomically(database, [
    sql`UPDATE interactions SET archive_id = ${archive.id}, archived_bytes = e.value ->> 3, archived_jobs = e.value -> 4,
          response = '', query = substr(query, 1, ${KEPT_QUERY_CHARACTERS}), rowid = top.id + 1 + e.key
        FROM json_each(${expected}) e, (SELECT rowid AS id FROM interactions WHERE rowid > 0 ORDER BY rowid DESC LIMIT 1) top
        WHERE interactions.id = e.value ->> 0 AND interactions.revision = e.value ->> 1 AND interactions.archive_id IS NULL
          AND NOT ${busy(own)} AND ${dependents(own)} = e.value ->> 2 AND ${isWriting(archive.id)}`,
    sql`DELETE FROM interaction_contexts WHERE interaction_id IN ${held(archive)}`,
    sql`DELETE FROM outcome_events WHERE interaction_id IN ${held(archive)}`,
    sql`DELETE FROM outcome_votes WHERE interaction_id IN ${held(archive)}`,
    sql`DELETE FROM jobs WHERE kind IN ${JOB_KINDS} AND subject IN ${held(archive)} AND +status = 'done'`,
    nowStored(archive),
  ])
}

/** Moves interactions from one archive to another one that has the same content for them. */
export async function moveBetweenArchives(
  database: Database,
  from: string,
  to: Pick<Archive, 'id' | 'project'>,
  ids: readonly string[],
): Promise<void> {
  await atomically(database, [
    sql`UPDATE interactions SET archive_id = ${to.id}
        WHERE project = ${to.project} AND archive_id = ${from} AND id IN ${list(ids)} AND ${isWriting(to.id)}`,
    nowStored(to),
  ])
}

/** The archived data of one interaction. */
export interface RestoredRow extends Dependents {
  readonly id: string
  readonly archiveId: string
  readonly query: string
  readonly response: string
}

/**
 * Moves interactions back to the tables, atomically, each only if it is still in that archive. Their archives become
 * stale.
 * @param rows at most twenty, with dependents that fit in one parameter: about 1 MB of JSON
 */
export async function moveFromArchive(database: Database, rows: readonly RestoredRow[]): Promise<void> {
  if (rows.length === 0) return
  const archived = sql`EXISTS (SELECT 1 FROM interactions WHERE id = r.value ->> 0 AND archive_id = r.value ->> 1)`
  const each = (of: (row: RestoredRow) => readonly object[]) =>
    sql`json_each(${JSON.stringify(rows.map((row) => [row.id, row.archiveId, of(row)]))}) r, json_each(r.value, '$[2]') d WHERE ${archived}`
  const field = (name: string) => sql.raw(`d.value ->> '${name}'`)
  await atomically(database, [
    sql`INSERT INTO interaction_contexts (interaction_id, collection, item_id, position, given)
        SELECT r.value ->> 0, ${field('collection')}, ${field('item_id')}, ${field('position')}, coalesce(${field('given')}, 1)
        FROM ${each(({ contexts }) => contexts)} ON CONFLICT DO NOTHING`,
    sql`INSERT INTO outcome_events (id, interaction_id, project, outcome, user_feedback, caller, idempotency_key, created_at)
        SELECT ${field('id')}, r.value ->> 0, ${field('project')}, ${field('outcome')}, ${field('user_feedback')}, ${field('caller')},
          ${field('idempotency_key')}, ${field('created_at')} FROM ${each(({ history }) => history)} ON CONFLICT DO NOTHING`,
    sql`INSERT INTO outcome_votes (interaction_id, caller, outcome, credited, independent)
        SELECT r.value ->> 0, ${field('caller')}, ${field('outcome')}, ${field('credited')}, coalesce(${field('independent')}, 0)
        FROM ${each(({ votes }) => votes)} ON CONFLICT DO NOTHING`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, last_error, created_at, updated_at)
        SELECT ${field('id')}, ${field('project')}, ${field('kind')}, r.value ->> 0, ${field('revision')}, 'done', ${field('attempts')},
          ${field('run_after')}, ${field('last_error')}, ${field('created_at')}, ${field('updated_at')}
        FROM ${each(({ jobs }) => jobs)} ON CONFLICT DO NOTHING`,
    ...rows.map(
      (
        row,
      ) => sql`UPDATE interactions SET query = ${row.query}, response = ${row.response}, archive_id = NULL, archived_bytes = NULL,
          archived_jobs = NULL WHERE id = ${row.id} AND archive_id = ${row.archiveId}`,
    ),
    sql`UPDATE archives SET stale = 1 WHERE id IN ${list([...new Set(rows.map(({ archiveId }) => archiveId))])}`,
  ])
}

/** Where interactions are now. Deleted ones are omitted. */
export async function locations(
  database: Database,
  ids: readonly string[],
): Promise<{ id: string; archiveId: string | null; project: string; bytes: number }[]> {
  const { rows } = await execute(
    database,
    sql`SELECT id, archive_id, project, archived_bytes FROM interactions WHERE id IN ${list(ids)} ORDER BY id`,
  )
  return rows.map((row) => ({
    id: String(row.id),
    archiveId: row.archive_id === null ? null : String(row.archive_id),
    project: String(row.project),
    bytes: Number(row.archived_bytes ?? 0),
  }))
}

/** Query and answer of the given interactions that are in the table. */
export async function textsInTable(
  database: Database,
  ids: readonly string[],
): Promise<{ id: string; query: string; response: string }[]> {
  const { rows } = await execute(
    database,
    sql`SELECT id, query, response FROM interactions WHERE id IN ${list(ids)} AND archive_id IS NULL`,
  )
  return rows.map((row) => ({ id: String(row.id), query: String(row.query), response: String(row.response) }))
}

/** Ids of the interactions in an archive. */
export async function idsInArchive(database: Database, archive: Pick<Archive, 'id' | 'project'>): Promise<string[]> {
  const { rows } = await execute(database, sql`SELECT id FROM ${held(archive)} ORDER BY id`)
  return rows.map((row) => String(row.id))
}

/** One archive; null if it doesn't exist. */
export async function findArchive(database: Database, id: string): Promise<Archive | null> {
  const [row] = await database.select().from(archives).where(eq(archives.id, id))
  return row ?? null
}

/** The next archive of a project, or of all projects, that must be rewritten or was never completed. */
export function nextUntidy(database: Database, project: string | null, after = ''): Promise<Archive | null> {
  return nextArchive(database, project, after, sql`(${archives.stale} OR ${archives.status} <> 'stored')`)
}

/** The next archive that contains votes or reports of a key. */
export function nextArchiveOfCaller(
  database: Database,
  { key, project }: { readonly key: string; readonly project: string | null },
  after: string,
): Promise<Archive | null> {
  const ofKey = sql`EXISTS (SELECT 1 FROM json_each(${archives.callers}) WHERE value = ${key})`
  return nextArchive(database, project, after, ofKey)
}

/** The first archive after an id that meets a condition; null project: of all projects. */
async function nextArchive(
  database: Database,
  project: string | null,
  after: string,
  condition: SQL,
): Promise<Archive | null> {
  const ofProject = project === null ? undefined : eq(archives.project, project)
  const [row] = await database
    .select()
    .from(archives)
    .where(and(ofProject, sql`${archives.id} > ${after}`, condition))
    .orderBy(archives.id)
    .limit(1)
  return row ?? null
}

/**
 * Abandons an archive without interactions. No interaction can be moved to it afterwards, so its file may be deleted.
 * @returns false if it contains interactions
 */
export async function abandonArchive(database: Database, archive: Pick<Archive, 'id' | 'project'>): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE archives SET status = 'abandoned' WHERE id = ${archive.id} AND NOT EXISTS ${held(archive)}`,
  )
  return changes > 0
}

/** Deletes the row of an abandoned archive. */
export async function forgetArchive(database: Database, id: string): Promise<void> {
  await execute(database, sql`DELETE FROM archives WHERE id = ${id} AND status = 'abandoned'`)
}

/** Marks an archive as tidy. */
export async function noteTidy(database: Database, id: string): Promise<void> {
  await execute(database, sql`UPDATE archives SET stale = 0 WHERE id = ${id}`)
}

/** Number of archives that contain votes or reports of a key. */
export async function countArchivesOfCaller(database: Database, key: string, project: string | null): Promise<number> {
  const { rows } = await execute(
    database,
    sql`SELECT count(*) AS n FROM archives WHERE (${project} IS NULL OR project = ${project})
          AND EXISTS (SELECT 1 FROM json_each(callers) WHERE value = ${key})`,
  )
  return Number(rows[0]?.n)
}

/**
 * Writes one archiving job for each project with something to archive or to tidy. The day makes it unique.
 * @returns ids of this day's pending jobs
 */
export async function scheduleArchiving(
  database: Database,
  before: number,
  day: number,
  now: number,
): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`SELECT project FROM (SELECT DISTINCT project FROM rollup_interactions) p
        WHERE EXISTS (SELECT 1 FROM interactions WHERE interactions.project = p.project AND ${COLD(before)})
          OR EXISTS (SELECT 1 FROM archives WHERE archives.project = p.project AND (stale OR status <> 'stored')) ORDER BY project`,
  )
  return scheduleDaily(
    database,
    'archive_interactions',
    rows.map(({ project }) => project),
    day,
    now,
  )
}
