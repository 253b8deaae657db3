/**
 * Converts query vectors to the columns of a linear model: hashed text, each measure in bins, every pair of binned
 * measures, and the measures themselves. Pairs of bins let a linear model represent interactions like a tree. Pure.
 *
 * Columns, in order: text slots; 8 bins per measure; 64 bin pairs for each pair of measures; one column per measure.
 * @module
 */
import { MEASURES, type QueryVector, TEXT_SLOTS } from './features.ts'

const COUNT = MEASURES.length
export const BINS = 8
const PAIRS = (COUNT * (COUNT - 1)) / 2
const MAIN_AT = TEXT_SLOTS
const PAIRS_AT = MAIN_AT + COUNT * BINS
const LINEAR_AT = PAIRS_AT + PAIRS * BINS * BINS
/** Columns in all. */
export const COLUMNS = LINEAR_AT + COUNT

/** Value of a bin or pair column, so that a query's bins and pairs together have length 1. */
const BIN_VALUE = 1 / Math.sqrt(COUNT + PAIRS)
/** Weight of the standardised measures relative to the other columns. */
const LINEAR_VALUE = 0.05
/** Standardised measures are clipped at this value. */
const MAX_DEVIATION = 3

/** The bin boundaries, mean and deviation of each measure, learned from the training queries. */
export interface Scale {
  /** BINS − 1 boundaries per measure, ascending. */
  readonly ends: number[][]
  readonly means: number[]
  readonly deviations: number[]
}

/** One query as a row of the linear model. The pair columns are computed on demand. */
export interface Row {
  readonly slots: Uint16Array
  readonly values: Float32Array
  readonly bins: Uint8Array
  readonly linear: Float32Array
}

/**
 * Learns bins of equal frequency and the standardisation from training queries. An empty list gives a scale that
 * doesn't distinguish queries.
 */
export function learnScale(queries: readonly { readonly measures: Float32Array }[]): Scale {
  const scale: Scale = { ends: [], means: [], deviations: [] }
  for (let m = 0; m < COUNT; m++) {
    const values = Float64Array.from(queries, ({ measures }) => measures[m] ?? 0).sort()
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length)
    scale.means.push(mean)
    scale.deviations.push(Math.sqrt(variance) || 1)
    const ends = Array.from({ length: BINS - 1 }, (_, k) => quantile(values, (k + 1) / BINS))
    scale.ends.push(ends)
  }
  return scale
}

/** Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * Math.max(0, sorted.length - 1)
  const below = sorted[Math.floor(at)] ?? 0
  const above = sorted[Math.ceil(at)] ?? below
  return below + (above - below) * (at - Math.floor(at))
}

/** Converts a query to a row with a scale. */
export function toRow({ slots, values, measures }: QueryVector, scale: Scale): Row {
  const bins = new Uint8Array(COUNT)
  const linear = new Float32Array(COUNT)
  for (let m = 0; m < COUNT; m++) {
    const value = measures[m] ?? 0
    const ends = scale.ends[m] ?? []
    let bin = 0
    for (let k = 0; k < ends.length; k++) if (value > (ends[k] ?? 0) && ends[k] !== ends[k - 1]) bin++
    bins[m] = bin
    const deviation = (value - (scale.means[m] ?? 0)) / (scale.deviations[m] ?? 1)
    linear[m] = LINEAR_VALUE * Math.max(-MAX_DEVIATION, Math.min(MAX_DEVIATION, deviation))
  }
  return { slots, values, bins, linear }
}

/** Product of a row, each column raised to `power` (1 or 2), and a vector of COLUMNS numbers. */
export function dot({ slots, values, bins, linear }: Row, w: Float64Array | Float32Array, power: 1 | 2 = 1): number {
  let sum = 0
  for (let i = 0; i < slots.length; i++) {
    const value = values[i] as number
    sum += (w[slots[i] as number] as number) * (power === 2 ? value * value : value)
  }
  let binned = 0
  let at = PAIRS_AT
  for (let m = 0; m < COUNT; m++) {
    const bin = bins[m] as number
    binned += w[MAIN_AT + m * BINS + bin] as number
    for (let other = 0; other < m; other++, at += BINS * BINS) {
      binned += w[at + bin * BINS + (bins[other] as number)] as number
    }
    const value = linear[m] as number
    sum += (w[LINEAR_AT + m] as number) * (power === 2 ? value * value : value)
  }
  return sum + BIN_VALUE ** power * binned
}

/** Adds `amount` times a row, each column raised to `power` (1 or 2), to a vector of COLUMNS numbers. */
export function addRow({ slots, values, bins, linear }: Row, amount: number, to: Float64Array, power: 1 | 2 = 1): void {
  for (let i = 0; i < slots.length; i++) {
    const value = values[i] as number
    to[slots[i] as number] = (to[slots[i] as number] as number) + amount * (power === 2 ? value * value : value)
  }
  const binned = amount * BIN_VALUE ** power
  let at = PAIRS_AT
  for (let m = 0; m < COUNT; m++) {
    const bin = bins[m] as number
    const main = MAIN_AT + m * BINS + bin
    to[main] = (to[main] as number) + binned
    for (let other = 0; other < m; other++, at += BINS * BINS) {
      const pair = at + bin * BINS + (bins[other] as number)
      to[pair] = (to[pair] as number) + binned
    }
    const value = linear[m] as number
    to[LINEAR_AT + m] = (to[LINEAR_AT + m] as number) + amount * (power === 2 ? value * value : value)
  }
}
