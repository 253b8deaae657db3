import * as z from 'zod'
import { queryText } from '../../knowledge/text-fields.ts'
import { searchKnowledge } from '../../retrieval/search.ts'
import { briefItems, SEARCH_ITEM_TOKENS } from '../brief-views.ts'
import { emptyProjectNote, note } from '../empty-project.ts'
import { collectionName, degraded, filter, limit, project, scoreThreshold } from '../fields.ts'
import { checkFilter } from '../knowledge/knowledge-views.ts'
import { operation, READS } from '../operation.ts'
import { truncated, viewTruncatedQuery } from '../truncated.ts'
import { resultView, viewResult } from './retrieval-views.ts'

export const searchContext = operation({
  name: 'search_context',
  group: 'context',
  title: 'Search one collection',
  description: 'Search one collection by keyword and by meaning. Returns its most relevant items with their fields.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/search_context' }],
  input: z.strictObject({
    project,
    query: queryText.describe('What to search for, as words or as a question.'),
    collection: collectionName,
    limit: limit(5),
    score_threshold: scoreThreshold.optional(),
    filter: filter.optional(),
  }),
  output: z.object({
    query: z.string(),
    collection: collectionName,
    items: z.array(resultView),
    note,
    degraded,
    truncated,
  }),
  async brief({ query, collection, items, note: told, degraded }) {
    return {
      query,
      collection,
      items: await briefItems(items, SEARCH_ITEM_TOKENS),
      ...(told !== undefined && { note: told }),
      ...(degraded.length > 0 && { degraded }),
    }
  },
  async run(services, input, caller) {
    checkFilter(input.filter, [input.collection])
    const found = await searchKnowledge(services, {
      project: input.project,
      query: input.query,
      collections: [input.collection],
      mode: 'hybrid',
      limit: input.limit,
      scoreThreshold: input.score_threshold ?? 0,
      filter: input.filter,
    })
    return {
      query: input.query,
      collection: input.collection,
      items: found.ranked.slice(0, input.limit).map(viewResult),
      ...(found.ranked.length === 0 && (await emptyProjectNote(services, input.project, caller))),
      degraded: found.degraded,
      ...viewTruncatedQuery(found.truncated),
    }
  },
})
