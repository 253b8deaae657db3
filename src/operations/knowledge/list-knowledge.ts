import * as z from 'zod'
import { contextId } from '../../knowledge/collections.ts'
import { briefItems, LIST_ITEM_TOKENS } from '../brief-views.ts'
import { collectionName, cursor, degraded, filter, limit, project } from '../fields.ts'
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
  output: z.object({
    items: z.array(itemView),
    next_cursor: z.string().nullable(),
    degraded: degraded.describe('Damaged items that are left out, as `item:<context id>`.'),
  }),
  async brief({ items, next_cursor, degraded }) {
    const brief = await briefItems(items, LIST_ITEM_TOKENS)
    return { items: brief, next_cursor, ...(degraded.length > 0 && { degraded }) }
  },
  async run(services, input) {
    checkFilter(input.filter, [input.collection])
    const page = await services.knowledge.list(input, input)
    const degraded = (page.damaged ?? []).map((id) => `item:${contextId(input.collection, id)}`)
    return { items: page.entries.map(viewItem), next_cursor: page.nextCursor, degraded }
  },
})
