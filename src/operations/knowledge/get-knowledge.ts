import * as z from 'zod'
import { itemDraws } from '../../database/queries/statistics.ts'
import { notFound } from '../../errors.ts'
import { uplift } from '../../experiments/uplift.ts'
import { contextId } from '../../knowledge/collections.ts'
import { shownProbability } from '../../retrieval/hold-out.ts'
import { collectionName, project, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { itemView, viewItem } from './knowledge-views.ts'

export const getKnowledge = operation({
  name: 'get_knowledge',
  group: 'knowledge',
  title: 'Get a knowledge item',
  description: 'Get one item with all its fields, its source, how often it helped, and the effect of showing it.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/knowledge/items/{collection}/{id}' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    id: uuid.describe('Id of the item: the part of its context id after the slash.'),
  }),
  output: itemView.extend({
    uplift: z
      .object({
        shown: z.int(),
        held_out: z.int(),
        difference: z.number().nullable().describe('Success rate with the item less success rate without it.'),
        interval: z.object({ low: z.number(), high: z.number() }).nullable().describe('95 %.'),
      })
      .describe('What showing it adds, from the augmentations that HOLD_OUT_SHARE left it out of at random.'),
  }),
  async run(services, input) {
    const [item] = await services.knowledge.get(input, [input.id])
    if (!item) throw notFound('knowledge item', 'id', 'Search for it, or list the collection with list_knowledge.')
    const draws = await itemDraws(services.database, input.project, contextId(item.collection, item.id))
    const exposures = draws.map(({ share, items, ...draw }) => ({
      ...draw,
      probability: shownProbability(share, items),
    }))
    const { heldOut, ...effect } = uplift(exposures)
    return { ...viewItem(item), uplift: { ...effect, held_out: heldOut } }
  },
})
