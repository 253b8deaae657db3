/**
 * The format of search results in every answer.
 * @module
 */
import * as z from 'zod'
import { contextId } from '../../knowledge/collections.ts'
import type { RankedItem } from '../../retrieval/search.ts'
import { itemView, viewItem } from '../knowledge/knowledge-views.ts'

const rank = z.int().describe('1 is best.')

export const resultView = itemView.extend({
  score: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
  breakdown: z.object({
    keyword: z
      .object({
        rank,
        score: z.number().describe('BM25, greater is better.'),
        coverage: z.number().nullable().describe("Share of the query's information that the item holds."),
      })
      .nullable()
      .describe('Null: it shares no term with the query.'),
    semantic: z
      .object({ rank, score: z.number().describe('Cosine, −1 to 1.') })
      .nullable()
      .describe('Null: the item or the query has no vector.'),
    rerank: z.number().nullable().describe('Probability of relevance by a reranker.'),
    external: z
      .object({ rank, score: z.number().describe("The service's own scale.") })
      .nullable()
      .describe('Its place in the list of the external service (AIDB).'),
    credit: z.number().describe('Outcome of showing it before, −1 to 1.'),
    learned: z.number().describe("What the project's outcomes taught of such results, in log-odds; 0: nothing."),
    code: z
      .record(z.string(), z.object({ value: z.number(), adds: z.number().describe('In log-odds.') }))
      .nullable()
      .describe(
        'Features of a piece of code and what each adds to its score; null: not code. See docs/design/ranking-of-code.md.',
      ),
    fused: z
      .number()
      .describe('What the probability is made from: of code the sum of its features, else of the two lists.'),
  }),
})

/** A result of one ranking. The item itself is in the combined results, or can be read with get_context_items. */
export const rankView = z.object({
  context_id: z.string(),
  score: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
})

/** A result of one ranking, as returned to callers. */
export function viewRank({ item, probability }: RankedItem): z.output<typeof rankView> {
  return { context_id: contextId(item.collection, item.id), score: probability }
}

/** A ranked item, as returned to callers. */
export function viewResult(ranked: RankedItem): z.output<typeof resultView> {
  const { item, probability, score, breakdown } = ranked
  return { ...viewItem(item), score: probability, breakdown: { ...breakdown, fused: score } }
}
