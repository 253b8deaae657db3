import * as z from 'zod'
import { assignVariant as assign } from '../../experiments/sequential.ts'
import { line } from '../../knowledge/text-fields.ts'
import { operation, READS } from '../operation.ts'

/** Assigns a variant to a unit. The same unit always gets the same variant. */
export const assignVariant = operation({
  name: 'assign_variant',
  group: 'experiments',
  title: 'Assign a variant',
  description:
    'Assign a unit (a user, a session, a repository) to a variant of an experiment. The same unit always gets the same variant; ' +
    'variants get equal shares. Pass the variant to track_interaction, then call compare_variants.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/learning/assign_variant' }],
  input: z.strictObject({
    experiment: line(200).describe('Name of the experiment. Experiments of different names assign independently.'),
    unit: line(500).describe('Id of the user, session or repository.'),
    variants: z
      .array(line(100))
      .min(2)
      .max(20)
      .refine((names) => new Set(names).size === names.length, 'must be different from each other')
      .describe('Names of the variants, always in the same order.'),
  }),
  output: z.object({ variant: z.string(), tag: z.string().describe('The same as a tag, for callers that use tags.') }),
  async run(_, input) {
    const variant = await assign(input.experiment, input.unit, input.variants)
    return { variant, tag: `variant:${variant}` }
  },
})
