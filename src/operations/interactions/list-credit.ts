import * as z from 'zod'
import { creditedItems } from '../../database/queries/credit.ts'
import { contextId } from '../../knowledge/collections.ts'
import {
  betaMean,
  creditShift,
  lowerBound,
  posterior,
  USUAL_VOTES,
  upperBound,
  usualPrior,
} from '../../ranking/credit.ts'
import { sourceOf } from '../../retrieval/packing.ts'
import { readItems } from '../context/context-views.ts'
import { contextSource, degraded, limit, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists the items that helped most or least. */
export const listCredit = operation({
  name: 'list_credit',
  group: 'interactions',
  title: 'List what helped',
  description:
    'List the items that were shown in interactions with a known outcome, best or worst first by posterior mean success rate: ' +
    'votes on items not shown count a tenth, no caller outweighs all others, few votes are pulled ' +
    'towards the rate of the collection. Ranking uses the ends of the 80 % interval.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/credit' }],
  input: z.strictObject({
    project,
    collection: contextSource.optional().describe('Only the items of this collection; left out: of all.'),
    order: z.enum(['best', 'worst']).default('best').describe('Whether the best or the worst items come first.'),
    limit: limit(20),
  }),
  output: z.object({
    items: z.array(
      z.object({
        context_id: z.string(),
        title: z
          .string()
          .nullable()
          .describe('Path, lines and symbol of code, else its title; null: not stored any more.'),
        successes: z.number().describe('Weighed and capped.'),
        partials: z.number(),
        failures: z.number(),
        reported: z
          .object({ successes: z.int(), partials: z.int(), failures: z.int() })
          .describe('Votes as they were reported.'),
        usual: z.number().describe('Usual success rate in its collection, which it is compared with.'),
        shift: z.number().describe('How far it is moved, -1 (down as far as credit can) to 1; 0: not at all.'),
        mean: z.number().describe('Posterior mean of the success rate, a partial success counting half.'),
        low: z.number().describe('10 % quantile: what counts for an item.'),
        high: z.number().describe('90 % quantile: what counts against it.'),
      }),
    ),
    degraded,
  }),
  async run(services, input) {
    const rows = await creditedItems(services.database, input, USUAL_VOTES)
    const ids = rows.map(({ collection, itemId }) => contextId(collection, itemId))
    const stored = await readItems(services, input.project, ids).catch(() => null)
    return {
      items: rows.map(({ collection, itemId, reported, usual: all, ...credit }) => {
        const usual = betaMean(posterior(all))
        const prior = usualPrior(usual)
        const id = contextId(collection, itemId)
        const item = stored?.get(id)
        return {
          context_id: id,
          title: item ? sourceOf(item) : null,
          ...credit,
          reported,
          usual,
          shift: creditShift(credit, usual),
          mean: betaMean(posterior(credit, prior)),
          low: lowerBound(credit, prior),
          high: upperBound(credit, prior),
        }
      }),
      degraded: stored === null ? ['knowledge'] : [],
    }
  },
})
