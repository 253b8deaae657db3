/**
 * Whether the local or the remote model answers. Pure: the evidence comes in, the decision and its reasons go out.
 * @module
 */

export type Backend = 'local' | 'remote'

export const CHOICE_CAUSES = [
  'confident',
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
}

export interface ModelChoice {
  readonly backend: Backend
  readonly cause: ChoiceCause
}

/**
 * Local when it is configured and its chance of success reaches the threshold. A caller that doesn't prefer local gets it only
 * where it is also expected to do at least as well as the remote one.
 */
export function chooseModel({ localModel, preferLocal, local, remote, threshold }: ChoiceInput): ModelChoice {
  if (!localModel) return { backend: 'remote', cause: 'no_local_model' }
  if (local.cold_start && local.probability < threshold) return { backend: 'remote', cause: 'cold_start' }
  if (local.probability < threshold) return { backend: 'remote', cause: 'unsure' }
  if (!preferLocal && local.probability < remote.probability) return { backend: 'remote', cause: 'remote_preferred' }
  return { backend: 'local', cause: 'confident' }
}

/** The logistic function. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x))
}
