/**
 * What another confidence threshold would have led to, from decisions that were logged with their propensities. Pure.
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
  /** Whether the caller preferred the local model. Missing: yes. */
  readonly preferLocal?: boolean
  /** Gain under which the remote model was not worth its price. Missing: 0. */
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
  /** Decisions that went as the other threshold would have gone. */
  readonly agreeing: number
  /** Decisions that the weighted ones are worth (Kish 1965). */
  readonly effective: number
  /** Share of decisions for which the log had a chance to show what the threshold would have chosen. */
  readonly overlap: number
  /** Success rate by inverse propensity scoring; null: the data does not support an estimate. */
  readonly ips: ReplayEstimate | null
  /** Success rate by the doubly robust estimator; null: the data does not support an estimate. */
  readonly doublyRobust: ReplayEstimate | null
  /** What was really reached. */
  readonly observed: ReplayEstimate | null
}

/** Fewer effective decisions than this support no estimate. */
export const MIN_EFFECTIVE = 10
/** Share of decisions whose other choice had a chance in the log, under which nothing is estimated. */
export const MIN_OVERLAP = 0.95

/** Who would have answered with a threshold, by the rule of `chooseModel` without exploration. */
export function chosenAt(
  threshold: number,
  { local, remote, preferLocal = true, leastGain = 0 }: Omit<LoggedDecision, 'backend' | 'propensity' | 'outcome'>,
): Backend {
  const known = !local.cold_start && !remote.cold_start
  if (known && remote.probability - local.probability <= leastGain) return 'local'
  return preferLocal && !local.cold_start && local.probability >= threshold ? 'local' : 'remote'
}

/**
 * Replays decisions under a threshold, each with the preference and the least gain that it was made with. Inverse propensity scoring
 * (Horvitz and Thompson 1952) counts each agreeing decision by one over its propensity; the doubly robust estimator (Dudík,
 * Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning", eq. 3) starts from the router's own estimate and corrects it by
 * the outcomes of agreeing decisions. Intervals are normal, from the variance of the single terms.
 *
 * Both need positivity: a decision that was certain to go the other way says nothing of this threshold, however many there
 * are. When more than 5 % of the decisions are such, or fewer than 10 effective ones are left, nothing is estimated.
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
