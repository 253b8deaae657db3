/**
 * Keys, quotas, the audit log and deletions.
 * @module
 */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** The permissions of a key. `admin` includes all others. */
export type Scope = 'read' | 'write' | 'learn' | 'admin'

/** API keys created by `create_key`. The key itself is never stored. */
export const keys = sqliteTable(
  'keys',
  {
    id: text('id').primaryKey(),
    /** SHA-256 of the key, hexadecimal. */
    hash: text('hash').notNull(),
    /** First characters of the key, for recognition. */
    prefix: text('prefix').notNull(),
    name: text('name').notNull(),
    scopes: jsonText<Scope[]>('scopes', []).notNull(),
    /** The only project that it can access; null: all. */
    project: text('project'),
    expiresAt: integer('expires_at'),
    /** Accurate to the minute. */
    lastUsedAt: integer('last_used_at'),
    revokedAt: integer('revoked_at'),
    createdBy: text('created_by').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('keys_hash').on(t.hash), index('keys_project').on(t.project, t.id)],
)

/** Administrative actions. The row is written before the action, so that no action is missing. */
export const auditLog = sqliteTable(
  'audit_log',
  {
    id: text('id').primaryKey(),
    /** Id of the key that performed the action. */
    caller: text('caller').notNull(),
    operation: text('operation').notNull(),
    /** Project of the action; null: all projects. */
    project: text('project'),
    /** The input without user content and secrets. */
    input: jsonText<Record<string, unknown>>('input', {}).notNull(),
    /** `started`, `done`, or the error code. */
    outcome: text('outcome').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('audit_log_project').on(t.project, t.id)],
)

/** Redacted secrets and private spans, by day (UTC) and kind. Changed only by increments. */
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

/** The key that last wrote an entry of the knowledge: whole documents by path, other items by id. */
export const knowledgeWriters = sqliteTable(
  'knowledge_writers',
  {
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    /** Source of the document; empty for an item without a document. */
    source: text('source').notNull(),
    /** Path of the document, or id of the item. */
    reference: text('reference').notNull(),
    caller: text('caller').notNull(),
    /** Time of the write; 0: before this was recorded. */
    writtenAt: integer('written_at').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.collection, t.source, t.reference] }),
    index('knowledge_writers_caller').on(t.caller, t.project),
  ],
)

/** Ingested amounts, by project and day (UTC). Changed only by increments. */
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

/** Tokens of interactive answers, by day (UTC): of each key (`key:`) and each project (`project:`). */
export const generationUsage = sqliteTable(
  'generation_usage',
  {
    day: text('day').notNull(),
    subject: text('subject').notNull(),
    tokens: integer('tokens').notNull(),
  },
  (t) => [primaryKey({ columns: [t.day, t.subject] })],
)

/** Deletions of all data of a project, a conversation or a key, with their position and receipt. */
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
    /** The position, in the format of erase.ts. */
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
