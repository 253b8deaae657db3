/**
 * What is moved from the tables to archives and back. A row of `interactions` is the truth: its `archive_id` says where its texts, contexts,
 * history, votes and finished jobs are, and it changes in the same transaction as they do.
 * @module
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { leastIdAt, newId } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'
import { archives } from '../schema.ts'

export type Archive = typeof archives.$inferSelect

/** Characters of a query that stay in its row: as many as routing and ranking learn from. */
export const KEPT_QUERY_CHARACTERS = 16_000
/** Rows and bytes of one archive. */
const MAX_ROWS = 500
const MAX_BYTES = 1_000_000

/** The kinds of jobs that are about one interaction. */
const JOB_KINDS = sql`('index_interaction', 'score_interaction', 'learn_pattern')`

const list = (ids: readonly string[]): SQL => sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`

/*
 * `+status` keeps SQLite from the index by status: it takes that one for selective, and would read every job that is done for each
 * interaction.
 */

/** All that hangs on an interaction, as JSON: equal texts mean that nothing has changed. `of` is the interaction's id. */
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

/** Whether something is still to be done about an interaction. */
function busy(of: SQL): SQL {
  return sql`EXISTS (SELECT 1 FROM jobs WHERE kind IN ${JOB_KINDS} AND subject = ${of} AND +status IN ('pending', 'running'))`
}

/** An interaction that is to be archived, as it was at one moment. */
export interface ColdRow {
  readonly id: string
  readonly revision: number
  readonly query: string
  readonly response: string
  /** JSON, see {@link Dependents}. */
  readonly dependents: string
  /** What the row itself keeps; the archive repeats it, so that it can be read alone. */
  readonly figures: Readonly<Record<string, unknown>>
}

/** What hangs on an interaction. */
export interface Dependents {
  /** `given` and `independent` are missing in archives from before they were noted. */
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
 * The oldest interactions of a project that nothing has changed since a time, as many as one archive holds; busy ones wait, and so do those
 * on which more hangs than one parameter can carry.
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

/** Notes that a file will be written; without this row nothing can come to rest on it. */
export async function beginArchive(database: Database, archive: Omit<Archive, 'status' | 'stale'>): Promise<void> {
  await database.insert(archives).values({ ...archive, status: 'writing' })
}

/** The end of writing: the file counts from now on, and whether all that it holds was still so. */
function nowStored(archive: Pick<Archive, 'id' | 'project'>): SQL {
  return sql`UPDATE archives SET status = 'stored', stale = lines >
      (SELECT count(*) FROM interactions WHERE project = ${archive.project} AND archive_id = ${archive.id})
    WHERE id = ${archive.id} AND status = 'writing'`
}

const isWriting = (id: string) => sql`EXISTS (SELECT 1 FROM archives WHERE id = ${id} AND status = 'writing')`
const held = ({ id, project }: Pick<Archive, 'id' | 'project'>) =>
  sql`(SELECT id FROM interactions WHERE project = ${project} AND archive_id = ${id})`

/**
 * Moves interactions to an archive whose file lies in R2, all or nothing. One that has changed since it was read stays where it is, and so
 * do all when the archive was given up meanwhile. The rows get new places at the end of their table: SQLite joins the pages that rows leave,
 * but not those in which rows shrink.
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

/** Lets interactions of one archive rest on another one that holds the same of them. */
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

/** What an archive gives back of one interaction. */
export interface RestoredRow extends Dependents {
  readonly id: string
  readonly archiveId: string
  readonly query: string
  readonly response: string
}

/**
 * Moves interactions back to the tables, all or nothing, each only if it still rests on that archive. Their archives are stale from then on.
 * @param rows at most twenty, with no more hanging on them than one parameter can carry: some 1 MB of JSON
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

/** Where interactions are now; those that are gone are left out. */
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

/** Query and answer of those of these interactions that are in the table. */
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

/** Ids of the interactions that rest on an archive. */
export async function idsInArchive(database: Database, archive: Pick<Archive, 'id' | 'project'>): Promise<string[]> {
  const { rows } = await execute(database, sql`SELECT id FROM ${held(archive)} ORDER BY id`)
  return rows.map((row) => String(row.id))
}

/** One archive; null when there is none. */
export async function findArchive(database: Database, id: string): Promise<Archive | null> {
  const [row] = await database.select().from(archives).where(eq(archives.id, id))
  return row ?? null
}

/** The next archive of a project, or of all, that must be rewritten or was never finished. */
export async function nextUntidy(database: Database, project: string | null, after = ''): Promise<Archive | null> {
  const [row] = await database
    .select()
    .from(archives)
    .where(
      and(
        project === null ? undefined : eq(archives.project, project),
        sql`${archives.id} > ${after} AND (${archives.stale} OR ${archives.status} <> 'stored')`,
      ),
    )
    .orderBy(archives.id)
    .limit(1)
  return row ?? null
}

/** The next archive that holds votes or reports of a key. */
export async function nextArchiveOfCaller(
  database: Database,
  { key, project }: { readonly key: string; readonly project: string | null },
  after: string,
): Promise<Archive | null> {
  const [row] = await database
    .select()
    .from(archives)
    .where(
      and(
        project === null ? undefined : eq(archives.project, project),
        sql`${archives.id} > ${after} AND EXISTS (SELECT 1 FROM json_each(${archives.callers}) WHERE value = ${key})`,
      ),
    )
    .orderBy(archives.id)
    .limit(1)
  return row ?? null
}

/**
 * Gives up an archive on which nothing rests: from then on nothing can come to rest on it, so its file may be deleted.
 * @returns false when something rests on it
 */
export async function abandonArchive(database: Database, archive: Pick<Archive, 'id' | 'project'>): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE archives SET status = 'abandoned' WHERE id = ${archive.id} AND NOT EXISTS ${held(archive)}`,
  )
  return changes > 0
}

/** Forgets an archive that was given up. */
export async function forgetArchive(database: Database, id: string): Promise<void> {
  await execute(database, sql`DELETE FROM archives WHERE id = ${id} AND status = 'abandoned'`)
}

/** Notes that there is nothing to tidy up in an archive. */
export async function noteTidy(database: Database, id: string): Promise<void> {
  await execute(database, sql`UPDATE archives SET stale = 0 WHERE id = ${id}`)
}

/** Number of archives that hold votes or reports of a key. */
export async function countArchivesOfCaller(database: Database, key: string, project: string | null): Promise<number> {
  const { rows } = await execute(
    database,
    sql`SELECT count(*) AS n FROM archives WHERE (${project} IS NULL OR project = ${project})
          AND EXISTS (SELECT 1 FROM json_each(callers) WHERE value = ${key})`,
  )
  return Number(rows[0]?.n)
}

/**
 * Writes one archiving job for each project with something to archive or to tidy up; the day makes it unique.
 * @returns ids of the jobs of this day that wait
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
  const entries = JSON.stringify(rows.map(({ project }) => [newId(), project]))
  const [, waiting] = await atomically(database, [
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT value ->> 0, value ->> 1, 'archive_interactions', value ->> 1, ${day}, 'pending', 0, ${now}, ${now}, ${now}
        FROM json_each(${entries}) WHERE true
        ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT id FROM jobs WHERE kind = 'archive_interactions' AND revision = ${day} AND status = 'pending' ORDER BY id`,
  ])
  return (waiting?.rows ?? []).map((row) => String(row.id))
}
