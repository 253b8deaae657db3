/**
 * Daily quotas of ingestion and generation. One statement checks and counts, so that concurrent requests can't exceed a
 * quota.
 * @module
 */
import { sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

/** Number and bytes of ingested items. */
export interface IngestAmount {
  readonly items: number
  readonly bytes: number
}

/**
 * Counts items before a project stores them, if they fit into the day's quota.
 * @param most 0: no limit
 * @returns null if they were counted, otherwise the name of the exceeded quota
 */
export async function reserveIngest(
  database: Database,
  project: string,
  day: string,
  { items, bytes }: IngestAmount,
  most: IngestAmount,
): Promise<'items' | 'bytes' | null> {
  const fits = (column: 'items' | 'bytes', amount: number) => {
    const known = sql.raw(column)
    return sql`(${most[column]} = 0 OR ${known} + ${amount} <= ${most[column]})`
  }
  const { rows } = await execute(
    database,
    sql`INSERT INTO ingest_usage (project, day, items, bytes)
        SELECT ${project}, ${day}, ${items}, ${bytes} WHERE (${most.items} = 0 OR ${items} <= ${most.items})
          AND (${most.bytes} = 0 OR ${bytes} <= ${most.bytes})
        ON CONFLICT (project, day) DO UPDATE SET items = items + excluded.items, bytes = bytes + excluded.bytes
          WHERE ${fits('items', items)} AND ${fits('bytes', bytes)} RETURNING 1`,
  )
  if (rows.length > 0) return null
  const known = await execute(database, sql`SELECT items FROM ingest_usage WHERE project = ${project} AND day = ${day}`)
  const before = Number(known.rows[0]?.items ?? 0)
  return most.items > 0 && before + items > most.items ? 'items' : 'bytes'
}

/** A daily budget of tokens; `most` 0: no limit. */
export interface TokenBudget {
  readonly subject: string
  readonly most: number
}

/**
 * Reserves tokens from several daily budgets, atomically.
 * @returns null if they were reserved, otherwise the subject of an exceeded budget
 */
export async function reserveTokens(
  database: Database,
  day: string,
  budgets: readonly TokenBudget[],
  tokens: number,
): Promise<string | null> {
  const wanted = sql`(SELECT value ->> 'subject' AS subject, value ->> 'most' AS most FROM json_each(${JSON.stringify(budgets)}))`
  const over = sql`SELECT w.subject FROM ${wanted} w LEFT JOIN generation_usage u ON u.day = ${day} AND u.subject = w.subject
    WHERE w.most > 0 AND coalesce(u.tokens, 0) + ${tokens} > w.most LIMIT 1`
  const { rows } = await execute(
    database,
    sql`INSERT INTO generation_usage (day, subject, tokens) SELECT ${day}, subject, ${tokens} FROM ${wanted}
        WHERE NOT EXISTS (${over}) ON CONFLICT (day, subject) DO UPDATE SET tokens = tokens + excluded.tokens RETURNING 1`,
  )
  if (rows.length > 0) return null
  return String((await execute(database, over)).rows[0]?.subject ?? budgets[0]?.subject)
}

/** Corrects a reservation to the actual use. The correction may be negative. */
export async function settleTokens(
  database: Database,
  day: string,
  budgets: readonly TokenBudget[],
  tokens: number,
): Promise<void> {
  const subjects = JSON.stringify(budgets.map(({ subject }) => subject))
  await execute(
    database,
    sql`UPDATE generation_usage SET tokens = max(0, tokens + ${tokens})
        WHERE day = ${day} AND subject IN (SELECT value FROM json_each(${subjects}))`,
  )
}
