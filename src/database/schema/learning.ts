/**
 * Background work, datasets and patterns.
 * @module
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** `dead`: out of attempts; `discarded`: discarded by a user. */
export type JobStatus = 'pending' | 'running' | 'done' | 'dead' | 'discarded'

/** The progress of a job. `total` null: unknown. */
export interface JobProgress {
  readonly done: number
  readonly total: number | null
  /** The unit, such as `rows`. */
  readonly unit: string
}

/** An uploaded part in R2: its ETag, and the SHA-256 of its bytes. */
export interface UploadedPart {
  readonly etag: string
  readonly sha256: string
}

/** The outbox: background jobs, written in the same batch as the fact that causes them. The queue carries only ids. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    kind: text('kind').notNull(),
    /** The subject of the job, e.g. an interaction id. */
    subject: text('subject').notNull(),
    /** Unique together with kind and subject: one cause creates one job. */
    revision: integer('revision').notNull().default(0),
    status: text('status').$type<JobStatus>().notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** Earliest time of the next run. */
    runAfter: integer('run_after').notNull(),
    lastError: text('last_error'),
    /** The position of a job that takes several runs. */
    state: jsonText<Readonly<Record<string, unknown>>>('state', {}),
    progress: jsonText<JobProgress>('progress', { done: 0, total: null, unit: '' }),
    result: jsonText<Readonly<Record<string, unknown>>>('result', {}),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    uniqueIndex('jobs_cause').on(t.kind, t.subject, t.revision),
    index('jobs_due').on(t.status, t.runAfter),
    index('jobs_project_status').on(t.project, t.status, t.id),
    // Only unfinished jobs, so that the index stays as small as the queue.
    index('jobs_open').on(t.project, t.kind, t.subject).where(sql`status IN ('pending', 'running')`),
  ],
)

/** Datasets in R2. */
export const exports = sqliteTable(
  'exports',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    format: text('format').notNull(),
    filters: jsonText<Record<string, unknown>>('filters', {}).notNull(),
    key: text('key').notNull(),
    rows: integer('rows').notNull(),
    bytes: integer('bytes').notNull(),
    sha256: text('sha256').notNull(),
    /** Datasheet fields beyond these columns: splits, tokens, redactions, licence. */
    sheet: jsonText<Record<string, unknown>>('sheet', {}).notNull().default({}),
    /** Number of interactions that were not exported, by reason. */
    skipped: jsonText<Record<string, number>>('skipped', {}).notNull().default({}),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('exports_project_id').on(t.project, t.id), uniqueIndex('exports_key').on(t.key)],
)

/** Unfinished uploads of datasets. An interrupted export continues from here. */
export const exportUploads = sqliteTable('export_uploads', {
  /** Key of the dataset in R2. It is derived from the content, so equal keys mean equal bytes. */
  key: text('key').primaryKey(),
  project: text('project').notNull(),
  uploadId: text('upload_id').notNull(),
  /** The uploaded parts, by number. */
  parts: text('parts', { mode: 'json' }).$type<Record<string, UploadedPart>>().notNull().default({}),
  startedAt: integer('started_at').notNull(),
})

/** The single row of controls for background work. */
export const learningControls = sqliteTable('learning_controls', {
  id: integer('id').primaryKey(),
  /** 1: no background work runs until it is 0 again. */
  paused: integer('paused', { mode: 'boolean' }).notNull(),
  /** Maximum calls and tokens of language models for background work per day (UTC). */
  dailyCalls: integer('daily_calls').notNull(),
  dailyTokens: integer('daily_tokens').notNull(),
  updatedBy: text('updated_by').notNull(),
  updatedAt: integer('updated_at').notNull(),
})

/** Use of language models by background work, by day. */
export const modelUsage = sqliteTable('model_usage', {
  /** UTC, `2027-01-31`. */
  day: text('day').primaryKey(),
  calls: integer('calls').notNull(),
  tokens: integer('tokens').notNull(),
})

/** Learnt patterns. Their items in skills-patterns or error-solutions are derived from this row and its sources. */
export const patterns = sqliteTable(
  'patterns',
  {
    /** Id of the item. */
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    title: text('title').notNull(),
    approach: text('approach').notNull(),
    /** Distinct content terms of the problem, for finding near-duplicates. */
    terms: jsonText<string[]>('terms', []).notNull(),
    /** `rules`, or the name of the model. */
    extractedBy: text('extracted_by').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('patterns_project').on(t.project, t.collection, t.id)],
)

/** The source interactions of a pattern. Their current outcomes are its evidence. */
export const patternSources = sqliteTable(
  'pattern_sources',
  {
    patternId: text('pattern_id').notNull(),
    interactionId: text('interaction_id').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.patternId, t.interactionId] }),
    index('pattern_sources_interaction').on(t.interactionId),
  ],
)
