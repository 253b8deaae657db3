/**
 * Ridge regression on rows with many columns, and the calibration of its output to a probability. Pure.
 * @module
 */
import { addRow, COLUMNS, dot, type Row } from './design.ts'

/** Strength of the penalty on weights. Chosen on shared evaluation rows; see the routing evaluation. */
export const PENALTY = 40
/** The solver stops when the residual falls to this share of its start value, or after the maximum number of steps. */
const TOLERANCE = 1e-3
const STEPS = 60

/**
 * Weights that minimise Σ (y − w·x)² + penalty · |w|², by conjugate gradients on the normal equations (Björck 1996,
 * "Numerical Methods for Least Squares Problems", algorithm 7.4.1, CGLS with a shift).
 * @param targets one per row, centred by the caller
 */
export function fitRidge(rows: readonly Row[], targets: Float64Array, penalty = PENALTY): Float64Array {
  const weights = new Float64Array(COLUMNS)
  const residual = Float64Array.from(targets)
  const gradient = new Float64Array(COLUMNS)
  for (const [i, row] of rows.entries()) addRow(row, residual[i] ?? 0, gradient)
  const direction = Float64Array.from(gradient)
  let size = squaredLength(gradient)
  const enough = size * TOLERANCE * TOLERANCE
  const image = new Float64Array(rows.length)
  for (let step = 0; step < STEPS && size > enough && size > 0; step++) {
    let curvature = penalty * squaredLength(direction)
    for (const [i, row] of rows.entries()) {
      const value = dot(row, direction)
      image[i] = value
      curvature += value * value
    }
    const length = size / curvature
    for (let j = 0; j < COLUMNS; j++) weights[j] = (weights[j] as number) + length * (direction[j] as number)
    gradient.fill(0)
    for (const [i, row] of rows.entries()) {
      residual[i] = (residual[i] as number) - length * (image[i] as number)
      addRow(row, residual[i] as number, gradient)
    }
    for (let j = 0; j < COLUMNS; j++) gradient[j] = (gradient[j] as number) - penalty * (weights[j] as number)
    const next = squaredLength(gradient)
    const ratio = next / size
    for (let j = 0; j < COLUMNS; j++) direction[j] = (gradient[j] as number) + ratio * (direction[j] as number)
    size = next
  }
  return weights
}

function squaredLength(vector: Float64Array): number {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) * (vector[i] as number)
  return sum
}

/** Maps a regression output to a probability: logistic(offset + slope · output). */
export interface Calibration {
  readonly offset: number
  readonly slope: number
}

/** Standard deviation of the prior of the relative slope, whose mean is 1. */
const SLOPE_DEVIATION = 0.3

/**
 * Calibration by maximum a posteriori logistic regression of outcomes on outputs for held-out rows (Platt 1999). The
 * slope's prior is normal around the slope of a linear probability model at the mean, so that a few noisy rows can
 * neither reverse nor exaggerate it. Uses Newton's method.
 * @param outputs deviations from the mean
 * @param mean base rate, between 0 and 1
 */
export function calibrate(outputs: Float64Array, outcomes: Float64Array, mean: number): Calibration {
  const natural = 1 / (mean * (1 - mean))
  const precision = 1 / SLOPE_DEVIATION ** 2
  let offset = Math.log(mean / (1 - mean))
  let relative = 1
  for (let step = 0; step < 25; step++) {
    let g0 = 0
    let g1 = -precision * (relative - 1)
    let h00 = 1e-6
    let h01 = 0
    let h11 = precision
    for (const [i, output] of outputs.entries()) {
      const x = natural * output
      const p = 1 / (1 + Math.exp(-(offset + relative * x)))
      const error = (outcomes[i] ?? 0) - p
      const weight = p * (1 - p)
      g0 += error
      g1 += error * x
      h00 += weight
      h01 += weight * x
      h11 += weight * x * x
    }
    const determinant = h00 * h11 - h01 * h01
    const moved0 = clamp((h11 * g0 - h01 * g1) / determinant)
    const moved1 = clamp((h00 * g1 - h01 * g0) / determinant)
    offset += moved0
    relative += moved1
    if (Math.abs(moved0) + Math.abs(moved1) < 1e-9) break
  }
  return { offset, slope: Math.max(0, relative) * natural }
}

function clamp(step: number): number {
  return Math.max(-1, Math.min(1, step))
}
