import * as z from 'zod'
import { trendFigures } from '../../database/queries/trends.ts'
import { daysAgo } from '../../time.ts'
import { project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

const outcomes = z.object({ success: z.int(), partial: z.int(), failure: z.int(), unknown: z.int() })

/** Returns a project's statistics by day. */
export const getTrends = operation({
  name: 'get_trends',
  group: 'administration',
  title: 'Statistics by day',
  description:
    'Get the figures of a project by day (UTC): interactions, outcomes with and without context, value scores, local answers and ' +
    'tokens. A late outcome counts on the day of its interaction. Days without activity are left out.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/stats/trends' }],
  input: z.strictObject({
    project,
    days: z.int().min(1).max(3650).default(30).describe('Number of days to look back, including today.'),
  }),
  output: z.object({
    since: z.string().describe('First day, e.g. 2027-01-31.'),
    days: z.array(
      z.object({
        day: z.string(),
        interactions: z.int(),
        outcomes,
        with_context: outcomes,
        without_context: outcomes,
        local: outcomes.describe('Of what the local model answered.'),
        scored: z.int(),
        mean_value_score: z.number().nullable(),
        tokens_used: z.int().describe('As callers reported them.'),
        augmentations: z.int(),
        augmentations_with_context: z.int(),
        context_added: z.int().describe('Tokens of context that were sent.'),
        not_repeated: z.int().describe('Tokens not sent again because an earlier turn contained them.'),
      }),
    ),
    value_scores: z
      .array(z.object({ score: z.number().describe('Lower edge of a hundredth.'), count: z.int() }))
      .describe('Distribution of the value scores of these days.'),
  }),
  async run({ database, now }, input) {
    const since = daysAgo(now(), input.days)
    const { days, scores } = await trendFigures(database, input.project, since)
    return {
      since,
      days: days.map((day) => ({
        day: day.day,
        interactions: day.interactions,
        outcomes: day.outcomes,
        with_context: day.withContext,
        without_context: day.withoutContext,
        local: day.local,
        scored: day.scored,
        mean_value_score: day.meanValueScore,
        tokens_used: day.tokensUsed,
        augmentations: day.augmentations,
        augmentations_with_context: day.augmentationsWithContext,
        context_added: day.contextAdded,
        not_repeated: day.notRepeated,
      })),
      value_scores: scores.map(({ bin, count }) => ({ score: bin / 100, count })),
    }
  },
})
