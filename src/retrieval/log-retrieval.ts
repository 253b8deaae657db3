/**
 * Logs what a retrieval showed, and what whole documents would have cost.
 * @module
 */
import type { Database } from '../database/database.ts'
import { recordRetrieval } from '../database/queries/retrievals.ts'
import { type CollectionName, isCollection } from '../knowledge/collections.ts'
import type { KnowledgeStore } from '../knowledge/stores/store.ts'
import type { PackedItem } from './packing.ts'

/** Writes the log entry, including the cost of sending whole documents instead. */
export async function logRetrieval(
  services: { readonly database: Database; readonly knowledge: KnowledgeStore },
  packed: readonly PackedItem[],
  entry: Omit<Parameters<typeof recordRetrieval>[1], 'tokensDocuments'>,
): Promise<void> {
  const tokensDocuments = await documentTokens(services.knowledge, entry.project, packed).catch(() => null)
  await recordRetrieval(services.database, { ...entry, tokensDocuments })
}

/**
 * Tokens of the whole documents that the items come from, counting each document once. An item without a document
 * counts as its own document. Null: unknown.
 */
async function documentTokens(
  knowledge: KnowledgeStore,
  project: string,
  packed: readonly PackedItem[],
): Promise<number | null> {
  let alone = 0
  const documents = new Map<CollectionName, Map<string, { source: string; path: string }>>()
  for (const { item, tokensWhole } of packed) {
    const { source, path, collection } = item
    if (source === null || path === null || !isCollection(collection)) alone += tokensWhole
    else {
      const own = documents.get(collection) ?? new Map<string, { source: string; path: string }>()
      documents.set(collection, own.set(JSON.stringify([source, path]), { source, path }))
    }
  }
  if (documents.size > 0 && !knowledge.documentTokens) return null
  const sums = await Promise.all(
    [...documents].map(([collection, own]) => knowledge.documentTokens?.({ project, collection }, [...own.values()])),
  )
  return sums.reduce<number>((sum, tokens) => sum + (tokens ?? 0), alone)
}
