/**
 * The job that embeds what a collection lacks, a stretch at a time, and then lets the new space be searched.
 * @module
 */
import type { Budget } from '../budget.ts'
import { COLLECTION_NAMES } from '../knowledge/collections.ts'
import type { CollectionScope } from '../knowledge/stores/store.ts'
import type { Services } from '../services.ts'

/** The subject of a job for a collection. */
export function embeddingSubject({ project, collection }: CollectionScope): string {
  return JSON.stringify([project, collection])
}

/** Embeds for as long as one job may take; `more` when items are left. */
export async function embedCollection(services: Services, subject: string, budget: Budget): Promise<'done' | 'more'> {
  const [project, name] = JSON.parse(subject) as [string, string]
  const collection = COLLECTION_NAMES.find((known) => known === name)
  if (!collection || !services.knowledge.embedPending) return 'done'
  return (await services.knowledge.embedPending({ project, collection }, () => budget.spent !== null)) ? 'done' : 'more'
}
