/**
 * Every table of D1. Times are milliseconds since 1970; JSON columns hold exactly the type named beside them.
 * @module
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export type AgentType = 'local' | 'remote'
/** What a key may do. `admin` includes all others. */
export type Scope = 'read' | 'write' | 'learn' | 'admin'
export type Outcome = 'success' | 'partial' | 'failure'
/** `dead`: out of attempts; `discarded`: given up by someone. */
/** Parts of an interaction's value score, each already multiplied by its weight, so that they sum to the score. */
export interface ValueParts {
  outcome: number
  feedback: number
  reusability: number
  complexity: number
  novelty: number
}

/** A part of an upload that R2 has: its name there, and the SHA-256 of its bytes. */
export interface UploadedPart {
  readonly etag: string
  readonly sha256: string
}

export type JobStatus = 'pending' | 'running' | 'done' | 'dead' | 'discarded'

/** One question and its answer, with what came of it. */
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
    /** The augmentation that this answers. */
    retrievalId: text('retrieval_id'),
    /** The routing decision that led to this answer. */
    decisionId: text('decision_id'),
    /** Whether it was given any context; the items stand in interaction_contexts. */
    hadContext: integer('had_context', { mode: 'boolean' }).notNull().default(false),
    outcome: text('outcome').$type<Outcome>(),
    userFeedback: integer('user_feedback'),
    /** Grows with every change of outcome or feedback; a score computed for an older revision is not written. */
    revision: integer('revision').notNull().default(0),
    /** The event that made this revision. */
    lastEvent: text('last_event'),
    valueScore: real('value_score'),
    valueParts: text('value_parts', { mode: 'json' }).$type<ValueParts>(),
    /** Version of the formula, e.g. `value-1`. */
    valueVersion: text('value_version'),
    idempotencyKey: text('idempotency_key'),
    /** Id of the key that tracked it; null: from before this was noted. */
    caller: text('caller'),
    /** Whether it happened elsewhere and was imported. */
    imported: integer('imported', { mode: 'boolean' }).notNull().default(false),
    /**
     * The archive in R2 that holds its answer, contexts, history and votes; null: they are here. The row itself stays, with the figures
     * and the beginning of the query, so that nothing that is counted or selected changes.
     */
    archiveId: text('archive_id'),
    /** Bytes of query and answer while they are archived. */
    archivedBytes: integer('archived_bytes'),
    /** Its finished jobs that are archived with it, counted by kind. */
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

/** Files in R2 that hold what was moved out of interactions and their dependent tables; see learning/archive. */
export const archives = sqliteTable(
  'archives',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    /** `writing`: nothing rests on it yet; the file may be there or not. `abandoned`: nothing ever will. */
    status: text('status').$type<'writing' | 'stored' | 'abandoned'>().notNull(),
    /** Interactions that the file holds. */
    lines: integer('lines').notNull(),
    /** Of the file. */
    bytes: integer('bytes').notNull(),
    /** SHA-256 of what it holds, unpacked. */
    sha256: text('sha256').notNull(),
    /** Keys whose votes or reports it holds. */
    callers: text('callers', { mode: 'json' }).$type<string[]>().notNull(),
    /** Whether it holds lines that no row points to any more: it is to be written anew without them. */
    stale: integer('stale', { mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('archives_project').on(t.project, t.id)],
)

/** Which context an interaction was given. */
export const interactionContexts = sqliteTable(
  'interaction_contexts',
  {
    interactionId: text('interaction_id').notNull(),
    collection: text('collection').notNull(),
    itemId: text('item_id').notNull(),
    position: integer('position').notNull(),
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

/** What each caller last said of an interaction: one voter, one vote. `credited` is the outcome that the counters hold already. */
export const outcomeVotes = sqliteTable(
  'outcome_votes',
  {
    interactionId: text('interaction_id').notNull(),
    caller: text('caller').notNull(),
    outcome: text('outcome').$type<Outcome>().notNull(),
    credited: text('credited').$type<Outcome>(),
  },
  (t) => [primaryKey({ columns: [t.interactionId, t.caller] })],
)

/** One caller's votes on one item. Changed by increments only. */
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
  },
  (t) => [primaryKey({ columns: [t.project, t.collection, t.itemId, t.caller] })],
)

/** All callers' votes on an item, uncapped. Changed by increments only. */
export const contextCredit = sqliteTable(
  'context_credit',
  {
    project: text('project').notNull(),
    collection: text('collection').notNull(),
    itemId: text('item_id').notNull(),
    successes: integer('successes').notNull().default(0),
    partials: integer('partials').notNull().default(0),
    failures: integer('failures').notNull().default(0),
    /** Grows with every change; the knowledge store ignores an older one. */
    version: integer('version').notNull().default(0),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.collection, t.itemId] })],
)

