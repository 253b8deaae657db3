/**
 * The collection learning-feedback: corrections, immediately findable by similar queries.
 * @module
 */
import { type Correction, findCorrection } from '../database/queries/corrections.ts'
import { itemId } from '../ids.ts'
import type { CollectionName } from '../knowledge/collections.ts'
import { prepareItem } from '../knowledge/prepare.ts'
import type { Services } from '../services.ts'
import { clipped } from './history.ts'

export const FEEDBACK: CollectionName = 'learning-feedback'

/** Id of a correction's item in learning-feedback. */
export function correctionItemId(project: string, id: string): string {
  return itemId(project, FEEDBACK, id)
}

/** Converts a correction to the fields of an item of learning-feedback. */
export function correctionFields(row: Correction): Record<string, unknown> {
  return {
    query: clipped(row.query),
    ...(row.originalResponse !== null && { original_response: clipped(row.originalResponse) }),
    correction: clipped(row.correction),
    ...(row.rating !== null && { rating: row.rating }),
    ...(row.tags.length > 0 && { tags: row.tags }),
    ...(row.interactionId !== null && { interaction_id: row.interactionId }),
  }
}

/** Stores a correction in learning-feedback. A correction never changes, so storing it twice has no effect. */
export async function indexCorrection(services: Services, id: string): Promise<void> {
  const row = await findCorrection(services.database, id)
  if (!row) return
  const given = { key: id, fields: correctionFields(row), provenance: 'human' as const }
  const item = await prepareItem(row.project, FEEDBACK, given, services.embedder)
  const scope = { project: row.project, collection: FEEDBACK }
  await services.knowledge.upsert(scope, [item], services.embedder.space)
  // Deleted in the meantime: the item must not outlive its row.
  if (!(await findCorrection(services.database, id))) await services.knowledge.delete(scope, [item.id])
}
