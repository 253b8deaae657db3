/**
 * Deletes data in the knowledge stores.
 * @module
 */

import { restore } from '../archive/restore.ts'
import { type ItemReference, votesOnItems } from '../database/queries/credit.ts'
import { forgetWriters } from '../database/queries/deletions.ts'
import { eraseInteractions } from '../database/queries/erasure.ts'
import {
  dependentsOf,
  fellowSources,
  orphanedItems,
  type Selection,
  writtenBy,
} from '../database/queries/erasure-selection.ts'
import { itemId } from '../ids.ts'
import type { CollectionName } from '../knowledge/collections.ts'
import type { CollectionScope, KnowledgeStore } from '../knowledge/stores/store.ts'
import { syncCredit } from '../outcomes/sync-credit.ts'
import type { Services } from '../services.ts'

/** All stores that may contain data: the current one, and the other one, from which collections may have been moved. */
export function storesOf(services: Services): readonly KnowledgeStore[] {
  return services.stores ? Object.values(services.stores) : [services.knowledge]
}

/** Deletes the items that represent database rows from every store. */
export async function eraseItems(
  services: Services,
  collection: CollectionName,
  rows: readonly { readonly id: string; readonly project: string }[],
): Promise<number> {
  return eraseReferences(
    services,
    rows.map(({ id, project }) => ({ project, collection, id: itemId(project, collection, id) })),
  )
}

async function eraseReferences(services: Services, items: readonly ItemReference[]): Promise<number> {
  let deleted = 0
  for (const own of Map.groupBy(items, ({ project, collection }) => `${project}/${collection}`).values()) {
    const [first] = own
    if (!first) continue
    for (const store of storesOf(services)) {
      deleted += await store.delete(
        first,
        own.map(({ id }) => id),
      )
    }
  }
  return deleted
}

/**
 * Deletes interactions with their items and the items learnt from them. The items are deleted first: a row without its
 * item can be deleted again, but an item without its row could not be found.
 * @param withItems false: the stores are already empty
 */
export async function eraseInteractionsWithItems(
  services: Services,
  rows: readonly { readonly id: string; readonly project: string }[],
  withItems: boolean,
): Promise<Record<string, number>> {
  const ids = rows.map(({ id }) => id)
  if (!withItems) return eraseInteractions(services.database, ids, services.now())
  // Interactions whose credit is subtracted, or that are learnt from again, must be in the tables.
  await restore(services, [...ids, ...(await fellowSources(services.database, ids))], 'leave')
  const { corrections, patterns, credited } = await dependentsOf(services.database, ids)
  let items = await eraseItems(services, 'interaction-history', rows)
  items += await eraseItems(services, 'learning-feedback', corrections)
  items += await eraseReferences(services, patterns)
  const counts = await eraseInteractions(services.database, ids, services.now())
  await syncCredit(services.database, storesOf(services), await votesOnItems(services.database, credited))
  return { ...counts, knowledge_items: items }
}

/** Number of items that one step checks. */
const PAGE = 500

/**
 * Deletes items of a collection whose rows were deleted. They can remain if a row was indexed while it was being
 * deleted.
 * @param cursor the position of the last step in the first store
 */
export async function eraseOrphans(
  services: Services,
  scope: CollectionScope,
  cursor: string | undefined,
): Promise<{ deleted: number; next: string | null }> {
  const { entries, nextCursor } = await services.knowledge.list(scope, { limit: PAGE, ...(cursor && { cursor }) })
  const orphans = await orphanedItems(
    services.database,
    scope.collection,
    entries.map(({ id, key }) => ({ id, key })),
  )
  let deleted = 0
  if (orphans.length > 0) for (const store of storesOf(services)) deleted += await store.delete(scope, orphans)
  return { deleted, next: nextCursor }
}

/** Deletes up to 500 documents or items that a key wrote; null: no more. */
export async function eraseWritings(
  services: Services,
  { key, project }: Extract<Selection, { what: 'key' }>,
): Promise<Record<string, number> | null> {
  const written = await writtenBy(services.database, key, project)
  if (!written) return null
  const counts = { knowledge_items: 0, knowledge_documents: 0 }
  for (const store of storesOf(services)) {
    if (written.source === '') counts.knowledge_items += await store.delete(written, written.references)
    else {
      const { documents, items } = await store.deleteDocuments(written, written.source, written.references)
      counts.knowledge_documents += documents
      counts.knowledge_items += items
    }
  }
  await forgetWriters(services.database, written, written.source, written.references)
  return { ...counts, knowledge_writers: written.references.length }
}
