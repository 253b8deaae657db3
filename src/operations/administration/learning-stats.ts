import * as z from 'zod'
import { rankingRow } from '../../database/queries/ranking.ts'
import { routerStatus } from '../../database/queries/routing.ts'
import { contextExposures, learningFigures } from '../../database/queries/statistics.ts'
import { type TrainingKind, trainingJobs } from '../../database/queries/training-jobs.ts'
import { uplift } from '../../experiments/uplift.ts'
import { jobStatus } from '../../jobs/job-output.ts'
import { degraded, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Returns what learning has done and what is still queued. */
export const learningStats = operation({
  name: 'learning_stats',
  group: 'administration',
  title: 'Learning statistics',
  description:
    'Get the state of learning in a project: background jobs by kind and status, scored and high-value interactions, patterns, ' +
    'corrections and datasets.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/stats' }],
  input: z.strictObject({ project }),
  output: z.object({
    jobs: z.array(z.object({ kind: z.string(), status: z.string(), count: z.int() })),
    queue_depth: z.int().describe('Jobs pending or running.'),
    dead: z.int().describe('Jobs that ran out of attempts.'),
    oldest_pending_ms: z.number().nullable().describe('Age of the longest waiting job.'),
    scored: z.int(),
    unscored: z.int().describe('Interactions with an outcome whose score is pending.'),
    mean_value_score: z.number().nullable(),
    high_value: z.int().describe('Interactions that reached high_value_threshold.'),
    high_value_threshold: z.number(),
    patterns: z.int().nullable().describe('Items in skills-patterns; null when the store does not answer.'),
    credited_items: z.int().describe('Items of context with a known outcome.'),
    corrections: z.int(),
    context_effect: z
      .object({
        shown: z.int(),
        held_out: z.int(),
        difference: z.number().nullable().describe('Success rate with context less success rate without.'),
        interval: z.object({ low: z.number(), high: z.number() }).nullable().describe('95 %.'),
      })
      .describe('What context changes, from the control group that CONTROL_GROUP_SHARE sets aside at random.'),
    ranking: z
      .object({
        version: z.int().describe('Trainings so far.'),
        accepted: z.boolean().describe('Whether searches use it: it has to do better on queries it was not taught.'),
        queries: z.int(),
        outcomes: z.int().describe('Outcomes that it was learnt from.'),
        weights: z.int(),
        gain: z.number().describe('Held-out log-likelihood a query, with less without.'),
        standard_errors: z.number().describe('The gain in its standard errors; accepted from 1.'),
      })
      .describe('What outcomes taught of ranking.'),
    training: z
      .array(
        z.object({
          kind: z.enum(['train_router', 'train_ranking']),
          status: jobStatus,
          attempts: z.int().describe('Attempts that failed since it was last due.'),
          run_after: z
            .number()
            .describe('A waiting or failed one is tried again at this time; milliseconds since 1970.'),
          last_error: z.string().nullable(),
          trained_at: z.number().nullable().describe('Last success; null: none yet.'),
          pending: z.int().describe('Outcomes that it has not learnt from yet.'),
        }),
      )
      .describe('The trainings of the project; one that was never due is missing.'),
    datasets: z.object({ count: z.int(), rows: z.int(), bytes: z.int() }),
    degraded,
  }),
  async run(services, input) {
    const threshold = services.settings.HIGH_VALUE_THRESHOLD
    const [figures, exposures, patterns, ranking, router, trainings] = await Promise.all([
      learningFigures(services.database, input.project, threshold),
      contextExposures(services.database, input.project),
      services.knowledge.statistics({ project: input.project, collection: 'skills-patterns' }).catch(() => null),
      rankingRow(services.database, input.project),
      routerStatus(services.database, input.project),
      trainingJobs(services.database, input.project),
    ])
    const effect = uplift(exposures)
    const waiting = figures.jobs.filter(({ status }) => status === 'pending' || status === 'running')
    const dead = figures.jobs.filter(({ status }) => status === 'dead')
    return {
      jobs: [...figures.jobs],
      queue_depth: waiting.reduce((sum, { count }) => sum + count, 0),
      dead: dead.reduce((sum, { count }) => sum + count, 0),
      oldest_pending_ms: figures.oldestPendingAt === null ? null : services.now() - figures.oldestPendingAt,
      scored: figures.scored,
      unscored: figures.unscored,
      mean_value_score: figures.meanValueScore,
      high_value: figures.highValue,
      high_value_threshold: threshold,
      patterns: patterns?.items ?? null,
      credited_items: figures.credited,
      corrections: figures.corrections,
      context_effect: {
        shown: effect.shown,
        held_out: effect.heldOut,
        difference: effect.difference,
        interval: effect.interval,
      },
      ranking: {
        version: ranking?.version ?? 0,
        accepted: ranking?.accepted ?? false,
        queries: ranking?.queries ?? 0,
        outcomes: ranking?.examples ?? 0,
        weights: Object.keys(ranking?.weights ?? {}).length,
        gain: ranking?.gain ?? 0,
        standard_errors: ranking?.standardErrors ?? 0,
      },
      training: Object.entries(trainings).map(([kind, job]) => {
        const model = kind === 'train_router' ? router : ranking
        return {
          kind: kind as TrainingKind,
          status: job.status,
          attempts: job.status === 'done' ? 0 : job.attempts,
          run_after: job.runAfter,
          last_error: job.lastError,
          trained_at: model?.trainedAt ?? null,
          pending: model?.pending ?? 0,
        }
      }),
      datasets: figures.datasets,
      degraded: patterns ? [] : ['knowledge'],
    }
  },
})
