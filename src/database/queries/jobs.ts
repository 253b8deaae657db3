/**
 * The outbox of background work. A row is `pending` until it is claimed, `running` during a lease that ends at
 * `run_after`, then `done`, `pending` again, or `dead` after its last attempt.
 * @module
 */
import { and, desc, eq, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { type JobProgress, type JobStatus, jobs } from '../schema.ts'

export type Job = typeof jobs.$inferSelect

/**
 * Claims a due job for the duration of a lease. Only one of several concurrent claims succeeds.
 * @returns null if it is done, dead, not due yet, or claimed by another runner
 */
export async function claimJob(database: Database, id: string, leaseMs: number, now: number): Promise<Job | null> {
  const [job] = await database
    .update(jobs)
    .set({ status: 'running', attempts: sql`${jobs.attempts} + 1`, runAfter: now + leaseMs, updatedAt: now })
    .where(and(eq(jobs.id, id), sql`${jobs.status} IN ('pending', 'running')`, sql`${jobs.runAfter} <= ${now}`))
    .returning()
  return job ?? null
}

/**
 * Writes a requested job that is due now. If the same job is pending or running, returns that one.
 * @param state its initial state
 */
export async function startJob(
  database: Database,
  job: Pick<Job, 'id' | 'project' | 'kind' | 'subject'>,
  state: Readonly<Record<string, unknown>> | null,
  now: number,
): Promise<Job> {
  const { id, project, kind, subject } = job
  await execute(
    database,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, state, created_at, updated_at)
        VALUES (${id}, ${project}, ${kind}, ${subject}, 0, 'pending', 0, ${now}, ${state && JSON.stringify(state)}, ${now}, ${now})
        ON CONFLICT (kind, subject, revision) DO UPDATE SET status = 'pending', attempts = 0, last_error = NULL, progress = NULL,
          result = NULL, state = excluded.state, run_after = excluded.run_after, created_at = excluded.created_at,
          updated_at = excluded.updated_at
        WHERE jobs.status IN ('done', 'dead', 'discarded')`,
  )
  const [written] = await database
    .select()
    .from(jobs)
    .where(and(eq(jobs.kind, kind), eq(jobs.subject, subject), eq(jobs.revision, 0)))
  if (!written) throw new Error('A job that was written is not there.')
  return written
}

/**
 * Writes one job for each project, unique by day.
 * @param day number of the day (UTC) since 1970
 * @returns ids of this day's pending jobs
 */
export async function scheduleDaily(
  database: Database,
  kind: 'archive_interactions' | 'export_dataset',
  projects: readonly unknown[],
  day: number,
  now: number,
): Promise<string[]> {
  const entries = JSON.stringify(projects.map((project) => [newId(), project]))
  const [, waiting] = await atomically(database, [
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT value ->> 0, value ->> 1, ${kind}, value ->> 1, ${day}, 'pending', 0, ${now}, ${now}, ${now}
        FROM json_each(${entries}) WHERE true
        ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT id FROM jobs WHERE kind = ${kind} AND revision = ${day} AND status = 'pending' ORDER BY id`,
  ])
  return (waiting?.rows ?? []).map((row) => String(row.id))
}

/** The end of an attempt. */
export interface JobEnd {
  readonly status: 'done' | 'pending' | 'dead'
  readonly runAfter: number
  /** Code of the error, never its message; null: none. */
  readonly error: string | null
  /** Doesn't count the attempt: the job was not ready, nothing failed. */
  readonly returnAttempt?: boolean
  /** Resets the attempts: the job has made progress. */
  readonly progressed?: boolean
  /** The position to continue from. Missing: unchanged. A finished job keeps no state. */
  readonly state?: Readonly<Record<string, unknown>>
  readonly progress?: JobProgress
  readonly result?: Readonly<Record<string, unknown>>
}

/** Ends an attempt. Returns false if its lease had expired and another attempt has taken over. */
export async function endAttempt(database: Database, job: Job, end: JobEnd, now: number): Promise<boolean> {
  const json = (value: object | undefined) => (value === undefined ? null : JSON.stringify(value))
  const state = end.status === 'done' ? sql`NULL` : sql`coalesce(${json(end.state)}, state)`
  const result = await execute(
    database,
    sql`UPDATE jobs SET status = ${end.status}, run_after = ${end.runAfter}, last_error = ${end.error}, updated_at = ${now},
          attempts = ${end.progressed ? sql`0` : sql`attempts - ${end.returnAttempt ? 1 : 0}`}, state = ${state},
          progress = coalesce(${json(end.progress)}, progress), result = coalesce(${json(end.result)}, result)
        WHERE id = ${job.id} AND status = 'running' AND attempts = ${job.attempts} AND run_after = ${job.runAfter}`,
  )
  return result.changes > 0
}

/** Ids of due jobs, the longest waiting first: pending ones, and running ones with an expired lease. */
export async function dueJobs(
  database: Database,
  options: { readonly before: number; readonly limit: number; readonly project?: string },
): Promise<string[]> {
  const project = options.project ?? null
  const { rows } = await execute(
    database,
    sql`SELECT id FROM jobs WHERE status IN ('pending', 'running') AND run_after <= ${options.before}
          AND (${project} IS NULL OR project = ${project})
        ORDER BY run_after, id LIMIT ${options.limit}`,
  )
  return rows.map((row) => String(row.id))
}

