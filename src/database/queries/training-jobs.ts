/**
 * The jobs that train a project's models: when they are due, and one row for each kind.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { jobs } from '../schema.ts'
import type { Job } from './jobs.ts'

/** The models that are trained: their table, and when a training is due. */
const TRAININGS = {
  train_router: { models: sql.raw('routing_models'), first: 10, growth: 0.05 },
  train_ranking: { models: sql.raw('ranking_models'), first: 40, growth: 0.25 },
} as const

/** Kinds that train a model of a project: one row per project, reused for every training. */
export type TrainingKind = keyof typeof TRAININGS

/**
 * Counts outcomes that a project's model has not learnt from, and writes the training job when there are enough: `first`
 * at the beginning, later the share `growth` of the outcomes already learnt from, so that the training cost per outcome
 * is constant. Counting an outcome twice only causes a slightly earlier training.
 * @returns id of the new job; null: not due, or already written
 */
export async function countForTraining(
  database: Database,
  kind: TrainingKind,
  project: string,
  outcomes: number,
  now: number,
): Promise<string | null> {
  const { models, first, growth } = TRAININGS[kind]
  const due = sql`FROM ${models} WHERE project = ${project} AND pending >= max(${first}, examples * ${growth})`
  const [, job] = await atomically(database, [
    sql`INSERT INTO ${models} (project, pending) VALUES (${project}, ${outcomes})
        ON CONFLICT (project) DO UPDATE SET pending = pending + excluded.pending`,
    trainingJob(kind, project, newId(), due, now),
  ])
  return idOf(job)
}

/**
 * Deletes a project's model, and trains it again from the remaining data.
 * @param reset assignments that delete the model
 * @returns id of the job; null: one is pending or running, or no data is left
 */
export async function restartTraining(
  database: Database,
  kind: TrainingKind,
  project: string,
  reset: SQL,
  now: number,
): Promise<string | null> {
  const { models } = TRAININGS[kind]
  const due = sql`FROM ${models}
    WHERE project = ${project} AND EXISTS (SELECT 1 FROM interactions WHERE project = ${project} AND outcome IS NOT NULL)`
  const [, job] = await atomically(database, [
    sql`UPDATE ${models} SET ${reset}, examples = 0, pending = 0, version = version + 1 WHERE project = ${project}`,
    trainingJob(kind, project, newId(), due, now),
  ])
  return idOf(job)
}

function idOf(written: { readonly rows: readonly Record<string, unknown>[] } | undefined): string | null {
  const [row] = written?.rows ?? []
  return row ? String(row.id) : null
}

/** Minimum time before outcomes restart a training that ran out of attempts, in milliseconds. */
const DEAD_TRAINING_MS = 3_600_000

/**
 * The statement that makes a project's training job due if `due` selects a row. There is one job per project and kind.
 * A dead or discarded job is reused with all its attempts (a dead one after an hour), so that it never blocks learning
 * from later outcomes. A pending or running job is not changed.
 * @param due the end of a SELECT, starting at FROM
 */
function trainingJob(kind: TrainingKind, project: string, id: string, due: SQL, now: number): SQL {
  return sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
    SELECT ${id}, ${project}, ${kind}, ${project}, 0, 'pending', 0, ${now}, ${now}, ${now} ${due}
    ON CONFLICT (kind, subject, revision) DO UPDATE SET status = 'pending', attempts = 0, last_error = NULL, state = NULL, progress = NULL, result = NULL,
      updated_at = excluded.updated_at, created_at = excluded.created_at,
      run_after = iif(jobs.status = 'dead', max(excluded.run_after, jobs.updated_at + ${DEAD_TRAINING_MS}), excluded.run_after)
    WHERE jobs.status IN ('done', 'dead', 'discarded') RETURNING id`
}

/** The training jobs of a project, by kind. A kind without a job is missing. */
export async function trainingJobs(database: Database, project: string): Promise<Partial<Record<TrainingKind, Job>>> {
  const rows = await database
    .select()
    .from(jobs)
    .where(
      sql`${jobs.kind} IN ('train_router', 'train_ranking') AND ${jobs.subject} = ${project} AND ${jobs.revision} = 0`,
    )
  return Object.fromEntries(rows.map((row) => [row.kind, row]))
}
