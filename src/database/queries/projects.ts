/**
 * The projects with stored data.
 * @module
 */
import { sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'

export interface ProjectEntry {
  readonly project: string
  /** Documents and notes. */
  readonly documents: number
  readonly interactions: number
  readonly augmentations: number
  /** Milliseconds since 1970; null: not known. */
  readonly lastActiveAt: number | null
}

/** Tables with an index that begins with the project. */
const TABLES = ['knowledge_writers', 'rollup_interactions', 'rollup_retrievals'] as const

/** The distinct projects of a table, with one index look-up per project. */
function distinct(table: (typeof TABLES)[number]) {
  const name = sql.raw(table)
  return sql`SELECT project FROM (WITH RECURSIVE known(project) AS (
      SELECT min(project) FROM ${name}
      UNION ALL SELECT (SELECT min(project) FROM ${name} t WHERE t.project > known.project) FROM known WHERE known.project IS NOT NULL)
    SELECT project FROM known WHERE project IS NOT NULL)`
}

/**
 * Projects ordered by name, after the given one.
 * @param only the only visible project; null: all
 */
export async function listProjects(
  database: Database,
  only: string | null,
  after: string,
  limit: number,
): Promise<ProjectEntry[]> {
  const all = only === null ? sql.join(TABLES.map(distinct), sql` UNION `) : sql`SELECT ${only} AS project`
  const { rows } = await execute(
    database,
    sql`SELECT p.project,
          (SELECT count(*) FROM knowledge_writers k WHERE k.project = p.project) AS documents,
          (SELECT max(written_at) FROM knowledge_writers k WHERE k.project = p.project) AS written,
          (SELECT sum(n) FROM rollup_interactions i WHERE i.project = p.project) AS interactions,
          (SELECT sum(n) FROM rollup_retrievals r WHERE r.project = p.project) AS augmentations,
          max((SELECT coalesce(max(day), '') FROM rollup_interactions i WHERE i.project = p.project AND n > 0),
              (SELECT coalesce(max(day), '') FROM rollup_retrievals r WHERE r.project = p.project AND n > 0)) AS day
        FROM (${all}) p WHERE p.project > ${after} ORDER BY p.project LIMIT ${limit}`,
  )
  return rows.map((row) => {
    const latest = Math.max(Number(row.written ?? 0), row.day ? Date.parse(String(row.day)) : 0)
    return {
      project: String(row.project),
      documents: Number(row.documents),
      interactions: Number(row.interactions ?? 0),
      augmentations: Number(row.augmentations ?? 0),
      lastActiveAt: latest > 0 ? latest : null,
    }
  })
}
