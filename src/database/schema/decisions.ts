/**
 * What retrieval showed, what routing chose, and what both have learnt.
 * @module
 */
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { jsonText } from '../json-column.ts'

/** What augmentation showed, with which probability: the log that credit and the token ledger are computed from. */
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
    record: jsonText<Record<string, unknown>>('record', {}).notNull(),
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

/** What earlier questions needed, as a model keeps it; ranking/learnt/needs.ts reads it. */
export interface StoredNeeds {
  /** Name of the embedding space of the questions. */
  readonly space: string
  /** Weights of the two features, in log-odds a unit. */
  readonly usual: number
  readonly near: number
  /** Vector in base64, then document and probability by turns. */
  readonly questions: readonly (readonly [string | null, ...number[]])[]
}

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
  /** What earlier questions needed, see ranking/learnt/needs.ts; null: not learnt, or it does not help. */
  needs: text('needs', { mode: 'json' }).$type<StoredNeeds>(),
  trainedAt: integer('trained_at'),
})
