/**
 * Deletions and their receipts.
 * @module
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { deletions } from '../schema.ts'

export type Deletion = typeof deletions.$inferSelect

/** The data to delete. */
export interface DeletionRequest {
  readonly what: Deletion['what']
  /** Null: a key's data in all projects. */
  readonly project: string | null
  /** Name of the project, or id of the conversation or key. */
  readonly subject: string
  readonly requestedBy: string
}

/** Project of the deletion jobs. No project can have this name, so no deletion removes them. */
const NO_PROJECT = '-'

/**
 * Writes a deletion with its job, atomically. If the same deletion is already running, returns that one.
 * @returns the deletion's id and its job
 */
export async function requestDeletion(
  database: Database,
  request: DeletionRequest,
  state: Record<string, unknown>,
  now: number,
): Promise<{ id: string; jobId: string }> {
  const id = newId()
  const { what, project, subject, requestedBy } = request
  const same = sql`what = ${what} AND subject = ${subject} AND project IS ${project} AND status = 'running'`
  const [, , found] = await atomically(database, [
    sql`INSERT INTO deletions (id, what, project, subject, status, state, deleted, requested_by, created_at)
        SELECT ${id}, ${what}, ${project}, ${subject}, 'running', ${JSON.stringify(state)}, '{}', ${requestedBy}, ${now}
        WHERE NOT EXISTS (SELECT 1 FROM deletions WHERE ${same})`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${newId()}, ${NO_PROJECT}, 'delete_data', id, 0, 'pending', 0, ${now}, ${now}, ${now}
        FROM deletions WHERE ${same} ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT d.id, j.id AS job FROM deletions d JOIN jobs j ON j.kind = 'delete_data' AND j.subject = d.id AND j.revision = 0
        WHERE d.what = ${what} AND d.subject = ${subject} AND d.project IS ${project} AND d.status = 'running'`,
  ])
  return { id: String(found?.rows[0]?.id), jobId: String(found?.rows[0]?.job) }
}

/**
 * The condition that a deletion affects a project and is running, or has ended since a given time. Code that reads
 * facts and later writes results derived from them must use the negation of this condition in the writing statement, so
 * that deleted data isn't written again.
 * @param since when the facts were read
 */
export function deletionSince(project: string, since: number): SQL {
  return sql`EXISTS (SELECT 1 FROM deletions WHERE (project = ${project} OR project IS NULL)
    AND (status = 'running' OR finished_at >= ${since}))`
}

/** Whether a deletion affects a project and is running, or has ended since a given time. */
export async function deletedSince(database: Database, project: string, since: number): Promise<boolean> {
  const { rows } = await execute(database, sql`SELECT ${deletionSince(project, since)} AS found`)
  return Number(rows[0]?.found) === 1
}

/** One deletion; null if it doesn't exist, or belongs to another project than the only one allowed. */
export async function findDeletion(
  database: Database,
  id: string,
  onlyProject: string | null,
): Promise<Deletion | null> {
  const [row] = await database
    .select()
    .from(deletions)
    .where(and(eq(deletions.id, id), onlyProject === null ? undefined : eq(deletions.project, onlyProject)))
    .limit(1)
  return row ?? null
}

/** Stores the position of a deletion. */
export async function saveDeletion(
  database: Database,
  id: string,
  change: Partial<Pick<Deletion, 'state' | 'before' | 'deleted' | 'after' | 'status' | 'finishedAt'>>,
): Promise<void> {
  await database.update(deletions).set(change).where(eq(deletions.id, id))
}

/** Records which key last wrote these documents or items. */
export async function noteWriters(
  database: Database,
  scope: { readonly project: string; readonly collection: string },
  source: string,
  references: readonly string[],
  caller: string,
  now: number,
): Promise<void> {
  if (references.length === 0) return
  await execute(
    database,
    sql`INSERT INTO knowledge_writers (project, collection, source, reference, caller, written_at)
        SELECT ${scope.project}, ${scope.collection}, ${source}, value, ${caller}, ${now}
        FROM json_each(${JSON.stringify(references)}) WHERE 1
        ON CONFLICT DO UPDATE SET caller = excluded.caller, written_at = excluded.written_at`,
  )
}

/** Deletes the writers of deleted items. */
export async function forgetWriters(
  database: Database,
  scope: { readonly project: string; readonly collection: string },
  source: string,
  references: readonly string[],
): Promise<void> {
  await execute(
    database,
    sql`DELETE FROM knowledge_writers WHERE project = ${scope.project} AND collection = ${scope.collection}
          AND source = ${source} AND reference IN (SELECT value FROM json_each(${JSON.stringify(references)}))`,
  )
}

/** A source of documents in one collection. */
export interface SourceEntry {
  readonly collection: string
  readonly source: string
  readonly documents: number
  /** When one of its documents was last written, in milliseconds since 1970; null: before this was recorded. */
  readonly writtenAt: number | null
}

/** Names of projects with stored knowledge, in order. Each costs one index look-up, independent of its size. */
export async function projectsWithKnowledge(database: Database, limit: number): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`WITH RECURSIVE known(project) AS (
          SELECT min(project) FROM knowledge_writers
          UNION ALL
          SELECT (SELECT min(project) FROM knowledge_writers w WHERE w.project > known.project) FROM known
          WHERE known.project IS NOT NULL)
        SELECT project FROM known WHERE project IS NOT NULL LIMIT ${limit}`,
  )
  return rows.map(({ project }) => String(project))
}

/** The sources of a project's documents, ordered by name. */
export async function listSources(
  database: Database,
  project: string,
  after: { readonly source: string; readonly collection: string },
  limit: number,
): Promise<SourceEntry[]> {
  const { rows } = await execute(
    database,
    sql`SELECT collection, source, count(*) AS documents, nullif(max(written_at), 0) AS writtenAt FROM knowledge_writers
        WHERE project = ${project} AND source <> '' AND (source, collection) > (${after.source}, ${after.collection})
        GROUP BY source, collection ORDER BY source, collection LIMIT ${limit}`,
  )
  return rows as unknown as SourceEntry[]
}