/** Corrections given by people or agents; also stored in the collection learning-feedback. */
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
    tags: text('tags', { mode: 'json' }).$type<string[]>().notNull(),
    model: text('model'),
    variant: text('variant'),
    idempotencyKey: text('idempotency_key'),
    /** Id of the key that gave it; null: from before this was noted. */
    caller: text('caller'),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    uniqueIndex('corrections_idempotency').on(t.project, t.idempotencyKey),
    index('corrections_project_id').on(t.project, t.id),
    index('corrections_interaction').on(t.interactionId),
  ],
)

/** What augmentation showed, with which probability: the log that credit and the token ledger are computed from. */
export const retrievals = sqliteTable(
  'retrievals',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    operation: text('operation').notNull(),
    query: text('query').notNull(),
    conversationId: text('conversation_id'),
    shown: text('shown', { mode: 'json' }).$type<ShownItem[]>().notNull(),
    tokenBudget: integer('token_budget').notNull(),
    tokensAdded: integer('tokens_added').notNull(),
    /** Tokens of the same items sent whole. */
    tokensWhole: integer('tokens_whole').notNull(),
    /** Tokens of useful passages that were not sent again because an earlier turn carried them. */
    tokensSpared: integer('tokens_spared').notNull().default(0),
    /** Tokens of the five best relevant items sent whole: what plain top-k retrieval would have added. */
    tokensTopWhole: integer('tokens_top_whole').notNull().default(0),
    /** Tokens of the whole documents that the shown items belong to; null: unknown. */
    tokensDocuments: integer('tokens_documents'),
    /** Whether context was found and withheld, so that its effect can be estimated. */
    control: integer('control', { mode: 'boolean' }).notNull().default(false),
    /** Probability with which this retrieval could have become one of the control group; 0: it couldn't. */
    controlShare: real('control_share').notNull().default(0),
    /** Context id of the item that was left out at random, so that its effect can be estimated. */
    heldOut: text('held_out'),
    /** Probability with which any item could have been left out of this retrieval; 0: none could. */
    holdOutShare: real('hold_out_share').notNull().default(0),
    /** Items in that draw, each left out with the same probability. */
    holdOutItems: integer('hold_out_items').notNull().default(0),
    /** Id of the key that asked; null: from before this was noted. */
    caller: text('caller'),
    latencyMs: real('latency_ms').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('retrievals_project_id').on(t.project, t.id)],
)

/** One item of `retrievals.shown`. */
export interface ShownItem {
  context_id: string
  rank: number
  probability: number
  tokens: number
}

/** Which search and which model were chosen, and why. */
export const routingDecisions = sqliteTable(
  'routing_decisions',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    query: text('query').notNull(),
    route: text('route').notNull(),
    backend: text('backend').notNull(),
    /** Cause, signals and scores, as in the answer. */
    record: text('record', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    conversationId: text('conversation_id'),
    /** Id of the key that asked; null: from before this was noted. */
    caller: text('caller'),
    latencyMs: real('latency_ms').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('routing_decisions_project_id').on(t.project, t.id)],
)

/** What the router of a project has learnt; a function of the project's interactions with a known outcome. */
export const routingModels = sqliteTable('routing_models', {
  project: text('project').primaryKey(),
  /** Grows with every training. */
  version: integer('version').notNull().default(0),
  /** Interactions that it was learnt from. */
  examples: integer('examples').notNull().default(0),
  /** Outcomes reported since; decides when to learn again. */
  pending: integer('pending').notNull().default(0),
  /** See router-codec.ts; null before the first training. */
  model: text('model'),
  trainedAt: integer('trained_at'),
  /** Calibrated confidence threshold of this project; null: the setting's. */
  threshold: real('threshold'),
})

/** What a project has learnt of ranking; a function of its interactions with a known outcome and the knowledge of that time. */
export const rankingModels = sqliteTable('ranking_models', {
  project: text('project').primaryKey(),
  /** Grows with every training. */
  version: integer('version').notNull().default(0),
  /** Outcomes that it was learnt from, and those reported since. */
  examples: integer('examples').notNull().default(0),
  pending: integer('pending').notNull().default(0),
  queries: integer('queries').notNull().default(0),
  /** Gain of the held-out log-likelihood a query, and the same in its standard errors. */
  gain: real('gain').notNull().default(0),
  standardErrors: real('standard_errors').notNull().default(0),
  /** Whether the weights are used. */
  accepted: integer('accepted', { mode: 'boolean' }).notNull().default(false),
  /** Weights by key of feature, in log-odds. */
  weights: text('weights', { mode: 'json' }).$type<Record<string, number>>(),
  trainedAt: integer('trained_at'),
})

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
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    uniqueIndex('jobs_cause').on(t.kind, t.subject, t.revision),
    index('jobs_due').on(t.status, t.runAfter),
    index('jobs_project_status').on(t.project, t.status),
  ],
)

