/**
 * Logs of retrieval and routing, and the models trained from them.
 * @module
 */
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** The results of augmentations, with their probabilities. Credit and the token ledger are computed from this log. */
export const retrievals = sqliteTable(
  'retrievals',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    operation: text('operation').notNull(),
    query: text('query').notNull(),
    conversationId: text('conversation_id'),
    shown: jsonText<ShownItem[]>('shown', []).notNull(),
    tokenBudget: integer('token_budget').notNull(),
    tokensAdded: integer('tokens_added').notNull(),
    /** Tokens of the same items if they were sent whole. */
    tokensWhole: integer('tokens_whole').notNull(),
    /** Tokens of useful passages that were not sent again because an earlier turn included them. */
    tokensSpared: integer('tokens_spared').notNull().default(0),
    /** Tokens of the five best relevant items sent whole: the cost of plain top-k retrieval. */
    tokensTopWhole: integer('tokens_top_whole').notNull().default(0),
    /** Tokens of the whole documents of the shown items; null: unknown. */
    tokensDocuments: integer('tokens_documents'),
    /** Whether context was found and withheld, to estimate its effect. */
    control: integer('control', { mode: 'boolean' }).notNull().default(false),
    /** Probability that this retrieval was assigned to the control group; 0: not eligible. */
    controlShare: real('control_share').notNull().default(0),
    /** Context id of the item that was left out at random, to estimate its effect. */
    heldOut: text('held_out'),
    /** Probability that any item was left out of this retrieval; 0: not eligible. */
    holdOutShare: real('hold_out_share').notNull().default(0),
    /** Number of items in that draw. Each has the same probability. */
    holdOutItems: integer('hold_out_items').notNull().default(0),
    /** Id of the caller's key; null: before this was recorded. */
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

/** The chosen search and model, with the reasons. */
export const routingDecisions = sqliteTable(
  'routing_decisions',
  {
    id: text('id').primaryKey(),
    project: text('project').notNull(),
    query: text('query').notNull(),
    route: text('route').notNull(),
    backend: text('backend').notNull(),
    /** Cause, signals and scores, as in the answer. */
    record: jsonText<Record<string, unknown>>('record', {}).notNull(),
    conversationId: text('conversation_id'),
    /** Id of the caller's key; null: before this was recorded. */
    caller: text('caller'),
    latencyMs: real('latency_ms').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('routing_decisions_project_id').on(t.project, t.id)],
)

/** The trained router of a project, a function of its interactions with a known outcome. */
export const routingModels = sqliteTable('routing_models', {
  project: text('project').primaryKey(),
  /** Increases with every training. */
  version: integer('version').notNull().default(0),
  /** Number of interactions in the training data. */
  examples: integer('examples').notNull().default(0),
  /** Number of outcomes reported since. It decides when to train again. */
  pending: integer('pending').notNull().default(0),
  /** See router-codec.ts; null before the first training. */
  model: text('model'),
  trainedAt: integer('trained_at'),
  /** Calibrated confidence threshold of this project; null: the setting. */
  threshold: real('threshold'),
})

/** The needs of earlier questions, as stored in a model; see ranking/learnt/needs.ts. */
export interface StoredNeeds {
  /** Name of the embedding space of the questions. */
  readonly space: string
  /** Weights of the two features, in log-odds per unit. */
  readonly usual: number
  readonly near: number
  /** Vector in base64, then alternating document and probability. */
  readonly questions: readonly (readonly [string | null, ...number[]])[]
}

/**
 * The trained ranking of a project, a function of its interactions with a known outcome and the knowledge at that time.
 */
export const rankingModels = sqliteTable('ranking_models', {
  project: text('project').primaryKey(),
  /** Increases with every training. */
  version: integer('version').notNull().default(0),
  /** Number of outcomes in the training data, and of those reported since. */
  examples: integer('examples').notNull().default(0),
  pending: integer('pending').notNull().default(0),
  queries: integer('queries').notNull().default(0),
  /** Gain in held-out log-likelihood per query, and the same in standard errors. */
  gain: real('gain').notNull().default(0),
  standardErrors: real('standard_errors').notNull().default(0),
  /** Whether the weights are used. */
  accepted: integer('accepted', { mode: 'boolean' }).notNull().default(false),
  /** Weights by feature key, in log-odds. */
  weights: text('weights', { mode: 'json' }).$type<Record<string, number>>(),
  /** The needs of earlier questions, see ranking/learnt/needs.ts; null: not learnt, or without benefit. */
  needs: text('needs', { mode: 'json' }).$type<StoredNeeds>(),
  trainedAt: integer('trained_at'),
})
