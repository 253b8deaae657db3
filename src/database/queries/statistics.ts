/**
 * Exact counts, never estimates. Figures over all interactions are read from the rollups.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'

type Row = Readonly<Record<string, unknown>>

const number = (value: unknown) => (value === null || value === undefined ? 0 : Number(value))
const nullable = (value: unknown) => (value === null || value === undefined ? null : Number(value))

/** Counts of interactions by outcome. `unknown`: no outcome yet. */
export interface OutcomeCounts {
  readonly success: number
  readonly partial: number
  readonly failure: number
  readonly unknown: number
}

/** Usage of the coordinator, for one project or all projects. */
export interface UsageFigures {
  readonly interactions: number
  readonly outcomes: OutcomeCounts
  readonly byAgent: readonly { agent: string; count: number }[]
  readonly byModel: readonly { model: string; count: number; tokens: number; meanLatencyMs: number }[]
  readonly scored: number
  readonly meanValueScore: number | null
  readonly tokensUsed: number
  readonly withContext: OutcomeCounts
  readonly withoutContext: OutcomeCounts
  readonly retrievals: { readonly count: number; readonly tokensAdded: number; readonly tokensWhole: number }
  readonly routing: readonly { route: string; backend: string; count: number }[]
}

/** Maximum number of models listed, most used first. */
const MODELS = 20

const within = (project: string | null): SQL => (project === null ? sql`1` : sql`project = ${project}`)
const OUTCOMES = sql`sum(outcome IS 'success') AS success, sum(outcome IS 'partial') AS partial,
  sum(outcome IS 'failure') AS failure, sum(outcome IS NULL) AS unknown`
const ROLLED_OUTCOMES = sql`sum(n * (outcome = 'success')) AS success, sum(n * (outcome = 'partial')) AS partial,
  sum(n * (outcome = 'failure')) AS failure, sum(n * (outcome = '')) AS unknown`

function outcomesOf(row: Row | undefined): OutcomeCounts {
  return {
    success: number(row?.success),
    partial: number(row?.partial),
    failure: number(row?.failure),
    unknown: number(row?.unknown),
  }
}

/**
 * Counts interactions, retrievals and routing decisions.
 * @param since first day (UTC, `2027-01-31`); null: all days. Models are counted over all days.
 */
export async function usageFigures(
  database: Database,
  project: string | null,
  since: string | null = null,
): Promise<UsageFigures> {
  const condition = since === null ? within(project) : sql`${within(project)} AND day >= ${since}`
  const [totals, agents, models, context, retrieval, routing] = await atomically(database, [
    sql`SELECT sum(n) AS n, ${ROLLED_OUTCOMES}, sum(scored) AS scored, sum(value_millionths) / 1e6 / nullif(sum(scored), 0) AS mean,
          sum(tokens) AS tokens FROM rollup_interactions WHERE ${condition}`,
    sql`SELECT agent_type, sum(n) AS n FROM rollup_interactions WHERE ${condition}
        GROUP BY agent_type HAVING sum(n) > 0 ORDER BY agent_type`,
    sql`SELECT model_used, sum(n) AS n, sum(tokens) AS tokens, sum(latency_microseconds) / 1e3 / sum(n) AS latency
        FROM rollup_models WHERE ${within(project)} GROUP BY model_used HAVING sum(n) > 0 ORDER BY n DESC, model_used LIMIT ${MODELS}`,
    sql`SELECT had_context AS had, ${ROLLED_OUTCOMES} FROM rollup_interactions WHERE ${condition} GROUP BY had_context`,
    sql`SELECT sum(n) AS n, sum(added) AS added, sum(whole) AS whole FROM rollup_retrievals WHERE ${condition}`,
    sql`SELECT route, backend, sum(n) AS n FROM rollup_routing WHERE ${condition}
        GROUP BY route, backend HAVING sum(n) > 0 ORDER BY n DESC, route, backend`,
  ])
  const total = totals?.rows[0]
  return {
    interactions: number(total?.n),
    outcomes: outcomesOf(total),
    byAgent: (agents?.rows ?? []).map((row) => ({ agent: String(row.agent_type), count: number(row.n) })),
    byModel: (models?.rows ?? []).map((row) => ({
      model: String(row.model_used),
      count: number(row.n),
      tokens: number(row.tokens),
      meanLatencyMs: number(row.latency),
    })),
    scored: number(total?.scored),
    meanValueScore: nullable(total?.mean),
    tokensUsed: number(total?.tokens),
    withContext: outcomesOf(context?.rows.find((row) => number(row.had) === 1)),
    withoutContext: outcomesOf(context?.rows.find((row) => number(row.had) === 0)),
    retrievals: {
      count: number(retrieval?.rows[0]?.n),
      tokensAdded: number(retrieval?.rows[0]?.added),
      tokensWhole: number(retrieval?.rows[0]?.whole),
    },
    routing: (routing?.rows ?? []).map((row) => ({
      route: String(row.route),
      backend: String(row.backend),
      count: number(row.n),
    })),
  }
}

