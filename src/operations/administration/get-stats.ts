import * as z from 'zod'
import { ledgerSums } from '../../database/queries/ledger.ts'
import { type OutcomeCounts, usageFigures } from '../../database/queries/statistics.ts'
import { tokenLedger } from '../../experiments/token-ledger.ts'
import { wilson } from '../../statistics.ts'
import { daysAgo } from '../../time.ts'
import { project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

const outcomes = z.object({ success: z.int(), partial: z.int(), failure: z.int(), unknown: z.int() })
const rate = z.object({
  with_outcome: z.int(),
  outcomes,
  success_rate: z.number().nullable().describe('A partial success counts half; null without outcomes.'),
  interval: z.object({ low: z.number(), high: z.number() }).describe('95 %, Wilson.'),
})

const estimate = z
  .object({
    value: z.number(),
    low: z.number().describe('95 % interval.'),
    high: z.number(),
    n: z.int().describe('Answers that it rests on.'),
    method: z.string(),
  })
  .nullable()
  .describe('Null: unknown, see unknown.')

const ledger = z.object({
  measured: z.object({
    augmentations: z.int(),
    augmentations_with_context: z.int(),
    context_added: z.int().describe('Tokens that prompts had more than queries: passages, headings, delimiters.'),
    not_repeated: z.int().describe('Tokens of useful passages not sent again because an earlier turn contained them.'),
    whole_items: z.int().describe('The shown items, had they been sent whole.'),
    top_items_whole: z.int().describe('The five best items, had they been sent whole, as plain top-k retrieval does.'),
    whole_documents: z
      .object({
        tokens: z.int(),
        added: z.int().describe('What the same augmentations really added.'),
        augmentations: z.int(),
      })
      .describe('The files that the shown items belong to, had they been sent whole.'),
    used_local: z.int().describe('Tokens of local answers as callers reported them.'),
    used_remote: z.int().describe('Tokens of remote answers as callers reported them.'),
    local_answers: z.int(),
  }),
  estimated: z.object({
    remote_replaced_by_local: estimate,
    context_effect_on_tokens: estimate.describe(
      'Tokens of an answer with context minus without, from the control group; learning_stats has the effect on success.',
    ),
  }),
  unknown: z.array(z.object({ name: z.string(), reason: z.string() })),
})

/** Returns statistics of a project. */
export const getStats = operation({
  name: 'get_stats',
  group: 'administration',
  title: 'Statistics',
  description:
    'Get the figures of a project: interactions by outcome, agent and model, mean value score, share answered locally, success ' +
    'with and without context, tokens and routing decisions. Each figure says whether it was measured.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/stats' }],
  input: z.strictObject({
    project,
    days: z
      .int()
      .min(1)
      .max(3650)
      .optional()
      .describe(
        'Only the latest days (UTC), including today; models and the control group count all. Left out: all days.',
      ),
  }),
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
    token_ledger: ledger.describe('What is measured, what is estimated from it, and what is unknown.'),
    augmentations: z.int(),
    routing: z.array(z.object({ route: z.string(), backend: z.string(), count: z.int() })),
  }),
  async run(services, input) {
    const since = input.days === undefined ? null : daysAgo(services.now(), input.days)
    const [figures, sums] = await Promise.all([
      usageFigures(services.database, input.project, since),
      ledgerSums(services.database, input.project, since),
    ])
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
      token_ledger: tokenLedger(sums),
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
