/**
 * Applies an interaction's outcome to its score and to the credit of its context.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import type { CollectionName, ContextSource } from '../../knowledge/collections.ts'
import type { Credit, CreditUpdate } from '../../knowledge/stores/store.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import type { Outcome, ValueParts } from '../schema.ts'

export interface Score {
  readonly value: number
  readonly parts: ValueParts
  readonly version: string
}

/**
 * In one transaction: writes the score if the interaction is still at `revision`, and updates the counters of its
 * context to the current votes. The previously counted value of each vote is subtracted first, so repeated, late or
 * concurrent runs give the same counters. If there is something to learn (a high score, a failure, or a pattern based
 * on it), also writes the learning job.
 * @param highValue minimum score of an interaction to learn from
 * @returns id of the job that learns from this revision; null if there is none
 */
export async function applyOutcome(
  database: Database,
  interactionId: string,
  revision: number,
  score: Score | null,
  highValue: number,
  now: number,
): Promise<string | null> {
  // One row for each uncounted vote and item: the vote's new value minus its counted value.
  const difference = (name: Outcome) => sql`(v.outcome IS ${name}) - (v.credited IS ${name})`
  const uncounted = sql`FROM outcome_votes v JOIN interactions i ON i.id = v.interaction_id
    JOIN interaction_contexts c ON c.interaction_id = i.id WHERE i.id = ${interactionId} AND v.credited IS NOT v.outcome`
  const given = (name: Outcome, shown: 0 | 1) => sql`iif(c.given = ${shown}, ${difference(name)}, 0)`
  const results = await atomically(database, [
    sql`UPDATE interactions SET value_score = ${score?.value ?? null}, value_version = ${score?.version ?? null},
          value_parts = ${score ? JSON.stringify(score.parts) : null}
        WHERE id = ${interactionId} AND revision = ${revision}`,
    sql`INSERT INTO context_votes (project, collection, item_id, caller, successes, partials, failures, unseen_successes,
          unseen_partials, unseen_failures)
        SELECT i.project, c.collection, c.item_id, v.caller, ${given('success', 1)}, ${given('partial', 1)}, ${given('failure', 1)},
          ${given('success', 0)}, ${given('partial', 0)}, ${given('failure', 0)} ${uncounted}
        ON CONFLICT (project, collection, item_id, caller) DO UPDATE SET ${ADDED_VOTES}`,
    sql`INSERT INTO context_credit (project, collection, item_id, successes, partials, failures, version, updated_at)
        SELECT i.project, c.collection, c.item_id, sum(${difference('success')}), sum(${difference('partial')}),
          sum(${difference('failure')}), 1, ${now} ${uncounted} GROUP BY i.project, c.collection, c.item_id
        ON CONFLICT (project, collection, item_id) DO UPDATE SET successes = successes + excluded.successes,
          partials = partials + excluded.partials, failures = failures + excluded.failures,
          version = version + 1, updated_at = excluded.updated_at`,
    sql`UPDATE outcome_votes SET credited = outcome WHERE interaction_id = ${interactionId} AND credited IS NOT outcome`,
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT ${newId()}, project, 'learn_pattern', id, revision, 'pending', 0, ${now}, ${now}, ${now} FROM interactions
        WHERE id = ${interactionId} AND revision = ${revision} AND (value_score >= ${highValue} OR outcome = 'failure'
          OR EXISTS (SELECT 1 FROM pattern_sources s WHERE s.interaction_id = interactions.id))
        ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT id FROM jobs WHERE kind = 'learn_pattern' AND subject = ${interactionId} AND revision = ${revision}`,
  ])
  const job = results[5]?.rows[0]
  return job ? String(job.id) : null
}

/** The end of an upsert into context_votes that adds to the existing counters. */
export const ADDED_VOTES = sql`successes = successes + excluded.successes, partials = partials + excluded.partials,
  failures = failures + excluded.failures, unseen_successes = unseen_successes + excluded.unseen_successes,
  unseen_partials = unseen_partials + excluded.unseen_partials, unseen_failures = unseen_failures + excluded.unseen_failures`

/** An item of a collection. */
export interface ItemReference {
  readonly project: string
  readonly collection: CollectionName
  readonly id: string
}

/** One caller's votes on one item. `version` belongs to the item's counters, over all callers. */
export interface ItemVotes extends CreditUpdate {
  /** Votes on answers that named the item although no retrieval had shown it to the caller. */
  readonly unseen: Credit
  readonly project: string
  readonly collection: ContextSource
  /** Whether this caller is the only one who votes in the project. */
  readonly alone: boolean
}

/** The first and last caller are found at the ends of an index. */
const ALONE = sql`(SELECT min(caller) FROM context_votes WHERE project = k.project) =
  (SELECT max(caller) FROM context_votes WHERE project = k.project)`
const VOTES = sql`k.project, k.collection, k.item_id AS id, k.version, ${ALONE} AS alone, coalesce(v.successes, 0) AS successes,
  coalesce(v.partials, 0) AS partials, coalesce(v.failures, 0) AS failures, coalesce(v.unseen_successes, 0) AS unseen_successes,
  coalesce(v.unseen_partials, 0) AS unseen_partials, coalesce(v.unseen_failures, 0) AS unseen_failures`
const CALLER_VOTES_JOIN = sql`LEFT JOIN context_votes v ON v.project = k.project AND v.collection = k.collection AND v.item_id = k.item_id`

/** The votes on all items in an interaction's context: one row per item and caller, in one consistent read. */
export function votesOnContext(database: Database, interactionId: string): Promise<ItemVotes[]> {
  return votes(
    database,
    sql`SELECT ${VOTES} FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
        JOIN context_credit k ON k.project = i.project AND k.collection = c.collection AND k.item_id = c.item_id
        ${CALLER_VOTES_JOIN} WHERE c.interaction_id = ${interactionId} ORDER BY c.position, v.caller`,
  )
}

/**
 * The votes on these items: one row per item and caller, in one consistent read. An item whose votes were withdrawn has
 * a row of zeros.
 */
export function votesOnItems(database: Database, items: readonly ItemReference[]): Promise<ItemVotes[]> {
  return votes(
    database,
    sql`SELECT ${VOTES} FROM (SELECT DISTINCT value FROM json_each(${JSON.stringify(items)})) asked JOIN context_credit k
          ON k.project = asked.value ->> 'project' AND k.collection = asked.value ->> 'collection'
          AND k.item_id = asked.value ->> 'id' ${CALLER_VOTES_JOIN}`,
  )
}

async function votes(database: Database, query: SQL): Promise<ItemVotes[]> {
  const { rows } = await execute(database, query)
  return rows.map((row) => ({
    project: String(row.project),
    collection: row.collection as ContextSource,
    id: String(row.id),
    version: Number(row.version),
    alone: Number(row.alone) === 1,
    successes: Number(row.successes),
    partials: Number(row.partials),
    failures: Number(row.failures),
    unseen: {
      successes: Number(row.unseen_successes),
      partials: Number(row.unseen_partials),
      failures: Number(row.unseen_failures),
    },
  }))
}

/** Stores the credit computed from votes, unless the votes have changed since. */
export async function storeCredit(
  database: Database,
  updates: readonly (CreditUpdate & Pick<ItemVotes, 'project' | 'collection'>)[],
): Promise<void> {
  await execute(
    database,
    sql`UPDATE context_credit SET counted_successes = u.value ->> 'successes', counted_partials = u.value ->> 'partials',
          counted_failures = u.value ->> 'failures'
        FROM json_each(${JSON.stringify(updates)}) u
        WHERE project = u.value ->> 'project' AND collection = u.value ->> 'collection' AND item_id = u.value ->> 'id'
          AND version = u.value ->> 'version'`,
  )
}

/** An item's credit as used for ranking, and the reported votes on it. */
export interface CreditedItem extends Credit {
  readonly collection: ContextSource
  readonly itemId: string
  readonly reported: Credit
  /** Total credit of all the collection's items. */
  readonly usual: Credit
}

/** The items that {@link creditedItems} returns. */
export interface CreditRequest {
  readonly project: string
  /** Default: all. */
  readonly collection?: ContextSource | undefined
  readonly order: 'best' | 'worst'
  readonly limit: number
}

/**
 * Items with a known outcome by posterior mean of success, best or worst first. Uses the same credit and prior as
 * ranking: the usual rate of the collection.
 * @param usualVotes weight of the usual rate, in votes
 */
export async function creditedItems(
  database: Database,
  { project, collection, order, limit }: CreditRequest,
  usualVotes: number,
): Promise<CreditedItem[]> {
  const { rows } = await execute(
    database,
    sql`WITH usual AS (SELECT collection, sum(counted_successes) AS s, sum(counted_partials) AS p, sum(counted_failures) AS f
          FROM context_credit WHERE project = ${project} GROUP BY collection)
        SELECT c.*, u.s AS usual_successes, u.p AS usual_partials, u.f AS usual_failures
        FROM context_credit c JOIN usual u ON u.collection = c.collection
        WHERE c.project = ${project} AND c.successes + c.partials + c.failures > 0${collection ? sql` AND c.collection = ${collection}` : sql``}
        ORDER BY (${usualVotes} * (1 + u.s + u.p / 2) / (2 + u.s + u.p + u.f) + c.counted_successes + c.counted_partials / 2)
            / (${usualVotes} + c.counted_successes + c.counted_partials + c.counted_failures) ${sql.raw(order === 'best' ? 'DESC' : 'ASC')},
          c.counted_successes + c.counted_partials + c.counted_failures DESC, c.item_id LIMIT ${limit}`,
  )
  const credit = (row: Readonly<Record<string, unknown>>, prefix: string): Credit => ({
    successes: Number(row[`${prefix}successes`]),
    partials: Number(row[`${prefix}partials`]),
    failures: Number(row[`${prefix}failures`]),
  })
  return rows.map((row) => ({
    collection: row.collection as ContextSource,
    itemId: String(row.item_id),
    ...credit(row, 'counted_'),
    reported: credit(row, ''),
    usual: credit(row, 'usual_'),
  }))
}
