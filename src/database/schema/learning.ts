/**
 * Background work, datasets and patterns.
 * @module
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** `dead`: out of attempts; `discarded`: given up by someone. */
export type JobStatus = 'pending' | 'running' | 'done' | 'dead' | 'discarded'

/** How far a job is; `total` null: not known. */
export interface JobProgress {
  readonly done: number
  readonly total: number | null
  /** What is counted, such as `rows`. */
  readonly unit: string
}

/** A part of an upload that R2 has: its name there, and the SHA-256 of its bytes. */
export interface UploadedPart {
  readonly etag: string
  readonly sha256: string
}

/** The outbox: background work, written in the same batch as the fact that causes it. The queue only carries ids. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    kind: text('kind').notNull(),
    /** What the job is about, e.g. an interaction id. */
    subject: text('subject').notNull(),
    /** Together with kind and subject unique: the same cause makes one job. */
    revision: integer('revision').notNull().default(0),
    status: text('status').$type<JobStatus>().notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** Not before this time. */
    runAfter: integer('run_after').notNull(),
    lastError: text('last_error'),
    /** Where a job that takes several runs goes on. */
    state: jsonText<Readonly<Record<string, unknown>>>('state', {}),
    progress: jsonText<JobProgress>('progress', { done: 0, total: null, unit: '' }),
    /** Result of the job. */
    result: jsonText<Readonly<Record<string, unknown>>>('result', {}),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    uniqueIndex('jobs_cause').on(t.kind, t.subject, t.revision),
    index('jobs_due').on(t.status, t.runAfter),
    index('jobs_project_status').on(t.project, t.status, t.id),
    // What is open, and nothing of what is done: it stays as small as the queue.
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
    /** What the datasheet says beyond these columns: splits, tokens, redactions, licence. */
    sheet: jsonText<Record<string, unknown>>('sheet', {}).notNull().default({}),
    /** Interactions that were not taken, by reason. */
    skipped: jsonText<Record<string, number>>('skipped', {}).notNull().default({}),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('exports_project_id').on(t.project, t.id), uniqueIndex('exports_key').on(t.key)],
)

/** Uploads of datasets that have begun and not ended: an export that was interrupted continues from here. */
export const exportUploads = sqliteTable('export_uploads', {
  /** Of the dataset in R2; named by its content, so the same key is the same bytes. */
  key: text('key').primaryKey(),
  project: text('project').notNull(),
  uploadId: text('upload_id').notNull(),
  /** The parts that R2 has, by number. */
  parts: text('parts', { mode: 'json' }).$type<Record<string, UploadedPart>>().notNull().default({}),
  startedAt: integer('started_at').notNull(),
})

/** The one row of switches for background work. */
export const learningControls = sqliteTable('learning_controls', {
  id: integer('id').primaryKey(),
  /** 1: nothing runs in the background until it is 0 again. */
  paused: integer('paused', { mode: 'boolean' }).notNull(),
  /** Calls and tokens of language models that background work may use a day (UTC). */
  dailyCalls: integer('daily_calls').notNull(),
  dailyTokens: integer('daily_tokens').notNull(),
  updatedBy: text('updated_by').notNull(),
  updatedAt: integer('updated_at').notNull(),
})

/** What background work used of language models, by day. */
export const modelUsage = sqliteTable('model_usage', {
  /** UTC, `2027-01-31`. */
  day: text('day').primaryKey(),
  calls: integer('calls').notNull(),
  tokens: integer('tokens').notNull(),
})

/** Something learnt: its item in skills-patterns or error-solutions is made from this row and its sources. */
export const patterns = sqliteTable(
  'patterns',
  {
    /** Id of the item. */
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    title: text('title').notNull(),
    approach: text('approach').notNull(),
    /** Distinct content terms of the problem, by which near-duplicates are found. */
    terms: jsonText<string[]>('terms', []).notNull(),
    /** `rules`, or the name of the model. */
    extractedBy: text('extracted_by').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('patterns_project').on(t.project, t.collection, t.id)],
)

/** Which interactions a pattern rests on; their present outcomes are its evidence. */
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
