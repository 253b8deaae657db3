/**
 * The collection interaction-history: every tracked interaction as a searchable item.
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
import { clip } from '../text/clip.ts'
import { contentTerms, dice } from '../text/similarity.ts'
import { shownLimit, type Truncation } from '../text/truncation.ts'

export const HISTORY: CollectionName = 'interaction-history'

/** Number of candidates that are compared with a query to find similar ones. */
const SIMILAR_DEPTH = 100

/** The first `MAX_ITEM_TEXT` characters of a text. */
export function clipped(text: string): string {
  return clip(text, MAX_ITEM_TEXT)
}

/** What the item of an interaction leaves out of its texts. The interaction itself keeps them whole. */
export function historyTruncations(texts: { query: string; response: string }): [field: string, Truncation][] {
  const long = (['query', 'response'] as const).filter((name) => texts[name].length > MAX_ITEM_TEXT)
  return long.map((name) => [name, { limit: MAX_ITEM_TEXT, message: HISTORY_COVERS, hint: 'Shorten it.' }])
}

const HISTORY_COVERS = `Searches in interaction-history cover the first ${shownLimit(MAX_ITEM_TEXT)} characters; the whole text is kept.`

/** Converts an interaction to the fields of an item of interaction-history. */
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
 * Stores the current state of an interaction in interaction-history. After each write, the row is read again: if it has
 * changed, the item is written again; if the row is gone, the item is deleted. So the last writer always leaves the
 * current state.
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
    // Deleted in the meantime: the item must not outlive its row.
    if (!again) await services.knowledge.delete({ project: row.project, collection: HISTORY }, [item.id])
    row = again
  }
}

function sameState(a: Interaction, b: Interaction): boolean {
  return a.revision === b.revision && a.valueScore === b.valueScore
}

/**
 * Similarities (Dice of content words, 0 to 1) of earlier queries of the same project to this one, among the best
 * candidates of the keyword and the vector list. The order is the store's.
 * @throws CoordinatorError `engine_unavailable` if the store or the embedder doesn't answer
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
