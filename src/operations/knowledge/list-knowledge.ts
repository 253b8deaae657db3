import * as z from 'zod'
import { briefItems, LIST_ITEM_TOKENS } from '../brief-views.ts'
import { collectionName, cursor, filter, limit, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { checkFilter, itemView, viewItem } from './knowledge-views.ts'

export const listKnowledge = operation({
  name: 'list_knowledge',
  group: 'knowledge',
  title: 'List knowledge items',
  description: 'List the items of a collection in pages, optionally filtered by their fields.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/knowledge/items/{collection}' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    filter: filter.optional(),
    limit: limit(20),
    cursor: cursor.optional(),
  }),
  output: z.object({ items: z.array(itemView), next_cursor: z.string().nullable() }),
  async brief({ items, next_cursor }) {
    return { items: await briefItems(items, LIST_ITEM_TOKENS), next_cursor }
  },
  async run(services, input) {
    checkFilter(input.filter, [input.collection])
    const page = await services.knowledge.list(input, input)
    return { items: page.entries.map(viewItem), next_cursor: page.nextCursor }
  },
})
