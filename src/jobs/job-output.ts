/**
 * Background jobs, as returned to callers.
 * @module
 */
import * as z from 'zod'
import type { Job } from '../database/queries/jobs.ts'

export const jobStatus = z.enum(['pending', 'running', 'done', 'dead', 'discarded'])

export const jobOutput = z.object({
  job_id: z.string(),
  project: z.string(),
  kind: z.string(),
  subject: z.string().describe('What it is about, e.g. an interaction id.'),
  revision: z.int(),
  status: jobStatus,
  attempts: z.int(),
  run_after: z
    .number()
    .describe('Not before this time; of a running job the end of its lease. Milliseconds since 1970.'),
  last_error: z.string().nullable().describe('Code of the last error.'),
  progress: z
    .object({
      done: z.number(),
      total: z.number().nullable().describe('Null: not known.'),
      unit: z.string().describe('What is counted.'),
    })
    .nullable()
    .describe('How far it is; null: it tells no progress, or has not begun.'),
  created_at: z.number(),
  updated_at: z.number(),
})

export const jobDetail = jobOutput.extend({
  result: z.record(z.string(), z.unknown()).nullable().describe('The result. Null: the job is not done, or has none.'),
})

/** Converts a row to jobDetail. */
export function presentJobDetail(row: Job): z.input<typeof jobDetail> {
  return { ...presentJob(row), result: row.result === null ? null : { ...row.result } }
}

/** Converts a row to jobOutput. */
export function presentJob(row: Job): z.input<typeof jobOutput> {
  return {
    job_id: row.id,
    project: row.project,
    kind: row.kind,
    subject: row.subject,
    revision: row.revision,
    status: row.status,
    attempts: row.attempts,
    run_after: row.runAfter,
    last_error: row.lastError,
    progress: row.progress,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  }
}