/** The state of learning, for one project or all projects. */
export interface LearningFigures {
  readonly jobs: readonly { kind: string; status: string; count: number }[]
  /** When the longest waiting job was created; milliseconds since 1970, null if none is pending. */
  readonly oldestPendingAt: number | null
  readonly scored: number
  readonly unscored: number
  readonly meanValueScore: number | null
  readonly highValue: number
  readonly corrections: number
  readonly credited: number
  readonly datasets: { readonly count: number; readonly rows: number; readonly bytes: number }
}

/**
 * Counts jobs, scores, corrections and datasets.
 * @param highValueThreshold 0 to 1; rounded up to whole hundredths
 */
export async function learningFigures(
  database: Database,
  project: string | null,
  highValueThreshold: number,
): Promise<LearningFigures> {
  const condition = within(project)
  const [jobs, oldest, scores, high, corrections, credited, datasets] = await atomically(database, [
    sql`SELECT kind, status, sum(n) AS n FROM rollup_jobs WHERE ${condition}
        GROUP BY kind, status HAVING sum(n) > 0 ORDER BY kind, status`,
    sql`SELECT min(created_at) AS at FROM jobs WHERE status IN ('pending', 'running') AND ${condition}`,
    sql`SELECT sum(scored) AS scored, sum(unscored) AS unscored, sum(value_millionths) / 1e6 / nullif(sum(scored), 0) AS mean
        FROM rollup_interactions WHERE ${condition}`,
    sql`SELECT sum(n) AS n FROM rollup_scores WHERE bin >= ${Math.ceil(highValueThreshold * 100 - 1e-9)} AND ${condition}`,
    sql`SELECT sum(n) AS n FROM rollup_counts WHERE name = 'corrections' AND ${condition}`,
    sql`SELECT sum(n) AS n FROM rollup_counts WHERE name = 'credited' AND ${condition}`,
    sql`SELECT count(*) AS n, sum(rows) AS rows, sum(bytes) AS bytes FROM exports WHERE ${condition}`,
  ])
  const score = scores?.rows[0]
  const dataset = datasets?.rows[0]
  return {
    jobs: (jobs?.rows ?? []).map((row) => ({
      kind: String(row.kind),
      status: String(row.status),
      count: number(row.n),
    })),
    oldestPendingAt: nullable(oldest?.rows[0]?.at),
    scored: number(score?.scored),
    unscored: number(score?.unscored),
    meanValueScore: nullable(score?.mean),
    highValue: number(high?.rows[0]?.n),
    corrections: number(corrections?.rows[0]?.n),
    credited: number(credited?.rows[0]?.n),
    datasets: { count: number(dataset?.n), rows: number(dataset?.rows), bytes: number(dataset?.bytes) },
  }
}

/** Maximum number of interactions, newest first, from which an item's effect is estimated. */
const MAX_EXPOSURES = 5_000

/**
 * One time that an item was selected for an augmentation, whether or not it was then held out. `count` combines equal
 * exposures.
 */
export interface Exposure {
  /** Number of equal exposures. Default: 1. */
  readonly count?: number
  /** Whether the item was shown; false: held out by the random draw. */
  readonly shown: boolean
  /** Probability that it was shown in this draw, above 0 and below 1. */
  readonly probability: number
  /** Outcome of the interaction: success 1, partial 0.5, failure 0. */
  readonly success: number
}

/** One time that an item took part in a hold-out draw. */
export interface ItemDraw extends Omit<Exposure, 'probability' | 'count'> {
  /** Probability that any item was left out, and the number of items in the draw. */
  readonly share: number
  readonly items: number
}

/** Outcomes of answers to queries eligible for the control group, with and without the found context. */
export async function contextExposures(database: Database, project: string): Promise<Exposure[]> {
  const [found] = await atomically(database, [
    sql`SELECT control, control_share, outcome, n FROM rollup_exposures WHERE project = ${project} AND n > 0`,
  ])
  return (found?.rows ?? []).map((row) => ({
    count: number(row.n),
    shown: number(row.control) === 0,
    probability: 1 - number(row.control_share),
    success: row.outcome === 'success' ? 1 : row.outcome === 'partial' ? 0.5 : 0,
  }))
}

/**
 * Outcomes of answers to queries for which an item was selected, with and without it: either all selected items were
 * shown, or this item was held out. Counts what augmentation showed, not what callers report as used.
 */
