/**
 * A comparison that remains valid when it is checked after every observation. Pure functions.
 * @module
 */
import type { Interval } from '../statistics.ts'

/** Probability of ever excluding the true value, over all looks together. */
export const SEQUENTIAL_ALPHA = 0.05

/** Differences of about this size are found soonest. It affects how fast the result is conclusive, not its validity. */
export const EXPECTED_DIFFERENCE = 0.1

/** Observations of one arm, each between 0 and 1. */
export interface Observations {
  readonly n: number
  readonly sum: number
  readonly squares: number
}

/**
 * Always-valid interval for the difference of two means, b − a: over all looks together, it excludes the true value
 * with probability at most 0.05. The normal-mixture boundary of the mixture sequential probability ratio test (Robbins
 * 1970, Annals of Mathematical Statistics 41:1397; Johari et al. 2022, Operations Research 70:1806, eq. 8), with mixing
 * variance τ² and the variance of the estimate from the data. One pseudo-observation at each end of the scale is added
 * to each arm: the boundary is asymptotic, and without them the first, equal observations would appear certain.
 * @returns null without observations in both arms
 */
export function alwaysValidInterval(
  a: Observations,
  b: Observations,
  options: { readonly alpha?: number; readonly expectedDifference?: number } = {},
): Interval | null {
  if (a.n < 1 || b.n < 1) return null
  const { alpha = SEQUENTIAL_ALPHA, expectedDifference = EXPECTED_DIFFERENCE } = options
  const variance = varianceOfMean(a) + varianceOfMean(b)
  const mixing = expectedDifference ** 2
  const half = Math.sqrt(
    ((variance * (variance + mixing)) / mixing) * (Math.log((variance + mixing) / variance) - 2 * Math.log(alpha)),
  )
  const difference = b.sum / b.n - a.sum / a.n
  return { low: Math.max(-1, difference - half), high: Math.min(1, difference + half) }
}

function varianceOfMean({ n, sum, squares }: Observations): number {
  const count = n + 2
  const mean = (sum + 1) / count
  return Math.max((squares + 1) / count - mean * mean, 0) / n
}

/**
 * The variant of a unit. The same unit always gets the same variant, all variants get equal shares, and the assignments
 * of two experiments are independent. Uses the first 52 bits of SHA-256 over experiment and unit, modulo the number of
 * variants.
 */
export async function assignVariant(experiment: string, unit: string, variants: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([experiment, unit]))
  const view = new DataView(await crypto.subtle.digest('SHA-256', bytes))
  const draw = view.getUint32(0) * 2 ** 20 + (view.getUint32(4) >>> 12)
  return variants[draw % variants.length] ?? ''
}
