/**
 * The controls of background work, and its use of language models.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { learningControls, modelUsage } from '../schema.ts'

export interface LearningControls {
  /** Whether all background work is paused. */
  readonly paused: boolean
  /** Maximum model calls of background work per day (UTC). */
  readonly dailyCalls: number
  /** Maximum model tokens (prompt and answer) of background work per day (UTC). */
  readonly dailyTokens: number
}

/** The default controls. */
export const DEFAULT_CONTROLS: LearningControls = { paused: false, dailyCalls: 500, dailyTokens: 500_000 }

/** The current controls. */
export async function readControls(database: Database): Promise<LearningControls> {
  const [row] = await database.select().from(learningControls).where(eq(learningControls.id, 1)).limit(1)
  return row ? { paused: row.paused, dailyCalls: row.dailyCalls, dailyTokens: row.dailyTokens } : DEFAULT_CONTROLS
}

/** Changes the given controls and leaves the others unchanged. Takes effect with the next job. */
export async function setControls(
  database: Database,
  change: Partial<LearningControls>,
  caller: string,
  now: number,
): Promise<LearningControls> {
  const paused = change.paused === undefined ? null : Number(change.paused)
  const calls = change.dailyCalls ?? null
  const tokens = change.dailyTokens ?? null
  await execute(
    database,
    sql`INSERT INTO learning_controls (id, paused, daily_calls, daily_tokens, updated_by, updated_at)
        VALUES (1, coalesce(${paused}, ${Number(DEFAULT_CONTROLS.paused)}), coalesce(${calls}, ${DEFAULT_CONTROLS.dailyCalls}),
          coalesce(${tokens}, ${DEFAULT_CONTROLS.dailyTokens}), ${caller}, ${now})
        ON CONFLICT (id) DO UPDATE SET paused = coalesce(${paused}, paused), daily_calls = coalesce(${calls}, daily_calls),
          daily_tokens = coalesce(${tokens}, daily_tokens), updated_by = excluded.updated_by, updated_at = excluded.updated_at`,
  )
  return readControls(database)
}

/** Calls and tokens used on a day. */
export interface ModelUse {
  readonly calls: number
  readonly tokens: number
}

/** The use on a day, `2027-01-31` in UTC. */
export async function readUse(database: Database, day: string): Promise<ModelUse> {
  const [row] = await database.select().from(modelUsage).where(eq(modelUsage.day, day)).limit(1)
  return row ? { calls: row.calls, tokens: row.tokens } : { calls: 0, tokens: 0 }
}

/**
 * Reserves one call and a number of tokens if both still fit into the day. Uses one statement, so that concurrent calls
 * can't exceed the budget.
 */
export async function reserveUse(
  database: Database,
  day: string,
  tokens: number,
  controls: LearningControls,
): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`INSERT INTO model_usage (day, calls, tokens) SELECT ${day}, 1, ${tokens}
        WHERE ${controls.dailyCalls} >= 1 AND ${tokens} <= ${controls.dailyTokens}
        ON CONFLICT (day) DO UPDATE SET calls = calls + 1, tokens = tokens + excluded.tokens
        WHERE calls + 1 <= ${controls.dailyCalls} AND tokens + excluded.tokens <= ${controls.dailyTokens}`,
  )
  return changes > 0
}

/** Corrects a reservation to the actual use. The correction may be negative. */
export async function adjustUse(database: Database, day: string, tokens: number): Promise<void> {
  await execute(database, sql`UPDATE model_usage SET tokens = max(0, tokens + ${tokens}) WHERE day = ${day}`)
}
