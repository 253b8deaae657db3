/**
 * Interactions and their context.
 * @module
 */
import { and, asc, count, desc, eq, getTableColumns, gt, gte, isNull, lt, type SQL, sql } from 'drizzle-orm'
import { CoordinatorError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import type { ContextSource } from '../../knowledge/collections.ts'
import { redact } from '../../security/redact.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn, holdsArray, holdsJson } from '../json-column.ts'
import { type AgentType, interactionContexts, interactions, type Outcome } from '../schema.ts'

export type Interaction = typeof interactions.$inferSelect

/** An item of context. */
export interface ContextReference {
  readonly collection: ContextSource
  readonly id: string
}

export interface NewInteraction {
  /** Set if the id was returned to the caller before the answer was complete. */
  readonly id?: string
  readonly project: string
  readonly query: string
  readonly response: string
  readonly agentType: AgentType
  readonly modelUsed: string
  readonly tokensUsed: number
  readonly latencyMs: number
  readonly tags: readonly string[]
  readonly variant: string | null
  readonly conversationId: string | null
  /** The augmentation that was used for this answer. */
  readonly retrievalId?: string | null
  /** The routing decision that led to this answer. */
  readonly decisionId?: string | null
  readonly idempotencyKey: string | null
  /** Id of the key that tracks it. */
  readonly caller?: string | null
  /** Whether that key has `admin`, so that it may name context that was not shown to it. */
  readonly admin?: boolean
  readonly contexts: readonly ContextReference[]
}

/** Result of an idempotent write. */
export interface Inserted {
  readonly id: string
  /** False: the idempotency key was known and nothing was written. */
  readonly created: boolean
  /** The job for the write; null if nothing was written. */
  readonly jobId: string | null
}

/**
 * Stores an interaction, its contexts and the job that indexes it, atomically. The unique index on the idempotency key
 * decides between concurrent repetitions: one of them writes, and all get its id.
 */
export async function insertInteraction(database: Database, entry: NewInteraction, now: number): Promise<Inserted> {
  const id = entry.id ?? newId()
  const jobId = newId()
  const contexts = JSON.stringify(entry.contexts.map(({ collection, id: item }) => [collection, item]))
  const exists = sql`EXISTS (SELECT 1 FROM interactions WHERE id = ${id})`
  const shown = sql`(SELECT s.value ->> 'context_id' FROM retrievals r, json_each(${arrayIn(sql`r.shown`)}) s
    WHERE r.id = ${entry.retrievalId ?? null} AND r.project = ${entry.project} AND r.caller = ${entry.caller ?? null})`
  const results = await atomically(database, [
    sql`INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, variant,
          conversation_id, retrieval_id, decision_id, had_context, idempotency_key, caller, revision, created_at, updated_at)
        VALUES (${id}, ${entry.project}, ${redact(entry.query)}, ${redact(entry.response)}, ${entry.agentType}, ${entry.modelUsed},
          ${entry.tokensUsed}, ${entry.latencyMs}, ${JSON.stringify(entry.tags)}, ${entry.variant}, ${entry.conversationId},
          ${entry.retrievalId ?? null}, ${entry.decisionId ?? null}, ${entry.contexts.length > 0 ? 1 : 0}, ${entry.idempotencyKey},
          ${entry.caller ?? null}, 0, ${now}, ${now})
        ON CONFLICT (project, idempotency_key) DO NOTHING`,
    sql`INSERT INTO interaction_contexts (interaction_id, collection, item_id, position, given)
        SELECT ${id}, value ->> 0, value ->> 1, key, ${entry.admin ? 1 : 0} OR (value ->> 0) || '/' || (value ->> 1) IN ${shown}
        FROM json_each(${contexts}) WHERE ${exists}
        ON CONFLICT DO NOTHING`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${jobId}, ${entry.project}, 'index_interaction', ${id}, 0, 'pending', 0, ${now}, ${now}, ${now} WHERE ${exists}`,
    sql`SELECT id FROM interactions
        WHERE id = ${id} OR (project = ${entry.project} AND idempotency_key = ${entry.idempotencyKey})`,
  ])
  const stored = String(results[3]?.rows[0]?.id)
  const created = stored === id
  return { id: stored, created, jobId: created ? jobId : null }
}

const { tags, valueParts, archivedJobs } = interactions
/** All columns, read so that a row with invalid JSON doesn't fail the statement. `damaged` is 1 for such a row. */
const COLUMNS = {
  ...getTableColumns(interactions),
  tags: arrayIn(tags).mapWith(tags),
  valueParts: sql`CASE WHEN json_valid(${valueParts}) THEN ${valueParts} END`.mapWith(valueParts),
  archivedJobs: sql`CASE WHEN json_valid(${archivedJobs}) THEN ${archivedJobs} END`.mapWith(archivedJobs),
  damaged: sql<number>`NOT (${holdsArray(tags)} AND ${holdsJson(valueParts)} AND ${holdsJson(archivedJobs)})`,
}

/**
 * One interaction; null if it doesn't exist, or belongs to another project than the only one allowed.
 * @throws CoordinatorError `internal` if its row contains invalid JSON
 */
export async function findInteraction(
  database: Database,
  id: string,
  onlyProject: string | null,
): Promise<Interaction | null> {
  const [row] = await database
    .select(COLUMNS)
    .from(interactions)
    .where(and(eq(interactions.id, id), onlyProject === null ? undefined : eq(interactions.project, onlyProject)))
    .limit(1)
  if (row?.damaged) {
    throw new CoordinatorError('internal', 'This interaction is damaged: its row holds JSON that cannot be parsed.', {
      hint: 'Restore the database from a backup, or delete the data of this conversation or key.',
    })
  }
  return row ?? null
}

/** The contexts of one interaction, in the order in which they were shown. */
export function contextsOf(database: Database, interactionId: string) {
  return database
    .select()
    .from(interactionContexts)
    .where(eq(interactionContexts.interactionId, interactionId))
    .orderBy(asc(interactionContexts.position))
}

/** Filters for interactions. Every condition is optional. Times are milliseconds since 1970, `until` is exclusive. */
export interface InteractionFilter {
  readonly project: string
  /** `none`: without an outcome. */
  readonly outcome?: Outcome | 'none' | undefined
  readonly conversationId?: string | undefined
  /** Words that the query or answer contains; ASCII letters match in any case. */
  readonly words?: readonly string[] | undefined
  readonly agentType?: AgentType | undefined
  readonly variant?: string | undefined
  readonly modelUsed?: string | undefined
  /** Minimum value score. Interactions without a score are excluded. */
  readonly minScore?: number | undefined
  readonly tags?: readonly string[] | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** Converts the filter to a SQL condition. */
export function interactionCondition(filter: InteractionFilter): SQL {
  const all = and(
    eq(interactions.project, filter.project),
    filter.outcome === undefined
      ? undefined
      : filter.outcome === 'none'
        ? isNull(interactions.outcome)
        : eq(interactions.outcome, filter.outcome),
    filter.conversationId === undefined ? undefined : eq(interactions.conversationId, filter.conversationId),
    filter.agentType === undefined ? undefined : eq(interactions.agentType, filter.agentType),
    filter.variant === undefined ? undefined : eq(interactions.variant, filter.variant),
    filter.modelUsed === undefined ? undefined : eq(interactions.modelUsed, filter.modelUsed),
    filter.minScore === undefined ? undefined : gte(interactions.valueScore, filter.minScore),
    filter.since === undefined ? undefined : gte(interactions.createdAt, filter.since),
    filter.until === undefined ? undefined : lt(interactions.createdAt, filter.until),
    // One condition for all tags: one per tag would exceed SQLite's expression depth.
    filter.tags?.length
      ? sql`NOT EXISTS (SELECT 1 FROM json_each(${JSON.stringify(filter.tags)}) wanted
          WHERE wanted.value NOT IN (SELECT value FROM json_each(${arrayIn(interactions.tags)})))`
      : undefined,
    filter.words?.length
      ? sql`NOT EXISTS (SELECT 1 FROM json_each(${JSON.stringify(filter.words.map((word) => word.toLowerCase()))}) wanted
          WHERE instr(lower(${interactions.query} || char(10) || ${interactions.response}), wanted.value) = 0)`
      : undefined,
  )
  return all ?? sql`1`
}

/** Maximum count of interactions. It bounds the rows read if all of them match. */
export const MAX_COUNTED = 1_000

/**
 * Number of latest interactions of a project that are scanned where no index can be used: for words, conversations and
 * other orders.
 */
export const MAX_SCANNED = 10_000

/** Sort orders of a list. Interactions without a score, time or tokens come last. */
export const INTERACTION_ORDERS = ['newest', 'oldest', 'best', 'worst', 'slowest', 'most_tokens'] as const
export type InteractionOrder = (typeof INTERACTION_ORDERS)[number]

/** Sort keys of the orders that are not by id. */
const SORTED: Readonly<Record<Exclude<InteractionOrder, 'newest' | 'oldest'>, { key: SQL; ascending: boolean }>> = {
  best: { key: sql`coalesce(${interactions.valueScore}, -1)`, ascending: false },
  worst: { key: sql`coalesce(${interactions.valueScore}, 2)`, ascending: true },
  slowest: { key: sql`${interactions.latencyMs}`, ascending: false },
  most_tokens: { key: sql`${interactions.tokensUsed}`, ascending: false },
}

/**
 * Restricts the query to the latest `MAX_SCANNED` interactions of a project where the work would otherwise grow with
 * their total number.
 */
function scanned(filter: InteractionFilter, order: InteractionOrder): SQL | undefined {
  const indexed = order === 'newest' || order === 'oldest'
  if (indexed && filter.words === undefined && filter.conversationId === undefined) return undefined
  return sql`${interactions.id} >= coalesce((SELECT id FROM interactions WHERE project = ${filter.project}
    ORDER BY id DESC LIMIT 1 OFFSET ${MAX_SCANNED - 1}), '')`
}

/** Number of interactions, counted up to `MAX_COUNTED`. */
export async function countInteractions(database: Database, filter: InteractionFilter): Promise<number> {
  const some = database
    .select({ id: interactions.id })
    .from(interactions)
    .where(and(interactionCondition(filter), scanned(filter, 'newest')))
  const counted = some.limit(MAX_COUNTED).as('counted')
  const [row] = await database.select({ total: count() }).from(counted)
  return row?.total ?? 0
}

/** Maximum characters of query and answer in a list. */
export const LISTED_CHARACTERS = 500

/**
 * A page of interactions after the given id. Reads one row more than `limit`, to detect a next page. Query and answer
 * are truncated one character after the list's limit, so that a page of long answers stays small. Rows with invalid
 * JSON are marked `damaged`.
 */
export function listInteractions(
  database: Database,
  filter: InteractionFilter,
  { after, limit, order = 'newest' }: { after: string | null; limit: number; order?: InteractionOrder },
) {
  const beginning = (column: typeof interactions.query | typeof interactions.response) =>
    sql<string>`substr(${column}, 1, ${LISTED_CHARACTERS + 1})`
  return database
    .select({
      ...COLUMNS,
      query: beginning(interactions.query),
      response: beginning(interactions.response),
    })
    .from(interactions)
    .where(and(interactionCondition(filter), scanned(filter, order), after === null ? undefined : beyond(order, after)))
    .orderBy(...orderBy(order))
    .limit(limit + 1)
}

function orderBy(order: InteractionOrder): SQL[] {
  if (order === 'newest') return [desc(interactions.id)]
  if (order === 'oldest') return [asc(interactions.id)]
  const { key, ascending } = SORTED[order]
  return ascending ? [asc(key), asc(interactions.id)] : [desc(key), desc(interactions.id)]
}

/** The condition that an interaction comes after the one with the given id. */
function beyond(order: InteractionOrder, after: string): SQL {
  if (order === 'newest') return lt(interactions.id, after)
  if (order === 'oldest') return gt(interactions.id, after)
  const { key, ascending } = SORTED[order]
  const last = sql`(SELECT ${key}, ${interactions.id} FROM ${interactions} WHERE ${interactions.id} = ${after})`
  return ascending ? sql`(${key}, ${interactions.id}) > ${last}` : sql`(${key}, ${interactions.id}) < ${last}`
}
