/**
 * Estimates the effect of another confidence threshold from decisions that were logged with their propensities. Pure.
 * @module
 */
import { Z95 } from '../statistics.ts'
import type { Backend, SuccessEstimate } from './model-choice.ts'

/** A logged decision with its outcome. */
export interface LoggedDecision {
  readonly backend: Backend
  /** Probability with which that backend was chosen. */
  readonly propensity: number
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  /** Whether the caller preferred the local model. Default: yes. */
  readonly preferLocal?: boolean
  /** Minimum gain for which the remote model was worth its price. Default: 0. */
  readonly leastGain?: number
  /** 1 success, ½ partial, 0 failure. */
  readonly outcome: number
}

/** An estimate with its 95 % interval. */
export interface ReplayEstimate {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface Replay {
  readonly decisions: number
  /** Share of queries that the local model would have answered. */
  readonly localShare: number
  /** Number of decisions that agree with the other threshold. */
  readonly agreeing: number
  /** Effective number of the weighted decisions (Kish 1965). */
  readonly effective: number
  /** Share of decisions in which the log could contain the threshold's choice, i.e. its propensity was positive. */
  readonly overlap: number
  /** Success rate by inverse propensity scoring; null: not enough data. */
  readonly ips: ReplayEstimate | null
  /** Success rate by the doubly robust estimator; null: not enough data. */
  readonly doublyRobust: ReplayEstimate | null
  /** The observed success rate. */
  readonly observed: ReplayEstimate | null
}

/** Minimum number of effective decisions for an estimate. */
export const MIN_EFFECTIVE = 10
/**
 * Minimum overlap for an estimate: the share of decisions in which the threshold's choice had a positive propensity.
 */
export const MIN_OVERLAP = 0.95

/** The model that would answer with a threshold, by the rule of `chooseModel` without exploration. */
export function chosenAt(
  threshold: number,
  { local, remote, preferLocal = true, leastGain = 0 }: Omit<LoggedDecision, 'backend' | 'propensity' | 'outcome'>,
): Backend {
  const known = !local.cold_start && !remote.cold_start
  if (known && remote.probability - local.probability <= leastGain) return 'local'
  return preferLocal && !local.cold_start && local.probability >= threshold ? 'local' : 'remote'
}

/**
 * Replays decisions under a threshold, each with its original preference and least gain. Inverse propensity scoring
 * (Horvitz and Thompson 1952) weights each agreeing decision by one over its propensity; the doubly robust estimator
 * (Dudík, Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning", eq. 3) starts from the router's own
 * estimate and corrects it with the outcomes of agreeing decisions. Intervals are normal, from the variance of the
 * terms.
 *
 * Both require positivity: decisions that could only go the other way contain no information about this threshold. If
 * they are more than 5 % of all decisions, or fewer than 10 effective ones remain, nothing is estimated.
 */
export function replay(decisions: readonly LoggedDecision[], threshold: number): Replay {
  const wanted = decisions.map((decision) => chosenAt(threshold, decision))
  const weights = decisions.map(({ backend, propensity }, i) => (backend === wanted[i] ? 1 / propensity : 0))
  const agreeing = weights.filter((weight) => weight > 0).length
  const possible = decisions.filter(({ backend, propensity }, i) => backend === wanted[i] || propensity < 1).length
  const overlap = possible / Math.max(1, decisions.length)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const squares = weights.reduce((total, weight) => total + weight * weight, 0)
  const effective = squares > 0 ? (sum * sum) / squares : 0
  const supported = overlap >= MIN_OVERLAP && effective >= MIN_EFFECTIVE
  const model = decisions.map(({ local, remote }, i) => (wanted[i] === 'local' ? local : remote).probability)
  return {
    decisions: decisions.length,
    localShare: wanted.filter((backend) => backend === 'local').length / Math.max(1, decisions.length),
    agreeing,
    effective,
    overlap,
    ips: supported ? meanOf(decisions.map(({ outcome }, i) => (weights[i] ?? 0) * outcome)) : null,
    doublyRobust: supported
      ? meanOf(decisions.map(({ outcome }, i) => (model[i] ?? 0) + (weights[i] ?? 0) * (outcome - (model[i] ?? 0))))
      : null,
    observed: meanOf(decisions.map(({ outcome }) => outcome)),
  }
}

function meanOf(terms: readonly number[]): ReplayEstimate | null {
  if (terms.length === 0) return null
  const value = terms.reduce((sum, term) => sum + term, 0) / terms.length
  const variance = terms.reduce((sum, term) => sum + (term - value) ** 2, 0) / Math.max(1, terms.length - 1)
  const half = Z95 * Math.sqrt(variance / terms.length)
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half) }
}
