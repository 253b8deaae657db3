import * as z from 'zod'
import { KNOWLEDGE_COLLECTIONS } from '../knowledge/collections.ts'
import { queryText } from '../knowledge/text-fields.ts'
import { searchKnowledge } from '../retrieval/search.ts'
import { collectionName, collections, degraded, filter, limit, project, scoreThreshold } from './fields.ts'
import { checkFilter } from './knowledge-views.ts'
import { operation, READS } from './operation.ts'
import { resultView, viewResult } from './retrieval-views.ts'

export const hybridSearch = operation({
  name: 'hybrid_search',
  title: 'Hybrid search',
  description:
    'Searches several collections by words and by meaning at once. Returns both lists and their fusion, each result with ' +
    'the scores it was ranked by. Use augment_query instead when the result goes into a prompt.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/hybrid_search' }],
  input: z.strictObject({
    project,
    query: queryText,
    collections: collections.optional(),
    limit: limit(5).describe('Semantic and combined results at most.'),
    keyword_limit: limit(5).describe('Keyword results at most.'),
    score_threshold: scoreThreshold.optional(),
    filter: filter.optional(),
    mode: z
      .enum(['hybrid', 'keyword', 'semantic'])
      .default('hybrid')
      .describe('Which lists the combined results are made of.'),
  }),
  output: z.object({
    query: z.string(),
    mode: z.enum(['hybrid', 'keyword', 'semantic']),
    collections: z.array(collectionName),
    tokens: z.array(z.string()).describe('Terms of the query that were searched.'),
    semantic_results: z.array(resultView),
    keyword_results: z.array(resultView),
    combined_results: z.array(resultView),
    degraded,
  }),
  async run(services, input) {
    const names = input.collections ?? [...KNOWLEDGE_COLLECTIONS]
    checkFilter(input.filter, names)
    const found = await searchKnowledge(services, {
      project: input.project,
      query: input.query,
      collections: names,
      mode: input.mode,
      limit: Math.max(input.limit, input.keyword_limit),
      scoreThreshold: input.score_threshold ?? 0,
      filter: input.filter,
    })
    return {
      query: input.query,
      mode: input.mode,
      collections: names,
      tokens: found.terms,
      semantic_results: found.semantic.slice(0, input.limit).map(viewResult),
      keyword_results: found.keyword.slice(0, input.keyword_limit).map(viewResult),
      combined_results: found.ranked.slice(0, input.limit).map(viewResult),
      degraded: found.degraded,
    }
  },
})
