/**
 * The effect of showing an item, measured against randomised hold-outs. Pure functions.
 * @module
 */
import type { Exposure } from '../database/queries/statistics.ts'
import { type Interval, studentQuantile } from '../statistics.ts'

export interface Uplift {
  readonly shown: number
  readonly heldOut: number
  /** Success rate when shown minus success rate when held out, −1 to 1; null without observations on both sides. */
  readonly difference: number | null
  /** 95 %; null if a side has fewer than two observations. */
  readonly interval: Interval | null
}

/**
 * Difference of success rates by inverse-propensity weights, normalised on each side (Hájek 1971; Lunceford & Davidian
 * 2004, Statistics in Medicine 23:2937), so that draws with different probabilities can be combined without bias. The
 * interval adds one pseudo-success and one pseudo-failure to each side (Agresti & Caffo 2000, The American Statistician
 * 54:280), which keeps its coverage with few hold-outs, and uses Welch–Satterthwaite degrees of freedom.
 */
export function uplift(exposures: readonly Exposure[]): Uplift {
  const shown = side(exposures, true)
  const heldOut = side(exposures, false)
  const difference = shown.n > 0 && heldOut.n > 0 ? shown.mean - heldOut.mean : null
  return { shown: shown.n, heldOut: heldOut.n, difference, interval: intervalOf(shown, heldOut) }
}

interface Side {
  readonly n: number
  readonly mean: number
  /** Number of equally weighted observations with the same precision (Kish 1965). */
  readonly effective: number
}

function side(exposures: readonly Exposure[], shown: boolean): Side {
  let n = 0
  let weights = 0
  let squares = 0
  let sum = 0
  for (const exposure of exposures) {
    if (exposure.shown !== shown) continue
    const weight = 1 / (shown ? exposure.probability : 1 - exposure.probability)
    const count = exposure.count ?? 1
    n += count
    weights += count * weight
    squares += count * weight * weight
    sum += count * weight * exposure.success
  }
  return { n, mean: n > 0 ? sum / weights : 0, effective: n > 0 ? (weights * weights) / squares : 0 }
}

function intervalOf(shown: Side, heldOut: Side): Interval | null {
  if (shown.n < 2 || heldOut.n < 2) return null
  const [a, b] = [adjusted(shown), adjusted(heldOut)]
  const va = (a.mean * (1 - a.mean)) / a.n
  const vb = (b.mean * (1 - b.mean)) / b.n
  const freedom = (va + vb) ** 2 / (va ** 2 / (a.n - 1) + vb ** 2 / (b.n - 1))
  const half = studentQuantile(0.975, freedom) * Math.sqrt(va + vb)
  const difference = a.mean - b.mean
  return { low: Math.max(-1, difference - half), high: Math.min(1, difference + half) }
}

function adjusted({ mean, effective }: Side): { mean: number; n: number } {
  return { mean: (mean * effective + 1) / (effective + 2), n: effective + 2 }
}
