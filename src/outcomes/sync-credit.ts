/**
 * Hands what the database counted of the votes on items to the knowledge stores, which rank by it.
 * @module
 */
import type { ItemVotes } from '../database/queries/credit.ts'
import { isCollection } from '../knowledge/collections.ts'
import type { KnowledgeStore } from '../knowledge/stores/store.ts'
import { combined } from '../ranking/credit.ts'

/** Sets the credit that these votes give their items in every store; an older version than a store's own is ignored. */
export async function syncCredit(stores: readonly KnowledgeStore[], votes: readonly ItemVotes[]): Promise<void> {
  const scopes = Map.groupBy(votes, ({ project, collection }) => `${project}/${collection}`)
  for (const own of scopes.values()) {
    const { project, collection } = own[0] as ItemVotes
    // External context isn't stored: its credit stays in the database.
    if (!isCollection(collection)) continue
    const updates = [...Map.groupBy(own, ({ id }) => id)].map(([id, callers]) => ({
      id,
      version: callers[0]?.version ?? 0,
      ...combined(callers),
    }))
    for (const store of stores) await store.setCredit({ project, collection }, updates)
  }
}
