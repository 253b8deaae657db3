/**
 * Routing decisions, and what they are made from.
 * @module
 */
import { sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { type AgentType, type Outcome, routingDecisions } from '../schema.ts'

/** Writes one decision. */
export async function recordDecision(database: Database, entry: typeof routingDecisions.$inferInsert): Promise<void> {
  await database.insert(routingDecisions).values(entry)
}

export type OutcomeCounts = Readonly<Record<Outcome, number>>

/** Interactions per kind of model that recent outcomes are counted over. */
const RECENT = 500

/** Outcomes of a project's latest interactions with a known outcome, answered by the local or by a remote model. */
export async function recentOutcomes(
  database: Database,
  project: string,
  agentType: AgentType,
): Promise<OutcomeCounts> {
  const { rows } = await execute(
    database,
    sql`SELECT outcome, count(*) AS count FROM (
          SELECT outcome FROM interactions
          WHERE project = ${project} AND agent_type = ${agentType} AND outcome IS NOT NULL ORDER BY id DESC LIMIT ${RECENT})
        GROUP BY outcome`,
  )
  const counts = { success: 0, partial: 0, failure: 0 }
  for (const row of rows) counts[row.outcome as Outcome] = Number(row.count)
  return counts
}
