/**
 * Routing decisions, the outcomes used for training, and the trained routers.
 * @module
 */
import { and, eq, sql } from 'drizzle-orm'
import { redact } from '../../security/redact.ts'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { parsed } from '../json-column.ts'
import { type AgentType, type Outcome, routingDecisions, routingModels } from '../schema.ts'
import { deletionSince } from './deletions.ts'
import { countForTraining, restartTraining } from './training-jobs.ts'

/** Writes one decision. */
export async function recordDecision(database: Database, entry: typeof routingDecisions.$inferInsert): Promise<void> {
  await database.insert(routingDecisions).values({ ...entry, query: redact(entry.query) })
}

/** A decision of a project, e.g. the one named in an answer; null if it doesn't exist. */
export async function findDecision(
  database: Database,
  project: string,
  id: string,
): Promise<typeof routingDecisions.$inferSelect | null> {
  const [row] = await database
    .select()
    .from(routingDecisions)
    .where(and(eq(routingDecisions.id, id), eq(routingDecisions.project, project)))
  return row ?? null
}

export type OutcomeCounts = Readonly<Record<Outcome, number>>

/** Number of latest interactions of a project for the base rates. */
const RECENT = 500

/** Outcomes of a project's latest interactions, by answering model. The cost doesn't depend on the total number. */
export async function recentOutcomes(database: Database, project: string): Promise<Record<AgentType, OutcomeCounts>> {
  const { rows } = await execute(
    database,
    sql`SELECT agent_type, outcome, count(*) AS count FROM (
          SELECT agent_type, outcome FROM interactions WHERE project = ${project} ORDER BY id DESC LIMIT ${RECENT})
        WHERE outcome IS NOT NULL GROUP BY agent_type, outcome`,
  )
  const none = () => ({ success: 0, partial: 0, failure: 0 })
  const counts = { local: none(), remote: none() }
  for (const row of rows) counts[row.agent_type as AgentType][row.outcome as Outcome] = Number(row.count)
  return counts
}

/** Mean time of a project's latest answers by answering model, in milliseconds; 0 if there are none. */
export async function meanLatencies(database: Database, project: string): Promise<Record<AgentType, number>> {
  const { rows } = await execute(
    database,
    sql`SELECT agent_type, avg(latency_ms) AS mean FROM (
          SELECT agent_type, latency_ms FROM interactions WHERE project = ${project} ORDER BY id DESC LIMIT ${RECENT})
        WHERE latency_ms > 0 GROUP BY agent_type`,
  )
  const of = (agent: AgentType) => Number(rows.find((row) => row.agent_type === agent)?.mean ?? 0)
  return { local: of('local'), remote: of('remote') }
}

/** A decision with the outcome of its answer. */
export interface DecidedOutcome {
  readonly backend: string
  readonly record: Readonly<Record<string, unknown>>
  readonly outcome: Outcome
}

/** The latest decisions of a project whose answers have an outcome, newest first. */
export async function decidedOutcomes(database: Database, project: string, limit: number): Promise<DecidedOutcome[]> {
  const { rows } = await execute(
    database,
    sql`SELECT d.backend, d.record, i.outcome FROM interactions i JOIN routing_decisions d ON d.id = i.decision_id AND d.project = i.project
        WHERE i.project = ${project} AND i.decision_id IS NOT NULL AND i.outcome IS NOT NULL ORDER BY i.id DESC LIMIT ${limit}`,
  )
  return rows.flatMap((row) => {
    const record = parsed<Record<string, unknown>>(String(row.record), {})
    return record ? [{ backend: String(row.backend), record, outcome: row.outcome as Outcome }] : []
  })
}

/** An interaction with a known outcome, as training data for the router. */
export interface OutcomeExample {
  readonly query: string
  readonly agentType: AgentType
  readonly outcome: Outcome
}

/** Number of rows per query. */
const PAGE = 1_000

/**
 * The latest interactions of a project with a known outcome, newest first.
 * @param characters maximum characters to read of each query
 * @param total maximum characters of all queries together; reading stops at the example that exceeds it
 */
