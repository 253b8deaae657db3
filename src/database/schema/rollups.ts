/**
 * Statistics that are updated with the facts.
 * @module
 */
import { integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * Rollups: statistics read these instead of the facts. Triggers update them in the fact's transaction (see the
 * migration `rollups`), so they always equal a recount; `recountRollups` compares them. Days are UTC and belong to the
 * interaction: a late outcome changes the day of its interaction. Scores are stored in millionths and latencies in
 * microseconds, as integers, so that adding and subtracting is exact.
 */
export const rollupInteractions = sqliteTable(
  'rollup_interactions',
  {
    project: text('project').notNull(),
    day: text('day').notNull(),
    agentType: text('agent_type').notNull(),
    hadContext: integer('had_context').notNull(),
    /** Empty: no outcome yet. */
    outcome: text('outcome').notNull(),
    n: integer('n').notNull(),
    tokens: integer('tokens').notNull(),
    tokensSquares: real('tokens_squares').notNull(),
    /** Number of interactions with reported tokens. */
    withTokens: integer('with_tokens').notNull(),
    scored: integer('scored').notNull(),
    valueMillionths: integer('value_millionths').notNull(),
    /** Number of interactions with an outcome whose score is pending. */
    unscored: integer('unscored').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.agentType, t.hadContext, t.outcome] })],
)

/** Value scores in hundredths, rounded down: bin 70 contains 0.70 to 0.7099…. */
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
    /** Only of those with context. */
    topWhole: integer('top_whole').notNull(),
    documents: integer('documents').notNull(),
    /** Augmentations whose documents' size is known, and the tokens they added. */
    documentsN: integer('documents_n').notNull(),
    documentsAdded: integer('documents_added').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.day, t.control] })],
)

/** The two arms of the CONTROL_GROUP_SHARE experiment. */
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

/** Outcomes of the answers in that experiment. */
export const rollupExposures = sqliteTable(
  'rollup_exposures',
  {
    project: text('project').notNull(),
    control: integer('control').notNull(),
    controlShare: real('control_share').notNull(),
    outcome: text('outcome').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.control, t.controlShare, t.outcome] })],
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

/** Row counts of other tables: `corrections`, and `credited` items. */
export const rollupCounts = sqliteTable(
  'rollup_counts',
  {
    project: text('project').notNull(),
    name: text('name').notNull(),
    n: integer('n').notNull(),
  },
  (t) => [primaryKey({ columns: [t.project, t.name] })],
)
