/**
 * The job that computes a collection's missing vectors in steps, and then switches searches to the new space.
 * @module
 */
import type { Budget } from '../budget.ts'
import { COLLECTION_NAMES } from '../knowledge/collections.ts'
import type { CollectionScope } from '../knowledge/stores/store.ts'
import type { Services } from '../services.ts'

/** The subject of an embedding job. */
export function embeddingSubject({ project, collection }: CollectionScope): string {
  return JSON.stringify([project, collection])
}

/** Embeds for the duration of one job. Returns `more` if items are left. */
export async function embedCollection(services: Services, subject: string, budget: Budget): Promise<'done' | 'more'> {
  const [project, name] = JSON.parse(subject) as [string, string]
  const collection = COLLECTION_NAMES.find((known) => known === name)
  if (!collection || !services.knowledge.embedPending) return 'done'
  return (await services.knowledge.embedPending({ project, collection }, () => budget.spent !== null)) ? 'done' : 'more'
}
