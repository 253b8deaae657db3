/**
 * Interactions and their related tables.
 * @module
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

export type AgentType = 'local' | 'remote'
export type Outcome = 'success' | 'partial' | 'failure'

/** Parts of an interaction's value score, already multiplied by their weights. They sum to the score. */
export interface ValueParts {
  outcome: number
  feedback: number
  reusability: number
  complexity: number
  novelty: number
}

/** One question and its answer, with its outcome. */
export const interactions = sqliteTable(
  'interactions',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    query: text('query').notNull(),
    response: text('response').notNull(),
    agentType: text('agent_type').$type<AgentType>().notNull(),
    modelUsed: text('model_used').notNull(),
    tokensUsed: integer('tokens_used').notNull(),
    latencyMs: real('latency_ms').notNull(),
    tags: text('tags', { mode: 'json' }).$type<string[]>().notNull(),
    variant: text('variant'),
    conversationId: text('conversation_id'),
    /** The augmentation that was used for this answer. */
    retrievalId: text('retrieval_id'),
    /** The routing decision that led to this answer. */
    decisionId: text('decision_id'),
    /** Whether a success was reported by a different caller than the one that tracked it, or by an admin key. */
    verified: integer('verified', { mode: 'boolean' }).notNull().default(false),
    /** Whether it had any context. The items are in interaction_contexts. */
    hadContext: integer('had_context', { mode: 'boolean' }).notNull().default(false),
    outcome: text('outcome').$type<Outcome>(),
    userFeedback: integer('user_feedback'),
    /** Increases with every change of outcome or feedback. A score for an older revision is not written. */
    revision: integer('revision').notNull().default(0),
    /** The event that created this revision. */
    lastEvent: text('last_event'),
    valueScore: real('value_score'),
    valueParts: text('value_parts', { mode: 'json' }).$type<ValueParts>(),
    /** Version of the formula, e.g. `value-1`. */
    valueVersion: text('value_version'),
    idempotencyKey: text('idempotency_key'),
    /** Id of the key that tracked it; null: before this was recorded. */
    caller: text('caller'),
    /** Whether it happened elsewhere and was imported. */
    imported: integer('imported', { mode: 'boolean' }).notNull().default(false),
    /**
     * The archive in R2 with its answer, contexts, history and votes; null: not archived. The row itself is kept, with
     * the figures and the beginning of the query, so that counts and filters don't change.
     */
    archiveId: text('archive_id'),
    /** Bytes of query and answer, if archived. */
    archivedBytes: integer('archived_bytes'),
    /** Archived finished jobs, counted by kind. */
    archivedJobs: text('archived_jobs', { mode: 'json' }).$type<Record<string, number>>(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    uniqueIndex('interactions_idempotency').on(t.project, t.idempotencyKey),
    index('interactions_project_id').on(t.project, t.id),
    index('interactions_outcome').on(t.project, t.outcome, t.id),
    index('interactions_variant').on(t.project, t.variant, t.id),
    index('interactions_retrieval').on(t.retrievalId),
    index('interactions_decision').on(t.project, t.id).where(sql`decision_id IS NOT NULL`),
    index('interactions_archive').on(t.project, t.archiveId, t.id),
  ],
)

