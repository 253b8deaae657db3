import * as z from 'zod'
import { variantFigures } from '../../database/queries/variants.ts'
import { DAY_MS } from '../../time.ts'
import { limit, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists the variants that interactions are tagged with. */
export const listVariants = operation({
  name: 'list_variants',
  group: 'experiments',
  title: 'List variants',
  description:
    'List the variants that interactions of the last days carry, with their outcomes, most used first. Compare two of them with ' +
    'compare_variants.',
  scope: 'read',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/learning/variants' }],
  input: z.strictObject({
    project,
    days: z.int().min(1).max(3650).default(30).describe('Number of days to look back.'),
    limit: limit(50),
  }),
  output: z.object({
    variants: z.array(
      z.object({
        variant: z.string(),
        interactions: z.int(),
        success: z.int(),
        partial: z.int(),
        failure: z.int(),
        first_at: z.number().describe('Milliseconds since 1970.'),
        last_at: z.number().describe('Milliseconds since 1970.'),
      }),
    ),
  }),
  async run({ database, now }, input) {
    const found = await variantFigures(database, input.project, now() - input.days * DAY_MS, input.limit)
    return { variants: found.map(({ firstAt, lastAt, ...rest }) => ({ ...rest, first_at: firstAt, last_at: lastAt })) }
  },
})
