/**
 * Statistics for comparisons. Pure functions. Every formula names its source.
 * @module
 */

/** An estimate with its interval. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** The logistic function, 1 / (1 + e^−x). */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/** Two-sided 95 % quantile of the standard normal distribution. */
export const Z95 = 1.959963984540054

/**
 * Wilson's score interval for a proportion (Wilson 1927, JASA 22:209). `n` = 0 gives 0 to 1.
 * @param successes may be fractional (a partial success counts half)
 */
export function wilson(successes: number, n: number, z = Z95): Interval {
  if (n <= 0) return { low: 0, high: 1 }
  const p = successes / n
  const z2 = z * z
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n)
  const half = (z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n))
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/**
 * Newcombe's interval for the difference of two independent proportions, b − a, from their Wilson intervals (Newcombe
 * 1998, Statistics in Medicine 17:873, method 10). Without observations on one side, it covers the possible range.
 */
export function newcombe(successesA: number, nA: number, successesB: number, nB: number, z = Z95): Interval {
  const a = wilson(successesA, nA, z)
  const b = wilson(successesB, nB, z)
  const pA = nA > 0 ? successesA / nA : (a.low + a.high) / 2
  const pB = nB > 0 ? successesB / nB : (b.low + b.high) / 2
  const difference = pB - pA
  return {
    low: Math.max(-1, difference - Math.hypot(pB - b.low, a.high - pA)),
    high: Math.min(1, difference + Math.hypot(b.high - pB, pA - a.low)),
  }
}

/** Mean and sum of squared deviations of a sample. */
export interface Sample {
  readonly n: number
  readonly mean: number
  /** Unbiased variance; 0 for fewer than two values. */
  readonly variance: number
}

/** A sample's moments from count, sum and sum of squares. */
export function sampleOf(n: number, sum: number, squares: number): Sample {
  const mean = n > 0 ? sum / n : 0
  return { n, mean, variance: n > 1 ? Math.max(0, (squares - n * mean * mean) / (n - 1)) : 0 }
}

/**
 * Welch's 95 % interval for the difference of two means, b − a, with Welch–Satterthwaite degrees of freedom (Welch
 * 1947, Biometrika 34:28). Null if a side has fewer than two values, because it has no variance.
 */
export function welch(a: Sample, b: Sample): Interval | null {
  if (a.n < 2 || b.n < 2) return null
  const va = a.variance / a.n
  const vb = b.variance / b.n
  const standardError = Math.sqrt(va + vb)
  const difference = b.mean - a.mean
  if (standardError === 0) return { low: difference, high: difference }
  const freedom = (va + vb) ** 2 / (va ** 2 / (a.n - 1) + vb ** 2 / (b.n - 1))
  const half = studentQuantile(0.975, freedom) * standardError
  return { low: difference - half, high: difference + half }
}

/**
 * Quantile of Student's t by Hill's expansion (Hill 1970, CACM Algorithm 396). Accurate to about four digits from
 * 2 degrees of freedom on; exact for 1 and 2.
 * @param p 0.5 to 1
 * @param freedom degrees of freedom, at least 1, may be fractional
 */
export function studentQuantile(p: number, freedom: number): number {
  const tail = 2 * (1 - p)
  if (freedom < 1.5) return 1 / Math.tan((tail * Math.PI) / 2)
  if (freedom === 2) return Math.sqrt(2 / (tail * (2 - tail)) - 2)
  const a = 1 / (freedom - 0.5)
  const b = 48 / (a * a)
  let c = (((20700 * a) / b - 98) * a - 16) * a + 96.36
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * freedom
  let x = d * tail
  let y = x ** (2 / freedom)
  if (y > 0.05 + a) {
    x = normalQuantile(tail / 2)
    y = x * x
    if (freedom < 5) c += 0.3 * (freedom - 4.5) * (x + 0.6)
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    y = Math.expm1(a * y * y)
  } else {
    y =
      ((1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y - 1) *
        ((freedom + 1) / (freedom + 2)) +
      1 / y
  }
  return Math.sqrt(freedom * y)
}

/** Quantile of the standard normal distribution (Acklam's rational approximation, relative error under 1.15e-9). */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY
  if (p >= 1) return Number.POSITIVE_INFINITY
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ]
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1]
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1]
  const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, k) => sum * x + k, 0)
  const low = 0.02425
  if (p < low || p > 1 - low) {
    const q = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)))
    const x = polynomial(c, q) / polynomial(d, q)
    return p < low ? x : -x
  }
  const q = p - 0.5
  const r = q * q
  return (polynomial(a, r) * q) / polynomial(b, r)
}

/** Distribution function of the standard normal (Abramowitz & Stegun 7.1.26 applied to erfc, absolute error under 1.5e-7). */
export function normalCumulative(x: number): number {
  const t = 1 / (1 + 0.3275911 * (Math.abs(x) / Math.SQRT2))
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
  const upper = 0.5 * series * Math.exp((-x * x) / 2)
  return x > 0 ? 1 - upper : upper
}

/**
 * Two-sided p-value: the probability that an even split of `nA + nB` units is at least this uneven (χ² with one degree
 * of freedom). Below 0.001, the assignment itself is suspect: a sample-ratio mismatch (Fabijan et al. 2019, KDD).
 */
export function sampleRatioPValue(nA: number, nB: number): number {
  const n = nA + nB
  if (n === 0) return 1
  return 2 * (1 - normalCumulative(Math.abs(nA - nB) / Math.sqrt(n)))
}

/**
 * The smallest true difference of two proportions that samples of this size can detect with power 0.8 at level 0.05, at
 * the pooled rate (Fleiss, Levin & Paik 2003, ch. 4, normal approximation). Null without observations on both sides.
 */
export function minimumDetectableEffect(pooled: number, nA: number, nB: number): number | null {
  if (nA < 1 || nB < 1) return null
  const spread = Math.sqrt(Math.max(pooled * (1 - pooled), 1 / (nA + nB)) * (1 / nA + 1 / nB))
  return Math.min(1, (Z95 + 0.8416212335729143) * spread)
}
