/**
 * How search results look in every answer.
 * @module
 */
import * as z from 'zod'
import type { RankedItem } from '../retrieval/search.ts'
import { itemView, viewItem } from './knowledge-views.ts'

const listEntry = z
  .object({ rank: z.int().describe('1 is best.'), score: z.number() })
  .nullable()
  .describe('Null: not in this list.')

export const resultView = itemView.extend({
  score: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
  breakdown: z.object({
    keyword: listEntry.describe('BM25, greater is better.'),
    semantic: listEntry.describe('Cosine, −1 to 1.'),
    fused: z.number().describe('What the results are ordered by.'),
  }),
})

/** A ranked item as callers see it. */
export function viewResult(ranked: RankedItem): z.output<typeof resultView> {
  return { ...viewItem(ranked.item), score: ranked.probability, breakdown: ranked.breakdown }
}
