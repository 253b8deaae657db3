/**
 * The experiment variants of interactions.
 * @module
 */
import { sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

export interface VariantFigures {
  readonly variant: string
  readonly interactions: number
  readonly success: number
  readonly partial: number
  readonly failure: number
  /** Milliseconds since 1970. */
  readonly firstAt: number
  readonly lastAt: number
}

/** Variants of interactions since a given time, most used first. */
export async function variantFigures(
  database: Database,
  project: string,
  since: number,
  limit: number,
): Promise<VariantFigures[]> {
  const { rows } = await execute(
    database,
    sql`SELECT variant, count(*) AS interactions, sum(outcome IS 'success') AS success, sum(outcome IS 'partial') AS partial,
          sum(outcome IS 'failure') AS failure, min(created_at) AS firstAt, max(created_at) AS lastAt
        FROM interactions WHERE project = ${project} AND variant IS NOT NULL AND created_at >= ${since}
        GROUP BY variant ORDER BY interactions DESC, variant LIMIT ${limit}`,
  )
  return rows.map((row) => ({
    variant: String(row.variant),
    interactions: Number(row.interactions),
    success: Number(row.success),
    partial: Number(row.partial),
    failure: Number(row.failure),
    firstAt: Number(row.firstAt),
    lastAt: Number(row.lastAt),
  }))
}
