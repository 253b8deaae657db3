/**
 * Whether the local or the remote model answers. Pure: the evidence comes in, the decision and its reasons go out.
 * @module
 */

import { logistic } from '../statistics.ts'

export type Backend = 'local' | 'remote'

export const CHOICE_CAUSES = [
  'confident',
  'no_gain',
  'unsure',
  'cold_start',
  'no_local_model',
  'remote_preferred',
  'explored',
] as const
export type ChoiceCause = (typeof CHOICE_CAUSES)[number]

/** Outcomes of a model's earlier answers. */
export interface OutcomeCounts {
  readonly success: number
  readonly partial: number
  readonly failure: number
}

/** What is known about a model's chance of success. */
export interface SuccessEstimate {
  /** Mean of the posterior, 0 to 1. */
  readonly probability: number
  /** Central 90 % of the posterior. */
  readonly low: number
  readonly high: number
  /** Outcomes that it rests on. */
  readonly outcomes: number
  /** So few outcomes that the estimate is mostly the prior. */
  readonly cold_start: boolean
}

/** Fewer outcomes than this are a cold start. */
export const COLD_START_OUTCOMES = 10

/**
 * Beta posterior of a success rate with a uniform prior; a partial success counts half a success and half a failure.
 * The interval is the normal approximation on the log-odds scale, exact enough from a few outcomes on and never outside 0 to 1.
 * Source: Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.4.
 */
export function betaEstimate({ success, partial, failure }: OutcomeCounts): SuccessEstimate {
  const a = 1 + success + partial / 2
  const b = 1 + failure + partial / 2
  const logOdds = Math.log(a / b)
  const deviation = Math.sqrt(1 / a + 1 / b)
  const outcomes = success + partial + failure
  return {
    probability: a / (a + b),
    low: logistic(logOdds - 1.645 * deviation),
    high: logistic(logOdds + 1.645 * deviation),
    outcomes,
    cold_start: outcomes < COLD_START_OUTCOMES,
  }
}

export interface ChoiceInput {
  /** A local model is configured. */
  readonly localModel: boolean
  readonly preferLocal: boolean
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  /** Probability of success from which the local model answers. */
  readonly threshold: number
  /** Gain in the chance of success under which the remote model isn't worth its price, −1 to 1; 0 when left out. See leastGain. */
  readonly leastGain?: number
  /** Share of decisions that take the other model, so that its outcomes stay known, 0 to 1. */
  readonly exploration: number
  /** Uniform in [0, 1). */
  readonly random: number
}

export interface ModelChoice {
  readonly backend: Backend
  readonly cause: ChoiceCause
  /** Probability with which this backend was chosen, for off-policy estimates. */
  readonly propensity: number
}

/** What success, money and waiting are worth to each other. */
export interface Weights {
  /** Worth of one success, above 0. */
  readonly quality: number
  /** Worth of what one remote answer costs more than a local one. */
  readonly cost: number
  /** Worth of one second of waiting. */
  readonly latency: number
  /** Seconds that the remote model takes longer, negative when it is the faster one. */
  readonly extraSeconds: number
}

/**
 * The gain in the chance of success from which the remote model has the greater expected utility: quality · gain > cost + latency ·
 * extra seconds (von Neumann and Morgenstern's expected utility, linear in each part). Between −1 and 1.
 */
export function leastGain({ quality, cost, latency, extraSeconds }: Weights): number {
  return Math.max(-1, Math.min(1, (cost + latency * extraSeconds) / quality))
}

/**
 * Local when it is configured and either its chance of success reaches the threshold, or the remote model, whose outcomes are
 * known too, is not expected to do better by more than its price. A caller that doesn't prefer local gets it only in the second case. A small share of
 * decisions takes the other model.
 */
export function chooseModel(input: ChoiceInput): ModelChoice {
  const best = bestModel(input)
  if (best.cause === 'no_local_model') return { ...best, propensity: 1 }
  if (input.random >= input.exploration) return { ...best, propensity: 1 - input.exploration }
  return { backend: best.backend === 'local' ? 'remote' : 'local', cause: 'explored', propensity: input.exploration }
}

function bestModel({
  localModel,
  preferLocal,
  local,
  remote,
  leastGain = 0,
  threshold,
}: ChoiceInput): Omit<ModelChoice, 'propensity'> {
  if (!localModel) return { backend: 'remote', cause: 'no_local_model' }
  const noGain = !local.cold_start && !remote.cold_start && remote.probability - local.probability <= leastGain
  if (noGain) return { backend: 'local', cause: 'no_gain' }
  if (local.probability >= threshold && !local.cold_start) {
    return preferLocal ? { backend: 'local', cause: 'confident' } : { backend: 'remote', cause: 'remote_preferred' }
  }
  return { backend: 'remote', cause: local.cold_start ? 'cold_start' : 'unsure' }
}
