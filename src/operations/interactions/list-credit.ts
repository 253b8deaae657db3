import * as z from 'zod'
import { creditedItems } from '../../database/queries/credit.ts'
import { contextId } from '../../knowledge/collections.ts'
import { betaMean, lowerBound, posterior, upperBound } from '../../ranking/credit.ts'
import { limit, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** The items that helped most, or least. */
export const listCredit = operation({
  name: 'list_credit',
  group: 'interactions',
  title: 'List what helped',
  description:
    'List the items that were shown in interactions with a known outcome, best or worst first, by posterior mean success rate ' +
    'with its 80 % credible interval.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/credit' }],
  input: z.strictObject({
    project,
    order: z.enum(['best', 'worst']).default('best').describe('Whether the best or the worst items come first.'),
    limit: limit(20),
  }),
  output: z.object({
    items: z.array(
      z.object({
        context_id: z.string(),
        successes: z.int(),
        partials: z.int(),
        failures: z.int(),
        mean: z.number().describe('Posterior mean of the success rate, a partial success counting half.'),
        low: z.number().describe('10 % quantile: what counts for an item.'),
        high: z.number().describe('90 % quantile: what counts against it.'),
      }),
    ),
  }),
  async run({ database }, input) {
    const rows = await creditedItems(database, input.project, input.order, input.limit)
    return {
      items: rows.map(({ collection, itemId, ...credit }) => ({
        context_id: contextId(collection, itemId),
        ...credit,
        mean: betaMean(posterior(credit)),
        low: lowerBound(credit),
        high: upperBound(credit),
      })),
    }
  },
})
