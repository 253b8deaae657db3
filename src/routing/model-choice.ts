/**
 * Chooses between the local and the remote model. Pure: takes the evidence, returns the decision and its reasons.
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

/** The estimated success rate of a model. */
export interface SuccessEstimate {
  /** Mean of the posterior, 0 to 1. */
  readonly probability: number
  /** Central 90 % of the posterior. */
  readonly low: number
  readonly high: number
  /** Number of outcomes behind the estimate. */
  readonly outcomes: number
  /** Whether there are so few outcomes that the prior dominates the estimate. */
  readonly cold_start: boolean
}

/** With fewer outcomes than this, an estimate is a cold start. */
export const COLD_START_OUTCOMES = 10

/**
 * Beta posterior of a success rate with a uniform prior. A partial success counts half as success and half as failure.
 * The interval is the normal approximation on the log-odds scale: accurate enough even for a few outcomes, and never
 * outside 0 to 1. Source: Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.4.
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
  /** Whether a local model is configured. */
  readonly localModel: boolean
  readonly preferLocal: boolean
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  /** Minimum probability of success for the local model to answer. */
  readonly threshold: number
  /**
   * Minimum gain in success probability for which the remote model is worth its price, −1 to 1. Default: 0. See
   * leastGain.
   */
  readonly leastGain?: number
  /** Share of decisions that choose the other model to keep collecting its outcomes, 0 to 1. */
  readonly exploration: number
  /** A random number in [0, 1). */
  readonly random: number
}

export interface ModelChoice {
  readonly backend: Backend
  readonly cause: ChoiceCause
  /** Probability with which this backend was chosen, for off-policy estimates. */
  readonly propensity: number
}

/** The relative value of success, money and waiting time. */
export interface Weights {
  /** Value of one success, above 0. */
  readonly quality: number
  /** Value of the additional cost of a remote answer over a local one. */
  readonly cost: number
  /** Value of one second of waiting. */
  readonly latency: number
  /** Additional seconds that the remote model takes. Negative if it is faster. */
  readonly extraSeconds: number
}

/**
 * The gain in success probability at which the remote model has the greater expected utility: quality · gain > cost +
 * latency · extra seconds (von Neumann and Morgenstern's expected utility, linear in each part). Between −1 and 1.
 */
export function leastGain({ quality, cost, latency, extraSeconds }: Weights): number {
  return Math.max(-1, Math.min(1, (cost + latency * extraSeconds) / quality))
}

/**
 * Chooses the local model if it is configured and either its probability of success reaches the threshold, or both
 * models have enough outcomes and the remote model's expected gain doesn't exceed its price. If the caller doesn't
 * prefer the local model, only the second condition applies. A small share of decisions takes the other model.
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
