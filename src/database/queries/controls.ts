/**
 * The switches of background work and what it used of language models.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { learningControls, modelUsage } from '../schema.ts'

export interface LearningControls {
  /** Nothing runs in the background. */
  readonly paused: boolean
  /** Model calls that background work may make a day (UTC). */
  readonly dailyCalls: number
  /** Model tokens, prompt and answer, that background work may use a day (UTC). */
  readonly dailyTokens: number
}

/** What holds until someone sets something else. */
export const DEFAULT_CONTROLS: LearningControls = { paused: false, dailyCalls: 500, dailyTokens: 500_000 }

/** The switches as they are now. */
export async function readControls(database: Database): Promise<LearningControls> {
  const [row] = await database.select().from(learningControls).where(eq(learningControls.id, 1)).limit(1)
  return row ? { paused: row.paused, dailyCalls: row.dailyCalls, dailyTokens: row.dailyTokens } : DEFAULT_CONTROLS
}

/** Changes the given switches and leaves the others; in force for the very next job. */
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

/** What was used on a day, `2027-01-31` in UTC. */
export async function readUse(database: Database, day: string): Promise<ModelUse> {
  const [row] = await database.select().from(modelUsage).where(eq(modelUsage.day, day)).limit(1)
  return row ? { calls: row.calls, tokens: row.tokens } : { calls: 0, tokens: 0 }
}

/**
 * Sets one call and so many tokens aside, if both still fit into the day. One statement decides, so concurrent calls can't
 * both take the last of it.
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

/** Corrects a reservation by what was really used; may be negative. */
export async function adjustUse(database: Database, day: string, tokens: number): Promise<void> {
  await execute(database, sql`UPDATE model_usage SET tokens = max(0, tokens + ${tokens}) WHERE day = ${day}`)
}
