/**
 * Checks the rollups against the facts. Scans the facts, so it is for checks and repairs, not for requests.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { holdsJson } from '../json-column.ts'

const DAY = sql`strftime('%Y-%m-%d', created_at / 1000, 'unixepoch')`

/** Each rollup's columns, its measures, and the query that counts the same rows from the facts. */
const RECOUNTS: Readonly<Record<string, { columns: string; measure: string; facts: SQL }>> = {
  rollup_interactions: {
    columns:
      'project, day, agent_type, had_context, outcome, n, tokens, tokens_squares, with_tokens, scored, value_millionths, unscored',
    measure: 'n',
    facts: sql`SELECT project, ${DAY}, agent_type, had_context, coalesce(outcome, ''), count(*), sum(tokens_used),
        sum(1.0 * tokens_used * tokens_used), sum(tokens_used > 0), count(value_score),
        sum(CAST(round(coalesce(value_score, 0) * 1000000) AS INTEGER)), sum(outcome IS NOT NULL AND value_score IS NULL)
      FROM interactions GROUP BY 1, 2, 3, 4, 5`,
  },
  rollup_scores: {
    columns: 'project, day, bin, n',
    measure: 'n',
    facts: sql`SELECT project, ${DAY}, CAST(value_score * 100 + 1e-9 AS INTEGER), count(*) FROM interactions
      WHERE value_score IS NOT NULL GROUP BY 1, 2, 3`,
  },
  rollup_models: {
    columns: 'project, model_used, n, tokens, latency_microseconds',
    measure: 'n',
    facts: sql`SELECT project, model_used, count(*), sum(tokens_used), sum(CAST(round(latency_ms * 1000) AS INTEGER))
      FROM interactions GROUP BY 1, 2`,
  },
  rollup_retrievals: {
    columns:
      'project, day, control, n, with_context, added, spared, whole, top_whole, documents, documents_n, documents_added',
    measure: 'n',
    facts: sql`SELECT project, ${DAY}, control, count(*), sum(shown != '[]'), sum(tokens_added), sum(tokens_spared), sum(tokens_whole),
        sum((shown != '[]') * tokens_top_whole), coalesce(sum(tokens_documents), 0), count(tokens_documents),
        sum((tokens_documents IS NOT NULL) * tokens_added) FROM retrievals GROUP BY 1, 2, 3`,
  },
  rollup_arms: {
    columns: 'project, control, retrievals, answers, with_tokens, tokens, tokens_squares',
    measure: 'retrievals',
    facts: sql`SELECT r.project, r.control, count(DISTINCT r.id), count(i.id), coalesce(sum(i.tokens_used > 0), 0),
        coalesce(sum(i.tokens_used), 0), coalesce(sum(1.0 * i.tokens_used * i.tokens_used), 0)
      FROM retrievals r LEFT JOIN interactions i ON i.retrieval_id = r.id AND i.project = r.project
      WHERE r.control_share > 0 AND r.control_share < 1 GROUP BY 1, 2`,
  },
  rollup_exposures: {
    columns: 'project, control, control_share, outcome, n',
    measure: 'n',
    facts: sql`SELECT r.project, r.control, r.control_share, i.outcome, count(*)
      FROM retrievals r JOIN interactions i ON i.retrieval_id = r.id AND i.project = r.project
      WHERE r.control_share > 0 AND r.control_share < 1 AND i.outcome IS NOT NULL GROUP BY 1, 2, 3, 4`,
  },
  rollup_routing: {
    columns: 'project, day, route, backend, n',
    measure: 'n',
    facts: sql`SELECT project, ${DAY}, route, backend, count(*) FROM routing_decisions GROUP BY 1, 2, 3, 4`,
  },
  rollup_jobs: {
    columns: 'project, kind, status, n',
    measure: 'n',
    facts: sql`SELECT project, kind, status, sum(n) FROM (
        SELECT project, kind, status, count(*) AS n FROM jobs GROUP BY 1, 2, 3
        UNION ALL SELECT project, key, 'done', value FROM interactions, json_each(CASE WHEN ${holdsJson(sql`archived_jobs`)} THEN archived_jobs END) WHERE archive_id IS NOT NULL)
      GROUP BY 1, 2, 3`,
  },
  rollup_counts: {
    columns: 'project, name, n',
    measure: 'n',
    facts: sql`SELECT project, 'corrections', count(*) FROM corrections GROUP BY 1
      UNION ALL SELECT project, 'credited', count(*) FROM context_credit GROUP BY 1`,
  },
}

/** A row that is in the rollup but not in the recount, or vice versa. */
export interface Discrepancy {
  readonly rollup: string
  readonly side: 'rollup' | 'facts'
  readonly row: Readonly<Record<string, unknown>>
}

/** Compares every rollup with its facts in one transaction. Empty: they are exactly equal. */
export async function recountRollups(database: Database): Promise<Discrepancy[]> {
  const names = Object.keys(RECOUNTS)
  const results = await atomically(
    database,
    names.flatMap((name) => {
      const { columns, measure, facts } = RECOUNTS[name] as (typeof RECOUNTS)[string]
      // A counter that has dropped to zero leaves a row of zeros.
      const rolled = sql.raw(`SELECT ${columns} FROM ${name} WHERE ${measure} != 0`)
      const counted = sql`WITH counted(${sql.raw(columns)}) AS (${facts})`
      return [
        sql`${counted} ${rolled} EXCEPT SELECT * FROM counted`,
        sql`${counted} SELECT * FROM counted EXCEPT ${rolled}`,
      ]
    }),
  )
  return results.flatMap(({ rows }, i) =>
    rows.map((row): Discrepancy => ({ rollup: names[i >> 1] ?? '', side: i % 2 === 0 ? 'rollup' : 'facts', row })),
  )
}
