/**
 * What another confidence threshold would have led to, from decisions that were logged with their propensities. Pure.
 * @module
 */
import { Z95 } from '../statistics.ts'
import type { Backend, SuccessEstimate } from './model-choice.ts'

/** A logged decision with what came of it. */
export interface LoggedDecision {
  readonly backend: Backend
  /** Probability with which that backend was chosen. */
  readonly propensity: number
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
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
  /** Success rate by inverse propensity scoring; null without an agreeing decision. */
  readonly ips: ReplayEstimate | null
  /** Success rate by the doubly robust estimator. */
  readonly doublyRobust: ReplayEstimate | null
  /** What was really reached. */
  readonly observed: ReplayEstimate | null
}

/** Who would have answered with a threshold, by the rule of `chooseModel` without exploration. */
export function chosenAt(
  threshold: number,
  least: number,
  { local, remote }: Pick<LoggedDecision, 'local' | 'remote'>,
): Backend {
  const known = !local.cold_start && !remote.cold_start
  if (known && remote.probability - local.probability <= least) return 'local'
  return !local.cold_start && local.probability >= threshold ? 'local' : 'remote'
}

/**
 * Replays decisions under a threshold. Inverse propensity scoring (Horvitz and Thompson 1952) counts each agreeing decision by
 * one over its propensity; the doubly robust estimator (Dudík, Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning", eq. 3)
 * starts from the router's own estimate and corrects it by what came of agreeing decisions. Intervals are normal, from the variance of
 * the single terms.
 * @param least gain under which the remote model isn't worth its price
 */
export function replay(decisions: readonly LoggedDecision[], threshold: number, least = 0): Replay {
  const wanted = decisions.map((decision) => chosenAt(threshold, least, decision))
  const weights = decisions.map(({ backend, propensity }, i) => (backend === wanted[i] ? 1 / propensity : 0))
  const agreeing = weights.filter((weight) => weight > 0).length
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const squares = weights.reduce((total, weight) => total + weight * weight, 0)
  const model = decisions.map(({ local, remote }, i) => (wanted[i] === 'local' ? local : remote).probability)
  return {
    decisions: decisions.length,
    localShare: wanted.filter((backend) => backend === 'local').length / Math.max(1, decisions.length),
    agreeing,
    effective: squares > 0 ? (sum * sum) / squares : 0,
    ips: agreeing > 0 ? meanOf(decisions.map(({ outcome }, i) => (weights[i] ?? 0) * outcome)) : null,
    doublyRobust: meanOf(
      decisions.map(({ outcome }, i) => (model[i] ?? 0) + (weights[i] ?? 0) * (outcome - (model[i] ?? 0))),
    ),
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