/** Whether an earlier interaction of the project is not indexed yet. */
export async function earlierIndexPending(
  database: Database,
  project: string,
  interactionId: string,
): Promise<boolean> {
  const { rows } = await execute(
    database,
    sql`SELECT 1 FROM jobs WHERE project = ${project} AND status IN ('pending', 'running')
          AND kind = 'index_interaction' AND subject < ${interactionId} LIMIT 1`,
  )
  return rows.length > 0
}

/** Number of jobs by kind and status. */
export async function countJobs(
  database: Database,
  project: string,
): Promise<{ kind: string; status: JobStatus; count: number }[]> {
  const { rows } = await execute(
    database,
    sql`SELECT kind, status, n FROM rollup_jobs WHERE project = ${project} AND n > 0 ORDER BY kind, status`,
  )
  return rows.map((row) => ({ kind: String(row.kind), status: row.status as JobStatus, count: Number(row.n) }))
}

const STATUSES: readonly JobStatus[] = ['pending', 'running', 'done', 'dead', 'discarded']

/** Jobs of a project, newest first, after the given id. Reads one row more than `limit`, to detect a next page. */
export function listJobs(
  database: Database,
  filter: { readonly project: string; readonly status?: JobStatus | undefined; readonly kind?: string | undefined },
  after: string | null,
  limit: number,
) {
  // The newest jobs of each status, found by the index, so that the cost of a page doesn't depend on the number of
  // finished jobs.
  const newest = (filter.status === undefined ? STATUSES : [filter.status]).map(
    (status) => sql`SELECT id FROM (SELECT id FROM jobs WHERE project = ${filter.project} AND status = ${status}
      ${filter.kind === undefined ? sql`` : sql`AND kind = ${filter.kind}`} ${after === null ? sql`` : sql`AND id < ${after}`}
      ORDER BY id DESC LIMIT ${limit + 1})`,
  )
  return database
    .select()
    .from(jobs)
    .where(sql`${jobs.id} IN (${sql.join(newest, sql` UNION ALL `)})`)
    .orderBy(desc(jobs.id))
    .limit(limit + 1)
}

/** One job; null if it doesn't exist or belongs to another project than the only one allowed. */
export async function findJob(database: Database, id: string, onlyProject: string | null): Promise<Job | null> {
  const [row] = await database
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, id), onlyProject === null ? undefined : eq(jobs.project, onlyProject)))
    .limit(1)
  return row ?? null
}

/** Resets the attempts of a dead or discarded job and makes it due now. Returns false for other jobs. */
export async function reviveJob(database: Database, id: string, now: number): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE jobs SET status = 'pending', attempts = 0, run_after = ${now}, updated_at = ${now}
        WHERE id = ${id} AND status IN ('dead', 'discarded')`,
  )
  return changes > 0
}

/** Discards a pending or dead job. Returns false for other jobs. */
export async function discardJob(database: Database, id: string, now: number): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE jobs SET status = 'discarded', updated_at = ${now} WHERE id = ${id} AND status IN ('pending', 'dead')`,
  )
  return changes > 0
}

/**
 * Records that the queue has dropped the messages of these jobs.
 * @returns ids of the unfinished jobs; their due times are unchanged
 */
export async function markDeadLetters(database: Database, ids: readonly string[], now: number): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`UPDATE jobs SET last_error = 'dead_letter', updated_at = ${now}
        WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND status IN ('pending', 'running') RETURNING id`,
  )
  return rows.map((row) => String(row.id))
}

/** Pending and dead jobs, and since when the longest waiting one has been due; milliseconds since 1970. */
export async function queueState(
  database: Database,
  project: string | null,
): Promise<{ pending: number; running: number; dead: number; oldestAt: number | null }> {
  const { rows } = await execute(
    database,
    sql`SELECT status, count(*) AS n, min(created_at) AS oldest FROM jobs
        WHERE status IN ('pending', 'running', 'dead') AND (${project} IS NULL OR project = ${project}) GROUP BY status`,
  )
  const of = (status: JobStatus) => rows.find((row) => row.status === status)
  const waiting = [of('pending'), of('running')].flatMap((row) => (row ? [Number(row.oldest)] : []))
  return {
    pending: Number(of('pending')?.n ?? 0),
    running: Number(of('running')?.n ?? 0),
    dead: Number(of('dead')?.n ?? 0),
    oldestAt: waiting.length > 0 ? Math.min(...waiting) : null,
  }
}

/** Subjects of pending and running jobs of a kind, newest first. */
export async function openSubjects(
  database: Database,
  kind: string,
  project: string | null,
  limit: number,
): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`SELECT subject FROM jobs WHERE status IN ('pending', 'running') AND kind = ${kind}
          AND (${project} IS NULL OR project = ${project}) ORDER BY id DESC LIMIT ${limit}`,
  )
  return rows.map((row) => String(row.subject))
}