/** Datasets in R2. */
export const exports = sqliteTable(
  'exports',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    format: text('format').notNull(),
    filters: text('filters', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    key: text('key').notNull(),
    rows: integer('rows').notNull(),
    bytes: integer('bytes').notNull(),
    sha256: text('sha256').notNull(),
    /** What the datasheet says beyond these columns: splits, tokens, redactions, licence. */
    sheet: text('sheet', { mode: 'json' }).$type<Record<string, unknown>>().notNull().default({}),
    /** Interactions that were not taken, by reason. */
    skipped: text('skipped', { mode: 'json' }).$type<Record<string, number>>().notNull().default({}),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('exports_project_id').on(t.project, t.id), uniqueIndex('exports_key').on(t.key)],
)

/** Uploads of datasets that have begun and not ended: an export that was cut off goes on from here. */
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
    terms: text('terms', { mode: 'json' }).$type<string[]>().notNull(),
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
    scopes: text('scopes', { mode: 'json' }).$type<Scope[]>().notNull(),
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
    input: text('input', { mode: 'json' }).$type<Record<string, unknown>>().notNull(),
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

/**
 * Rollups: what statistics read instead of the facts. Triggers move them with the fact, in its own transaction (see the migration
 * `rollups`), so each equals its recount at all times; `recountRollups` compares them. Days are UTC, of the interaction itself: a
 * late outcome moves the day of the interaction. Scores are held in millionths and latencies in microseconds, as whole numbers,
 * so that adding and taking away leaves nothing behind.
 */
export const rollupInteractions = sqliteTable(
  'rollup_interactions',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    agentType: text('agent_type').notNull(),
    hadContext: integer('had_context').notNull(),
    /** Empty: not reported yet. */
    outcome: text('outcome').notNull(),
    n: integer('n').notNull(),
    tokens: integer('tokens').notNull(),
    tokensSquares: real('tokens_squares').notNull(),
    /** Interactions whose tokens were reported. */
    withTokens: integer('with_tokens').notNull(),
    scored: integer('scored').notNull(),
    valueMillionths: integer('value_millionths').notNull(),
    /** Interactions with an outcome whose score is pending. */
    unscored: integer('unscored').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.agentType, t.hadContext, t.outcome] })],
)

/** Value scores in hundredths, rounded down: bin 70 holds 0.70 to 0.7099…. */
export const rollupScores = sqliteTable(
  'rollup_scores',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    bin: integer('bin').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.bin] })],
)

export const rollupModels = sqliteTable(
  'rollup_models',
  {
    project: text('project').notNull(),
    modelUsed: text('model_used').notNull(),
    n: integer('n').notNull(),
    tokens: integer('tokens').notNull(),
    latencyMicroseconds: integer('latency_microseconds').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.modelUsed] })],
)

export const rollupRetrievals = sqliteTable(
  'rollup_retrievals',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    control: integer('control').notNull(),
    n: integer('n').notNull(),
    withContext: integer('with_context').notNull(),
    added: integer('added').notNull(),
    spared: integer('spared').notNull(),
    whole: integer('whole').notNull(),
    /** Of those with context only. */
    topWhole: integer('top_whole').notNull(),
    documents: integer('documents').notNull(),
    /** Those whose documents' size is known, and what they added. */
    documentsN: integer('documents_n').notNull(),
    documentsAdded: integer('documents_added').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.control] })],
)

/** The two sides of the experiment that CONTROL_GROUP_SHARE runs. */
export const rollupArms = sqliteTable(
  'rollup_arms',
  {
    project: text('project').notNull(),
    control: integer('control').notNull(),
    retrievals: integer('retrievals').notNull(),
    answers: integer('answers').notNull(),
    withTokens: integer('with_tokens').notNull(),
    tokens: integer('tokens').notNull(),
    tokensSquares: real('tokens_squares').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.control] })],
)

export const rollupRouting = sqliteTable(
  'rollup_routing',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    route: text('route').notNull(),
    backend: text('backend').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.route, t.backend] })],
)

export const rollupJobs = sqliteTable(
  'rollup_jobs',
  {
    project: text('project').notNull(),
    kind: text('kind').notNull(),
    status: text('status').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.kind, t.status] })],
)

/** Rows of other tables: `corrections`, and `credited` items. */
export const rollupCounts = sqliteTable(
  'rollup_counts',
  {
    project: text('project').notNull(),
    name: text('name').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.name] })],
)
