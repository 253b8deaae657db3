import * as z from 'zod'
import { forgetWriters } from '../../database/queries/deletions.ts'
import { notFound } from '../../errors.ts'
import { collectionName, project, uuid } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'

export const deleteKnowledge = operation({
  name: 'delete_knowledge',
  group: 'knowledge',
  title: 'Delete a knowledge item',
  description: 'Delete one item permanently. No search finds it afterwards.',
  scope: 'write',
  annotations: REMOVES,
  http: [{ method: 'DELETE', path: '/knowledge/items/{collection}/{id}' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    id: uuid.describe('Id of the item: the part of its context id after the slash.'),
  }),
  output: z.object({ status: z.literal('deleted'), id: z.string() }),
  async run(services, input) {
    const deleted = await services.knowledge.delete(input, [input.id])
    if (deleted === 0) throw notFound('knowledge item', 'id')
    await forgetWriters(services.database, input, '', [input.id])
    return { status: 'deleted' as const, id: input.id }
  },
})
