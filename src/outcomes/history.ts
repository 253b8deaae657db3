/**
 * The collection interaction-history: every tracked interaction as an item that can be searched.
 * @module
 */

import { tableInteraction } from '../archive/restore.ts'
import type { Interaction } from '../database/queries/interactions.ts'
import { contextsOf, findInteraction } from '../database/queries/interactions.ts'
import { type CollectionName, type ContextSource, contextId } from '../knowledge/collections.ts'
import { prepareItem } from '../knowledge/prepare.ts'
import { answerProvenance } from '../knowledge/provenance.ts'
import { MAX_ITEM_TEXT } from '../knowledge/text-fields.ts'
import type { Services } from '../services.ts'
import { contentTerms, dice } from '../text/similarity.ts'

export const HISTORY: CollectionName = 'interaction-history'

/** Candidates that are compared with a query to find those that resemble it. */
const SIMILAR_DEPTH = 100

/** The beginning of a text, at most `MAX_ITEM_TEXT` characters, never ending in half of a surrogate pair. */
export function clipped(text: string): string {
  if (text.length <= MAX_ITEM_TEXT) return text
  const cut = text.slice(0, MAX_ITEM_TEXT)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

/** An interaction as an item of interaction-history. */
export function historyFields(row: Interaction, contextIds: readonly string[]): Record<string, unknown> {
  return {
    query: clipped(row.query),
    response: clipped(row.response),
    agent_type: row.agentType,
    model_used: row.modelUsed,
    ...(contextIds.length > 0 && { context_provided: contextIds }),
    ...(row.outcome !== null && { outcome: row.outcome }),
    ...(row.userFeedback !== null && { user_feedback: row.userFeedback }),
    ...(row.tokensUsed > 0 && { tokens_used: row.tokensUsed }),
    latency_ms: row.latencyMs,
    ...(row.valueScore !== null && { value_score: row.valueScore }),
    ...(row.tags.length > 0 && { tags: row.tags }),
    created_at: row.createdAt,
  }
}

/**
 * Stores the present state of an interaction in interaction-history. Whoever writes looks again afterwards and writes once more
 * if the row has changed, or deletes the item if the row is gone; so the last writer, however late, leaves the present state.
 */
export async function indexInteraction(services: Services, id: string): Promise<void> {
  let row = await tableInteraction(services, id)
  while (row) {
    const contexts = await contextsOf(services.database, id)
    const ids = contexts.map((context) => contextId(context.collection as ContextSource, context.itemId))
    const given = { key: id, fields: historyFields(row, ids), provenance: answerProvenance(row) }
    const item = await prepareItem(row.project, HISTORY, given, services.embedder)
    await services.knowledge.upsert({ project: row.project, collection: HISTORY }, [item], services.embedder.space)
    const again = await findInteraction(services.database, id, null)
    if (again && sameState(again, row)) return
    // Deleted meanwhile: what was just written must not outlive its row.
    if (!again) await services.knowledge.delete({ project: row.project, collection: HISTORY }, [item.id])
    row = again
  }
}

function sameState(a: Interaction, b: Interaction): boolean {
  return a.revision === b.revision && a.valueScore === b.valueScore
}

/**
 * Similarity (Dice of content words, 0 to 1) of earlier queries of the same project to this one, among the best candidates
 * of the keyword and the vector list. Order is the store's.
 * @throws CoordinatorError `engine_unavailable` when the store or the embedder doesn't answer
 */
export async function earlierSimilarities(services: Services, row: Interaction): Promise<number[]> {
  const query = clipped(row.query)
  const [embedding] = await services.embedder.embed([query], 'query')
  const found = await services.knowledge.search(
    { project: row.project, collection: HISTORY },
    {
      text: query,
      vector: embedding?.vector ?? null,
      space: services.embedder.space,
      keyword: true,
      depth: SIMILAR_DEPTH,
      limit: SIMILAR_DEPTH,
    },
  )
  const terms = contentTerms(query)
  return found.candidates
    .filter(({ item }) => item.key < row.id)
    .map(({ item }) => dice(terms, contentTerms(String(item.fields.query ?? ''))))
}
