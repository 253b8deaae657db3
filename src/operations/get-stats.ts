import * as z from 'zod'
import { type OutcomeCounts, usageFigures } from '../database/queries/statistics.ts'
import { wilson } from '../learning/statistics.ts'
import { project } from './fields.ts'
import { operation, READS } from './operation.ts'

const outcomes = z.object({ success: z.int(), partial: z.int(), failure: z.int(), unknown: z.int() })
const rate = z.object({
  with_outcome: z.int(),
  outcomes,
  success_rate: z.number().nullable().describe('A partial success counts half; null without outcomes.'),
  interval: z.object({ low: z.number(), high: z.number() }).describe('95 %, Wilson.'),
})

/** What the coordinator did for a project. */
export const getStats = operation({
  name: 'get_stats',
  title: 'Statistics',
  description:
    'Interactions by outcome, agent and model, mean value score, share answered locally, success with and without context, tokens ' +
    'and routing decisions of a project. Every figure says whether it was measured.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/stats' }],
  input: z.strictObject({ project }),
  output: z.object({
    interactions: z.int(),
    outcomes,
    by_agent: z.array(z.object({ agent_type: z.string(), count: z.int() })),
    by_model: z
      .array(z.object({ model: z.string(), count: z.int(), tokens_used: z.int(), mean_latency_ms: z.number() }))
      .describe('The 20 most used.'),
    scored: z.int(),
    mean_value_score: z.number().nullable(),
    local_share: z.number().nullable().describe('Share of interactions answered by the local model.'),
    with_context: rate,
    without_context: rate,
    tokens: z.object({
      used: z.object({ value: z.int(), source: z.literal('measured') }).describe('As callers reported them.'),
      context_added: z.object({ value: z.int(), source: z.literal('measured') }).describe('Context that was sent.'),
      context_whole: z
        .object({ value: z.int(), source: z.literal('measured') })
        .describe('The same items, had they been sent whole.'),
      context_saved: z
        .object({ value: z.int(), source: z.literal('measured') })
        .describe('context_whole − context_added.'),
      saved_by_local: z
        .object({ value: z.null(), source: z.literal('unknown') })
        .describe('What remote models would have used instead is not known.'),
    }),
    augmentations: z.int(),
    routing: z.array(z.object({ route: z.string(), backend: z.string(), count: z.int() })),
  }),
  async run(services, input) {
    const figures = await usageFigures(services.database, input.project)
    const { tokensAdded, tokensWhole } = figures.retrievals
    const measured = (value: number) => ({ value, source: 'measured' as const })
    const local = figures.byAgent.find(({ agent }) => agent === 'local')?.count ?? 0
    return {
      interactions: figures.interactions,
      outcomes: figures.outcomes,
      by_agent: figures.byAgent.map(({ agent, count }) => ({ agent_type: agent, count })),
      by_model: figures.byModel.map(({ model, count, tokens, meanLatencyMs }) => ({
        model,
        count,
        tokens_used: tokens,
        mean_latency_ms: meanLatencyMs,
      })),
      scored: figures.scored,
      mean_value_score: figures.meanValueScore,
      local_share: figures.interactions > 0 ? local / figures.interactions : null,
      with_context: successRate(figures.withContext),
      without_context: successRate(figures.withoutContext),
      tokens: {
        used: measured(figures.tokensUsed),
        context_added: measured(tokensAdded),
        context_whole: measured(tokensWhole),
        context_saved: measured(tokensWhole - tokensAdded),
        saved_by_local: { value: null, source: 'unknown' as const },
      },
      augmentations: figures.retrievals.count,
      routing: [...figures.routing],
    }
  },
})

function successRate(counts: OutcomeCounts): z.input<typeof rate> {
  const known = counts.success + counts.partial + counts.failure
  const successes = counts.success + counts.partial / 2
  return {
    with_outcome: known,
    outcomes: counts,
    success_rate: known > 0 ? successes / known : null,
    interval: wilson(successes, known),
  }
}
