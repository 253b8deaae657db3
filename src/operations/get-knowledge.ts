import * as z from 'zod'
import { notFound } from '../errors.ts'
import { collectionName, project, uuid } from './fields.ts'
import { itemView, viewItem } from './knowledge-views.ts'
import { operation, READS } from './operation.ts'

export const getKnowledge = operation({
  name: 'get_knowledge',
  title: 'Get a knowledge item',
  description: 'Returns one stored item with all its fields, where it came from and how often it helped.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/knowledge/items/{collection}/{id}' }],
  input: z.strictObject({ project, collection: collectionName, id: uuid }),
  output: itemView,
  async run(services, input) {
    const [item] = await services.knowledge.get(input, [input.id])
    if (!item) throw notFound('knowledge item', 'id', 'Search for it, or list the collection with list_knowledge.')
    return viewItem(item)
  },
})
