import * as z from 'zod'
import { contextId, KNOWLEDGE_COLLECTIONS } from '../../knowledge/collections.ts'
import { queryText } from '../../knowledge/text-fields.ts'
import { type Collapsed, collapseNearDuplicates, maximalMarginalRelevance } from '../../retrieval/diversity.ts'
import { type RankedItem, searchKnowledge } from '../../retrieval/search.ts'
import { jaccard, shingles } from '../../text/shingles.ts'
import { briefItems, rounded, SEARCH_ITEM_TOKENS } from '../brief-views.ts'
import { emptyProjectNote, note } from '../empty-project.ts'
import { collectionName, collections, degraded, filter, limit, project, scoreThreshold } from '../fields.ts'
import { checkFilter } from '../knowledge/knowledge-views.ts'
import { operation, READS } from '../operation.ts'
import { truncated, viewTruncatedQuery } from '../truncated.ts'
import { rankView, resultView, viewRank, viewResult } from './retrieval-views.ts'

export const hybridSearch = operation({
  name: 'hybrid_search',
  group: 'context',
  title: 'Hybrid search',
  description:
    'Search several collections by keyword and by meaning. Returns the best items with their text in combined_results, ' +
    'and both rankings as ids with scores. To get context for an answer call augment_query instead.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/hybrid_search' }],
  input: z.strictObject({
    project,
    query: queryText.describe('What to search for, as words or as a question.'),
    collections: collections.optional(),
    limit: limit(5).describe('Maximum number of semantic and of combined results.'),
    keyword_limit: limit(5).describe('Maximum number of keyword results.'),
    score_threshold: scoreThreshold.optional(),
    filter: filter.optional(),
    mode: z
      .enum(['hybrid', 'keyword', 'semantic'])
      .default('hybrid')
      .describe('Which rankings the combined results are made of.'),
    offset: z.int().min(0).max(400).default(0).describe('Number of results to skip, for the next page.'),
    diversity: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe('0 keeps the order of relevance; values towards 1 prefer results that differ from those before them.'),
    collapse_duplicates: z
      .boolean()
      .default(false)
      .describe('Show near-exact copies once and list the others under duplicates.'),
  }),
  output: z.object({
    query: z.string(),
    mode: z.enum(['hybrid', 'keyword', 'semantic']),
    collections: z.array(collectionName),
    tokens: z.array(z.string()).describe('Terms of the query that were searched.'),
    semantic_results: z.array(rankView).describe('By meaning, best first.'),
    keyword_results: z.array(rankView).describe('By keyword, best first.'),
    combined_results: z.array(
      resultView.extend({ duplicates: z.array(z.string()).describe('Context ids of near-exact copies.') }),
    ),
    note,
    answerable: z.number().describe('Calibrated probability that anything found answers the query, 0 to 1.'),
    degraded,
    truncated,
  }),
  async brief({ combined_results, semantic_results, keyword_results, answerable, degraded, ...asked }) {
    const ranked = (results: typeof semantic_results) =>
      results.map(({ context_id, score }) => ({ context_id, score: rounded(score) }))
    return {
      query: asked.query,
      collections: asked.collections,
      tokens: asked.tokens,
      combined_results: await briefItems(combined_results, SEARCH_ITEM_TOKENS),
      semantic_results: ranked(semantic_results),
      keyword_results: ranked(keyword_results),
      answerable: rounded(answerable),
      ...(asked.note !== undefined && { note: asked.note }),
      ...(degraded.length > 0 && { degraded }),
    }
  },
  async run(services, input, caller) {
    const names = input.collections ?? [...KNOWLEDGE_COLLECTIONS]
    checkFilter(input.filter, names)
    const { offset } = input
    const end = offset + input.limit
    const found = await searchKnowledge(services, {
      project: input.project,
      query: input.query,
      collections: names,
      mode: input.mode,
      limit: offset + Math.max(input.limit, input.keyword_limit),
      scoreThreshold: input.score_threshold ?? 0,
      filter: input.filter,
      external: input.collections === undefined,
    })
    return {
      query: input.query,
      mode: input.mode,
      collections: names,
      tokens: found.terms,
      semantic_results: found.semantic.slice(offset, end).map(viewRank),
      keyword_results: found.keyword.slice(offset, offset + input.keyword_limit).map(viewRank),
      combined_results: arrange(found.ranked, end, input.diversity, input.collapse_duplicates)
        .slice(offset)
        .map(({ item, duplicates }) => ({
          ...viewResult(item),
          duplicates: duplicates.map(({ item: { collection, id } }) => contextId(collection, id)),
        })),
      ...(found.ranked.length === 0 && (await emptyProjectNote(services, input.project, caller))),
      answerable: found.answerable,
      degraded: found.degraded,
      ...viewTruncatedQuery(found.truncated),
    }
  },
})

/** The first `end` results after diversification and the collapse of near-duplicates, where these are requested. */
function arrange(
  ranked: readonly RankedItem[],
  end: number,
  diversity: number,
  collapse: boolean,
): Collapsed<RankedItem>[] {
  const textOf = ({ item }: RankedItem) => item.body
  const distinct = collapse
    ? collapseNearDuplicates(ranked, textOf)
    : ranked.map((item): Collapsed<RankedItem> => ({ item, duplicates: [] }))
  if (diversity === 0) return distinct.slice(0, end)
  const shingled = new Map(distinct.map((entry) => [entry, shingles(textOf(entry.item))]))
  const shinglesOf = (entry: Collapsed<RankedItem>) => shingled.get(entry) ?? new Set<number>()
  return maximalMarginalRelevance(distinct, {
    relevance: ({ item }) => item.probability,
    similarity: (a, b) => jaccard(shinglesOf(a), shinglesOf(b)),
    lambda: 1 - diversity,
    limit: end,
  })
}
