import * as z from 'zod'
import { armFigures } from '../../database/queries/statistics.ts'
import { invalidInput } from '../../errors.ts'
import { compareArms } from '../../experiments/compare.ts'
import { line } from '../../knowledge/text-fields.ts'
import { DAY_MS } from '../../time.ts'
import { project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

const interval = z.object({ low: z.number(), high: z.number() })
const arm = z.object({
  name: z.string(),
  total: z.int().describe('Interactions, and rated corrections that name none.'),
  rated: z.int(),
  with_outcome: z.int(),
  success_rate: z.number().nullable().describe('A partial success counts half.'),
  success_interval: interval.describe('95 %, Wilson.'),
  mean_rating: z.number().nullable().describe('-1 to 1, over all ratings, not only those of corrections.'),
})

/** Compares two experiment arms. */
export const compareVariants = operation({
  name: 'compare_variants',
  group: 'experiments',
  title: 'Compare two variants',
  description:
    'Compare the interactions of two variants: success rates and ratings with intervals, a check of the assignment, the ' +
    'smallest difference that could be detected, and a verdict in words.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/learning/ab_compare' }],
  input: z.strictObject({
    project,
    variant_a: line(100).optional().describe('Name of the first variant. Give this or tag_a.'),
    variant_b: line(100).optional().describe('Name of the second variant. Give this or tag_b.'),
    tag_a: line(100).optional().describe('Tag of the first variant, such as variant:short-prompt.'),
    tag_b: line(100).optional().describe('Tag of the second variant.'),
    tag_prefix: line(50).default('variant:').describe('Prefix of tags that name a variant.'),
    days: z.int().min(1).max(3650).default(30).describe('Number of days to look back.'),
  }),
  output: z.object({
    variant_a: arm,
    variant_b: arm,
    in_both: z.int().describe('Interactions of both variants; they are left out.'),
    success_difference: z.number().nullable().describe('b minus a.'),
    success_difference_interval: interval
      .nullable()
      .describe('95 %, Newcombe; holds for a single look at a size decided beforehand.'),
    success_difference_always_valid: interval
      .nullable()
      .describe('95 %, holds however often you look; the verdict goes by it.'),
    rating_difference: z.number().nullable().describe('b minus a.'),
    rating_difference_interval: interval
      .nullable()
      .describe('95 %, Welch; null with fewer than two ratings on a side.'),
    minimum_detectable_effect: z
      .number()
      .nullable()
      .describe('Difference of success rates that so many outcomes show with power 0.8.'),
    sample_ratio_p: z.number().describe('Chance that an even assignment comes out at least this uneven.'),
    verdict: z.enum(['a_better', 'b_better', 'no_difference_shown', 'not_enough_data', 'sample_ratio_mismatch']),
    explanation: z.string(),
    growth: z
      .array(z.object({ day: z.string(), difference: z.number().nullable(), interval: interval.nullable() }))
      .describe('b minus a up to and with each day (UTC), with the interval that holds however often you look.'),
    since: z.number().describe('Milliseconds since 1970.'),
  }),
  async run(services, input) {
    const a = selector(input.variant_a, input.tag_a, input.tag_prefix, 'variant_a')
    const b = selector(input.variant_b, input.tag_b, input.tag_prefix, 'variant_b')
    if (a.variant === b.variant && a.tag === b.tag)
      throw invalidInput('variant_b', 'variant_b must be another variant.')
    const since = services.now() - input.days * DAY_MS
    const figures = await armFigures(services.database, input.project, a, b, since)
    const found = compareArms(figures.a, figures.b)
    const present = (name: string, { withOutcome, ...rest }: (typeof found)['a']) => ({
      name,
      total: rest.total,
      rated: rest.rated,
      with_outcome: withOutcome,
      success_rate: rest.successRate,
      success_interval: rest.successInterval,
      mean_rating: rest.meanRating,
    })
    return {
      variant_a: present(a.variant, found.a),
      variant_b: present(b.variant, found.b),
      in_both: figures.inBoth,
      success_difference: found.successDifference,
      success_difference_interval: found.successDifferenceInterval,
      success_difference_always_valid: found.successDifferenceAlwaysValid,
      rating_difference: found.ratingDifference,
      rating_difference_interval: found.ratingDifferenceInterval,
      minimum_detectable_effect: found.minimumDetectableEffect,
      sample_ratio_p: found.sampleRatioP,
      verdict: found.verdict,
      explanation: found.explanation,
      growth: figures.growth.map(({ day, ...arms }) => {
        const then = compareArms(arms.a, arms.b)
        return { day, difference: then.successDifference, interval: then.successDifferenceAlwaysValid }
      }),
      since,
    }
  },
})

/** Resolves the variant and its tag from either of the two. */
function selector(variant: string | undefined, tag: string | undefined, prefix: string, field: string) {
  if (variant !== undefined) return { variant, tag: tag ?? `${prefix}${variant}` }
  if (tag !== undefined) return { variant: tag.startsWith(prefix) ? tag.slice(prefix.length) : tag, tag }
  throw invalidInput(field, `${field} is missing.`, { hint: `Send ${field}, or ${field.replace('variant', 'tag')}.` })
}
