/**
 * Compares two variants: figures, uncertainty and a verdict in words. Pure functions.
 * @module
 */

import {
  type Interval,
  minimumDetectableEffect,
  newcombe,
  sampleOf,
  sampleRatioPValue,
  welch,
  wilson,
} from '../statistics.ts'
import { alwaysValidInterval } from './sequential.ts'

/** Sums over one arm. Ratings are between −1 and 1. */
export interface ArmSums {
  readonly total: number
  readonly rated: number
  readonly ratingSum: number
  readonly ratingSquares: number
  readonly success: number
  readonly partial: number
  readonly failure: number
}

export interface ArmReport {
  readonly total: number
  readonly rated: number
  readonly withOutcome: number
  /** A partial success counts half; null without outcomes. */
  readonly successRate: number | null
  readonly successInterval: Interval
  readonly meanRating: number | null
}

export interface Comparison {
  readonly a: ArmReport
  readonly b: ArmReport
  /** b − a; null if one arm has no data to compare. */
  readonly successDifference: number | null
  /** Valid for a single look at a sample size fixed in advance. */
  readonly successDifferenceInterval: Interval | null
  /** Valid for any number of looks. The verdict is based on it. */
  readonly successDifferenceAlwaysValid: Interval | null
  readonly ratingDifference: number | null
  readonly ratingDifferenceInterval: Interval | null
  readonly minimumDetectableEffect: number | null
  readonly sampleRatioP: number
  readonly verdict: 'a_better' | 'b_better' | 'no_difference_shown' | 'not_enough_data' | 'sample_ratio_mismatch'
  readonly explanation: string
}

/** Minimum number of outcomes per arm for a verdict. */
export const MIN_OUTCOMES = 10
/** Below this probability, the counts can't come from an even assignment. */
export const SAMPLE_RATIO_ALPHA = 0.001

function report(arm: ArmSums): ArmReport & { successes: number } {
  const withOutcome = arm.success + arm.partial + arm.failure
  const successes = arm.success + arm.partial / 2
  return {
    total: arm.total,
    rated: arm.rated,
    withOutcome,
    successes,
    successRate: withOutcome > 0 ? successes / withOutcome : null,
    successInterval: wilson(successes, withOutcome),
    meanRating: arm.rated > 0 ? arm.ratingSum / arm.rated : null,
  }
}

/** Compares two arms that should have equal shares. */
export function compareArms(armA: ArmSums, armB: ArmSums): Comparison {
  const { successes: successesA, ...a } = report(armA)
  const { successes: successesB, ...b } = report(armB)
  const both = a.withOutcome > 0 && b.withOutcome > 0
  const interval = both ? newcombe(successesA, a.withOutcome, successesB, b.withOutcome) : null
  const sampleA = sampleOf(armA.rated, armA.ratingSum, armA.ratingSquares)
  const sampleB = sampleOf(armB.rated, armB.ratingSum, armB.ratingSquares)
  const pooled = both ? (successesA + successesB) / (a.withOutcome + b.withOutcome) : 0.5
  const comparison = {
    a,
    b,
    successDifference: both ? (b.successRate ?? 0) - (a.successRate ?? 0) : null,
    successDifferenceInterval: interval,
    successDifferenceAlwaysValid: alwaysValidInterval(observations(armA), observations(armB)),
    ratingDifference: a.meanRating === null || b.meanRating === null ? null : b.meanRating - a.meanRating,
    ratingDifferenceInterval: welch(sampleA, sampleB),
    minimumDetectableEffect: minimumDetectableEffect(pooled, a.withOutcome, b.withOutcome),
    sampleRatioP: sampleRatioPValue(a.total, b.total),
  }
  return { ...comparison, ...judge(comparison) }
}

function judge(found: Omit<Comparison, 'verdict' | 'explanation'>): Pick<Comparison, 'verdict' | 'explanation'> {
  const { a, b, successDifferenceAlwaysValid: interval, minimumDetectableEffect: effect } = found
  if (found.sampleRatioP < SAMPLE_RATIO_ALPHA) {
    return {
      verdict: 'sample_ratio_mismatch',
      explanation:
        `${a.total} against ${b.total} interactions is too uneven for an even assignment (p = ${found.sampleRatioP.toExponential(1)}). ` +
        'Find out how callers were assigned before trusting the difference.',
    }
  }
  if (!interval || a.withOutcome < MIN_OUTCOMES || b.withOutcome < MIN_OUTCOMES) {
    return {
      verdict: 'not_enough_data',
      explanation: `${a.withOutcome} and ${b.withOutcome} outcomes are known; at least ${MIN_OUTCOMES} of each are needed.`,
    }
  }
  const range = `${percent(interval.low)} to ${percent(interval.high)} points`
  if (interval.low > 0) {
    return {
      verdict: 'b_better',
      explanation: `b succeeds more often than a: by ${range} (95 % interval, valid however often you look).`,
    }
  }
  if (interval.high < 0) {
    return {
      verdict: 'a_better',
      explanation: `a succeeds more often than b: b differs by ${range} (95 % interval, valid however often you look).`,
    }
  }
  return {
    verdict: 'no_difference_shown',
    explanation:
      `No difference is shown: b minus a lies between ${range} (95 % interval, valid however often you look). ` +
      `Differences under ${percent(effect ?? 1)} points would mostly go unseen with so many outcomes.`,
  }
}

/** Success as a number: 1; a partial success is 0.5, a failure 0. */
function observations(arm: ArmSums) {
  return {
    n: arm.success + arm.partial + arm.failure,
    sum: arm.success + arm.partial / 2,
    squares: arm.success + arm.partial / 4,
  }
}

function percent(share: number): string {
  return (share * 100).toFixed(1)
}
