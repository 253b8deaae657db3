/**
 * Counts of secrets and private spans that were redacted before storage.
 * @module
 */
import { sql } from 'drizzle-orm'
import type { RedactionCounts } from '../../security/redact.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'

/**
 * Increases the counts of a day.
 * @param now milliseconds since 1970
 */
export async function countRedactions(
  database: Database,
  project: string,
  counts: Readonly<RedactionCounts>,
  now: number,
): Promise<void> {
  if (Object.keys(counts).length === 0) return
  const day = new Date(now).toISOString().slice(0, 10)
  await atomically(
    database,
    Object.entries(counts).map(
      ([
        kind,
        count,
      ]) => sql`INSERT INTO redactions (project, day, kind, count) VALUES (${project}, ${day}, ${kind}, ${count})
        ON CONFLICT (project, day, kind) DO UPDATE SET count = count + excluded.count`,
    ),
  )
}

/** Counts over all days by kind, for one project or all projects. */
export async function redactionFigures(
  database: Database,
  onlyProject: string | null,
): Promise<{ kind: string; count: number }[]> {
  const { rows } = await execute(
    database,
    sql`SELECT kind, sum(count) AS count FROM redactions
        WHERE ${onlyProject} IS NULL OR project = ${onlyProject} GROUP BY kind ORDER BY kind`,
  )
  return rows.map(({ kind, count }) => ({ kind: String(kind), count: Number(count) }))
}
