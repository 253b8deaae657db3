/**
 * Keys, quotas, the audit log and deletions.
 * @module
 */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** What a key may do. `admin` includes all others. */
export type Scope = 'read' | 'write' | 'learn' | 'admin'

/** API keys made by `create_key`. The key itself is never stored. */
export const keys = sqliteTable(
  'keys',
  {
    id: text('id').primaryKey(),
    /** SHA-256 of the key, hexadecimal. */
    hash: text('hash').notNull(),
    /** First characters of the key, to recognise it by. */
    prefix: text('prefix').notNull(),
    name: text('name').notNull(),
    scopes: jsonText<Scope[]>('scopes', []).notNull(),
    /** The only project that it opens; null: all. */
    project: text('project'),
    expiresAt: integer('expires_at'),
    /** True to the minute. */
    lastUsedAt: integer('last_used_at'),
    revokedAt: integer('revoked_at'),
    createdBy: text('created_by').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('keys_hash').on(t.hash), index('keys_project').on(t.project, t.id)],
)

/** Administrative acts. Written before the act, so that there is none without a row. */
export const auditLog = sqliteTable(
  'audit_log',
  {
    id: text('id').primaryKey(),
    /** Id of the key that acted. */
    caller: text('caller').notNull(),
    operation: text('operation').notNull(),
    /** Project that the act was about; null: all of them. */
    project: text('project'),
    /** The input without what users wrote and without secrets. */
    input: jsonText<Record<string, unknown>>('input', {}).notNull(),
    /** `started`, `done`, or the code of the error that it ended with. */
    outcome: text('outcome').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('audit_log_project').on(t.project, t.id)],
)

/** Secrets and private spans that were taken out before storage, by day (UTC) and kind. Changed by increments only. */
export const redactions = sqliteTable(
  'redactions',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    kind: text('kind').notNull(),
    count: integer('count').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.kind] })],
)

/** Which key last wrote what of the knowledge: whole documents by path, other items by id. */
export const knowledgeWriters = sqliteTable(
  'knowledge_writers',
  {
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    /** Of a document; empty for an item of none. */
    source: text('source').notNull(),
    /** Path of the document, or id of the item. */
    reference: text('reference').notNull(),
    caller: text('caller').notNull(),
    /** When; 0: before it was noted. */
    writtenAt: integer('written_at').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.collection, t.source, t.reference] }),
    index('knowledge_writers_caller').on(t.caller, t.project),
  ],
)

/** What was ingested, by project and day (UTC). Changed by increments only. */
export const ingestUsage = sqliteTable(
  'ingest_usage',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    items: integer('items').notNull(),
    bytes: integer('bytes').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day] })],
)

/** Tokens of answers that someone waited for, by day (UTC): of each key (`key:`) and each project (`project:`). */
export const generationUsage = sqliteTable(
  'generation_usage',
  {
    day: text('day').notNull(),
    subject: text('subject').notNull(),
    tokens: integer('tokens').notNull(),
  },
  (t) => [primaryKey({ columns: [t.day, t.subject] })],
)

/** Deletions of everything of a project, a conversation or a key: where each stands, and its receipt. */
export const deletions = sqliteTable(
  'deletions',
  {
    id: text('id').primaryKey(),
    what: text('what').$type<'project' | 'conversation' | 'key'>().notNull(),
    /** Null: a key's data in all projects. */
    project: text('project'),
    /** Name of the project, or id of the conversation or key. */
    subject: text('subject').notNull(),
    status: text('status').$type<'running' | 'done'>().notNull(),
    /** Where it stands, as erase.ts reads it. */
    state: text('state', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    before: text('before', { mode: 'json' }).$type<Record<string, number>>(),
    deleted: text('deleted', { mode: 'json' }).$type<Record<string, number>>().notNull(),
    after: text('after', { mode: 'json' }).$type<Record<string, number>>(),
    requestedBy: text('requested_by').notNull(),
    createdAt: integer('created_at').notNull(),
    finishedAt: integer('finished_at'),
  },
  (t) => [index('deletions_subject').on(t.what, t.subject, t.status)],
)
