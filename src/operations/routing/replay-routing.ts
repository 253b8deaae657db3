import * as z from 'zod'
import { type DecidedOutcome, decidedOutcomes } from '../../database/queries/routing.ts'
import type { DecidedModel } from '../../routing/decide-model.ts'
import { type LoggedDecision, type ReplayEstimate, replay } from '../../routing/replay.ts'
import { project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Maximum number of decisions that a replay reads, latest first. */
const MAX_DECISIONS = 5_000
const OUTCOME_VALUE = { success: 1, partial: 0.5, failure: 0 } as const

const estimate = z
  .object({ value: z.number(), low: z.number().describe('95 % interval.'), high: z.number() })
  .nullable()
const share = z.number().min(0).max(1)

/** Evaluates thresholds on logged decisions. */
export const replayRouting = operation({
  name: 'replay_routing',
  group: 'routing',
  title: 'Replay routing decisions',
  description:
    'Estimate what other confidence thresholds would have led to: the share of local answers and the success rate, by inverse ' +
    'propensity scoring and the doubly robust estimator, beside what was reached. Uses decisions whose answers were tracked ' +
    'with a decision_id and have an outcome.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/routing/replay' }],
  input: z.strictObject({
    project,
    thresholds: z
      .array(share)
      .min(1)
      .max(20)
      .default([0, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
      .describe('Thresholds to evaluate, 0 to 1. 0 means local whenever there is an estimate.'),
  }),
  output: z.object({
    decisions: z.int().describe('Decisions that the replay rests on, at most 5,000.'),
    left_out: z.int().describe('Judged answers whose decision had no choice to make.'),
    observed: estimate.describe('Success rate that was really reached.'),
    thresholds: z.array(
      z.object({
        threshold: share,
        local_share: share,
        agreeing: z.int().describe('Decisions that went as this threshold would have gone.'),
        effective: z.number().describe('Effective sample size: how many decisions the weighted ones are worth.'),
        overlap: share.describe('Share of decisions that had a chance to go as this threshold would have gone.'),
        supported: z
          .boolean()
          .describe(
            'False: the log cannot support an estimate, as overlap is below 0.95 or fewer than 10 effective decisions are left. ' +
              'Raise ROUTING_EXPLORATION to collect decisions that differ.',
          ),
        ips: estimate.describe('Inverse propensity scoring; null: not supported.'),
        doubly_robust: estimate.describe('Null: not supported.'),
      }),
    ),
  }),
  async run({ database }, input) {
    const rows = await decidedOutcomes(database, input.project, MAX_DECISIONS)
    const logged = rows.flatMap((row) => loggedDecision(row) ?? [])
    const results = input.thresholds.map((threshold) => ({ threshold, ...replay(logged, threshold) }))
    return {
      decisions: logged.length,
      left_out: rows.length - logged.length,
      observed: view(results[0]?.observed ?? null),
      thresholds: results.map((result) => ({
        threshold: result.threshold,
        local_share: result.localShare,
        agreeing: result.agreeing,
        effective: result.effective,
        overlap: result.overlap,
        supported: result.ips !== null,
        ips: view(result.ips),
        doubly_robust: view(result.doublyRobust),
      })),
    }
  },
})

/** A decision in which either model could have been chosen; null for other decisions. */
function loggedDecision({ backend, record, outcome }: DecidedOutcome): LoggedDecision | null {
  const model = record.model as DecidedModel | null | undefined
  if (!model || model.cause === 'no_local_model' || (backend !== 'local' && backend !== 'remote')) return null
  return {
    backend,
    propensity: model.propensity,
    local: model.local,
    remote: model.remote,
    preferLocal: model.prefer_local ?? true,
    leastGain: model.least_gain ?? 0,
    outcome: OUTCOME_VALUE[outcome],
  }
}

function view(found: ReplayEstimate | null) {
  return found && { value: found.value, low: found.low, high: found.high }
}
