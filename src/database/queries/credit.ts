/**
 * What an interaction's outcome says about it and about the context it was given.
 * @module
 */
import { sql } from 'drizzle-orm'
import type { CollectionName } from '../../knowledge/collections.ts'
import type { CreditUpdate } from '../../knowledge/stores/store.ts'
import type { ValueParts } from '../../learning/value-score.ts'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'

export interface Score {
  readonly value: number
  readonly parts: ValueParts
  readonly version: string
}

/**
 * In one transaction: writes the score if the interaction is still at `revision`, and brings the counters of its context up to
 * its present outcome. What each item was already credited with is taken back first, so running twice, late or beside
 * another run leaves the same counters.
 * @returns the present counters of each item, to be handed to the knowledge store
 */
export async function applyOutcome(
  database: Database,
  interactionId: string,
  revision: number,
  score: Score | null,
  now: number,
): Promise<Map<CollectionName, CreditUpdate[]>> {
  const results = await atomically(database, [
    sql`UPDATE interactions SET value_score = ${score?.value ?? null}, value_version = ${score?.version ?? null},
          value_parts = ${score ? JSON.stringify(score.parts) : null}
        WHERE id = ${interactionId} AND revision = ${revision}`,
    sql`INSERT INTO context_credit (project, collection, item_id, successes, partials, failures, version, updated_at)
        SELECT i.project, c.collection, c.item_id, (i.outcome IS 'success') - (c.credited IS 'success'),
          (i.outcome IS 'partial') - (c.credited IS 'partial'), (i.outcome IS 'failure') - (c.credited IS 'failure'), 1, ${now}
        FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
        WHERE i.id = ${interactionId} AND c.credited IS NOT i.outcome
        ON CONFLICT (project, collection, item_id) DO UPDATE SET successes = successes + excluded.successes,
          partials = partials + excluded.partials, failures = failures + excluded.failures,
          version = version + 1, updated_at = excluded.updated_at`,
    sql`UPDATE interaction_contexts SET credited = (SELECT outcome FROM interactions WHERE id = ${interactionId})
        WHERE interaction_id = ${interactionId}
          AND credited IS NOT (SELECT outcome FROM interactions WHERE id = ${interactionId})`,
    sql`SELECT k.collection, k.item_id, k.successes, k.partials, k.failures, k.version
        FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
        JOIN context_credit k ON k.project = i.project AND k.collection = c.collection AND k.item_id = c.item_id
        WHERE c.interaction_id = ${interactionId} ORDER BY c.position`,
  ])
  const byCollection = new Map<CollectionName, CreditUpdate[]>()
  for (const row of results[3]?.rows ?? []) {
    const collection = row.collection as CollectionName
    const updates = byCollection.get(collection) ?? []
    byCollection.set(collection, updates)
    updates.push({
      id: String(row.item_id),
      successes: Number(row.successes),
      partials: Number(row.partials),
      failures: Number(row.failures),
      version: Number(row.version),
    })
  }
  return byCollection
}