/** Files in R2 with data moved out of interactions and their dependent tables; see src/archive. */
export const archives = sqliteTable(
  'archives',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    /**
     * `writing`: no interaction is in it yet; the file may or may not exist. `abandoned`: no interaction ever will be.
     */
    status: text('status').$type<'writing' | 'stored' | 'abandoned'>().notNull(),
    /** Number of interactions in the file. */
    lines: integer('lines').notNull(),
    /** Size of the file. */
    bytes: integer('bytes').notNull(),
    /** SHA-256 of its uncompressed content. */
    sha256: text('sha256').notNull(),
    /** Keys whose votes or reports it contains. */
    callers: text('callers', { mode: 'json' }).$type<string[]>().notNull(),
    /** Whether it contains lines that no row refers to: it must be rewritten without them. */
    stale: integer('stale', { mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('archives_project').on(t.project, t.id)],
)

/** The context of interactions. */
export const interactionContexts = sqliteTable(
  'interaction_contexts',
  {
    interactionId: text('interaction_id').notNull(),
    collection: text('collection').notNull(),
    itemId: text('item_id').notNull(),
    position: integer('position').notNull(),
    /** Whether the interaction's retrieval showed this item to the same key, or an admin key named it. */
    given: integer('given', { mode: 'boolean' }).notNull().default(true),
  },
  (t) => [
    primaryKey({ columns: [t.interactionId, t.collection, t.itemId] }),
    index('interaction_contexts_item').on(t.collection, t.itemId),
  ],
)

/** Every change of outcome or feedback, in order: the history behind `interactions.outcome`. */
export const outcomeEvents = sqliteTable(
  'outcome_events',
  {
    id: text('id').primaryKey(),
    interactionId: text('interaction_id').notNull(),
    project: text('project').notNull(),
    outcome: text('outcome').$type<Outcome>(),
    userFeedback: integer('user_feedback'),
    caller: text('caller').notNull(),
    idempotencyKey: text('idempotency_key'),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    index('outcome_events_interaction').on(t.interactionId, t.id),
    uniqueIndex('outcome_events_idempotency').on(t.interactionId, t.idempotencyKey),
  ],
)

/**
 * Each caller's last report on an interaction: one vote per caller. `credited` is the outcome already included in the
 * counters.
 */
export const outcomeVotes = sqliteTable(
  'outcome_votes',
  {
    interactionId: text('interaction_id').notNull(),
    caller: text('caller').notNull(),
    outcome: text('outcome').$type<Outcome>().notNull(),
    credited: text('credited').$type<Outcome>(),
    /** Whether the caller is not the one who tracked the interaction, or has an admin key. */
    independent: integer('independent', { mode: 'boolean' }).notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.interactionId, t.caller] })],
)

/**
 * One caller's votes on one item. Votes on items that were shown to it are counted separately. Changed only by
 * increments.
 */
export const contextVotes = sqliteTable(
  'context_votes',
  {
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    itemId: text('item_id').notNull(),
    caller: text('caller').notNull(),
    successes: integer('successes').notNull().default(0),
    partials: integer('partials').notNull().default(0),
    failures: integer('failures').notNull().default(0),
    /** Votes on answers that named the item although no retrieval had shown it. They have little weight. */
    unseenSuccesses: integer('unseen_successes').notNull().default(0),
    unseenPartials: integer('unseen_partials').notNull().default(0),
    unseenFailures: integer('unseen_failures').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.project, t.collection, t.itemId, t.caller] }),
    index('context_votes_caller').on(t.project, t.caller),
  ],
)

/** All callers' votes on an item, uncapped and changed only by increments, and the credit computed from them. */
export const contextCredit = sqliteTable(
  'context_credit',
  {
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    itemId: text('item_id').notNull(),
    successes: integer('successes').notNull().default(0),
    partials: integer('partials').notNull().default(0),
    failures: integer('failures').notNull().default(0),
    /** The credit for ranking: weighted and capped votes, see ranking/credit.ts. */
    countedSuccesses: real('counted_successes').notNull().default(0),
    countedPartials: real('counted_partials').notNull().default(0),
    countedFailures: real('counted_failures').notNull().default(0),
    /** Increases with every change. The knowledge store ignores older versions. */
    version: integer('version').notNull().default(0),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.collection, t.itemId] })],
)

/** Corrections by people or agents, also stored in the collection learning-feedback. */
export const corrections = sqliteTable(
  'corrections',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    interactionId: text('interaction_id'),
    query: text('query').notNull(),
    originalResponse: text('original_response'),
    correction: text('correction').notNull(),
    rating: real('rating'),
    tags: jsonText<string[]>('tags', []).notNull(),
    model: text('model'),
    variant: text('variant'),
    idempotencyKey: text('idempotency_key'),
    /** Id of the caller's key; null: before this was recorded. */
    caller: text('caller'),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    uniqueIndex('corrections_idempotency').on(t.project, t.idempotencyKey),
    index('corrections_project_id').on(t.project, t.id),
    index('corrections_interaction').on(t.interactionId),
  ],
)