export async function outcomeExamples(
  database: Database,
  project: string,
  limit: number,
  characters: number,
  total: number,
): Promise<OutcomeExample[]> {
  const examples: OutcomeExample[] = []
  let before: string | null = null
  let left = total
  while (examples.length < limit) {
    const { rows }: { rows: readonly Record<string, unknown>[] } = await execute(
      database,
      sql`SELECT id, agent_type, outcome, substr(query, 1, ${characters}) AS query FROM (
            SELECT *, sum(min(${characters}, length(query))) OVER (ORDER BY id DESC) AS sum FROM (
              SELECT id, agent_type, outcome, query FROM interactions
              WHERE project = ${project} AND outcome IS NOT NULL ${before === null ? sql`` : sql`AND id < ${before}`}
              ORDER BY id DESC LIMIT ${Math.min(PAGE, limit - examples.length)}))
          WHERE sum <= ${left} ORDER BY id DESC`,
    )
    for (const row of rows) {
      left -= String(row.query).length
      examples.push({
        query: String(row.query),
        agentType: row.agent_type as AgentType,
        outcome: row.outcome as Outcome,
      })
    }
    if (rows.length < PAGE) break
    before = String(rows.at(-1)?.id)
  }
  return examples
}

/** Counts outcomes that the router has not learnt from; see {@link countForTraining}. */
export function noteOutcomes(database: Database, project: string, outcomes: number, now: number) {
  return countForTraining(database, 'train_router', project, outcomes, now)
}

/** The project of an interaction with a known outcome; null if it has none or doesn't exist. */
export async function projectOfOutcome(database: Database, interactionId: string): Promise<string | null> {
  const { rows } = await execute(
    database,
    sql`SELECT project FROM interactions WHERE id = ${interactionId} AND outcome IS NOT NULL`,
  )
  return rows[0] ? String(rows[0].project) : null
}

/** Number of outcomes reported in a project, as known to its router. From 16,000 on, a lower bound. */
export async function reportedOutcomes(database: Database, project: string): Promise<number> {
  const status = await routerStatus(database, project)
  return status ? status.examples + status.pending : 0
}

/** Version of a project's router and the number of outcomes it has not learnt from; null before the first outcome. */
export async function routerStatus(
  database: Database,
  project: string,
): Promise<{
  version: number
  examples: number
  pending: number
  trainedAt: number | null
  threshold: number | null
} | null> {
  const [row] = await database
    .select({
      version: routingModels.version,
      examples: routingModels.examples,
      pending: routingModels.pending,
      trainedAt: routingModels.trainedAt,
      threshold: routingModels.threshold,
    })
    .from(routingModels)
    .where(eq(routingModels.project, project))
  return row ?? null
}

/** Sets a project's own confidence threshold. */
export async function storeThreshold(database: Database, project: string, threshold: number): Promise<void> {
  await database.update(routingModels).set({ threshold }).where(eq(routingModels.project, project))
}

/** The encoded router of a project with its version; null before the first training. */
export async function routerText(
  database: Database,
  project: string,
): Promise<{ version: number; model: string } | null> {
  const [row] = await database
    .select({ version: routingModels.version, model: routingModels.model })
    .from(routingModels)
    .where(eq(routingModels.project, project))
  return row?.model ? { version: row.version, model: row.model } : null
}

/**
 * Stores a trained router as the version after `router.version`.
 * @param router `learnt`: pending outcomes when its training started; `startedAt`: when it started
 * @returns false, without storing anything, if another training or a deletion happened in between
 */
export async function storeRouter(
  database: Database,
  project: string,
  router: {
    readonly version: number
    readonly examples: number
    readonly model: string
    readonly learnt: number
    readonly startedAt: number
  },
  now: number,
): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE routing_models SET version = version + 1, examples = ${router.examples}, model = ${router.model},
          pending = max(0, pending - ${router.learnt}), trained_at = ${now}
        WHERE project = ${project} AND version = ${router.version} AND NOT ${deletionSince(project, router.startedAt)}`,
  )
  return changes > 0
}

/** Deletes a project's router, and trains it again; see {@link restartTraining}. */
export function resetRouter(database: Database, project: string, now: number) {
  return restartTraining(database, 'train_router', project, sql`model = NULL`, now)
}