export async function itemDraws(database: Database, project: string, contextId: string): Promise<ItemDraw[]> {
  const [found] = await atomically(database, [
    sql`SELECT r.held_out, r.hold_out_share, r.hold_out_items, i.outcome
        FROM (SELECT * FROM interactions WHERE project = ${project} ORDER BY id DESC LIMIT ${MAX_EXPOSURES}) i
        JOIN retrievals r ON r.id = i.retrieval_id AND r.project = i.project
        WHERE i.outcome IS NOT NULL AND r.hold_out_share > 0 AND r.hold_out_share < 1 AND NOT r.control
          AND (r.held_out = ${contextId} OR (r.held_out IS NULL AND instr(r.shown, ${JSON.stringify(contextId)}) > 0))`,
  ])
  return (found?.rows ?? []).map((row) => ({
    shown: row.held_out === null,
    share: number(row.hold_out_share),
    items: number(row.hold_out_items),
    success: row.outcome === 'success' ? 1 : row.outcome === 'partial' ? 0.5 : 0,
  }))
}

/** An experiment arm: interactions with this variant or this tag. */
export interface ArmSelector {
  readonly variant: string
  readonly tag: string
}

/** Sums over one arm. Ratings are between −1 and 1. */
export interface ArmFigures {
  readonly total: number
  readonly rated: number
  readonly ratingSum: number
  readonly ratingSquares: number
  readonly success: number
  readonly partial: number
  readonly failure: number
}

/** Both arms, in total and by day. */
export interface Arms {
  readonly a: ArmFigures
  readonly b: ArmFigures
  /** Units in both arms. They are excluded from both. */
  readonly inBoth: number
  /** Cumulative sums up to and including each day (UTC) with any unit, in order. */
  readonly growth: readonly { readonly day: string; readonly a: ArmFigures; readonly b: ArmFigures }[]
}

/**
 * Sums of both arms since a given time. A unit is an interaction, with its own rating or, failing that, the mean rating
 * of its corrections. A correction without an interaction is a unit of its own. Interactions in both arms are excluded.
 */
export async function armFigures(
  database: Database,
  project: string,
  a: ArmSelector,
  b: ArmSelector,
  since: number,
): Promise<Arms> {
  const member = (arm: ArmSelector) =>
    sql`(variant IS ${arm.variant} OR EXISTS (SELECT 1 FROM json_each(${arrayIn(sql`tags`)}) WHERE json_each.value = ${arm.tag}))`
  const day = sql`strftime('%Y-%m-%d', created_at / 1000, 'unixepoch') AS day`
  const [units] = await atomically(database, [
    sql`WITH units AS (
          SELECT ${member(a)} AS in_a, ${member(b)} AS in_b, ${day}, outcome,
            coalesce(user_feedback, (SELECT avg(rating) FROM corrections c WHERE c.interaction_id = interactions.id)) AS rating
          FROM interactions WHERE project = ${project} AND created_at >= ${since}
          UNION ALL
          SELECT ${member(a)}, ${member(b)}, ${day}, NULL, rating FROM corrections
          WHERE project = ${project} AND created_at >= ${since} AND interaction_id IS NULL AND rating IS NOT NULL)
        SELECT in_a, in_b, day, count(*) AS total, count(rating) AS rated, sum(rating) AS sum, sum(rating * rating) AS squares,
          ${OUTCOMES} FROM units WHERE in_a OR in_b GROUP BY in_a, in_b, day ORDER BY day`,
  ])
  const sums = { a: NO_FIGURES, b: NO_FIGURES }
  const growth = new Map<string, { day: string; a: ArmFigures; b: ArmFigures }>()
  let inBoth = 0
  for (const row of units?.rows ?? []) {
    const arm = number(row.in_a) === 1 ? (number(row.in_b) === 1 ? null : 'a') : 'b'
    if (arm === null) inBoth += number(row.total)
    else {
      sums[arm] = added(sums[arm], row)
      growth.set(String(row.day), { day: String(row.day), ...sums })
    }
  }
  return { ...sums, inBoth, growth: [...growth.values()] }
}

const NO_FIGURES: ArmFigures = {
  total: 0,
  rated: 0,
  ratingSum: 0,
  ratingSquares: 0,
  success: 0,
  partial: 0,
  failure: 0,
}

function added(arm: ArmFigures, row: Row): ArmFigures {
  return {
    total: arm.total + number(row.total),
    rated: arm.rated + number(row.rated),
    ratingSum: arm.ratingSum + number(row.sum),
    ratingSquares: arm.ratingSquares + number(row.squares),
    success: arm.success + number(row.success),
    partial: arm.partial + number(row.partial),
    failure: arm.failure + number(row.failure),
  }
}
