/**
 * Writes the credit derived from votes to the knowledge stores, which rank by it, and to the database, which lists it.
 * @module
 */
import type { Database } from '../database/database.ts'
import { type ItemVotes, storeCredit } from '../database/queries/credit.ts'
import { isCollection } from '../knowledge/collections.ts'
import type { KnowledgeStore } from '../knowledge/stores/store.ts'
import { combined } from '../ranking/credit.ts'

/**
 * Sets the items' credit from these votes, in the database and in every store. Credit that is older than the stored
 * version is ignored.
 */
export async function syncCredit(
  database: Database,
  stores: readonly KnowledgeStore[],
  votes: readonly ItemVotes[],
): Promise<void> {
  if (votes.length === 0) return
  const items = Map.groupBy(votes, ({ project, collection, id }) => JSON.stringify([project, collection, id]))
  const updates = [...items.values()].map((own) => {
    const { project, collection, id, version, alone } = own[0] as ItemVotes
    return { project, collection, id, version, ...combined(own, alone) }
  })
  await storeCredit(database, updates)
  for (const own of Map.groupBy(updates, ({ project, collection }) => `${project}/${collection}`).values()) {
    const { project, collection } = own[0] as ItemVotes
    // External context isn't stored: its credit is kept only in the database.
    if (!isCollection(collection)) continue
    const credit = own.map(({ id, version, successes, partials, failures }) => ({
      id,
      version,
      successes,
      partials,
      failures,
    }))
    for (const store of stores) await store.setCredit({ project, collection }, credit)
  }
}
