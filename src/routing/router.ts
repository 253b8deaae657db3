/**
 * The learned router: for the local and the remote model, the probability of success at a query, learned from outcomes
 * of earlier queries. Pure and deterministic: training on the same examples gives the same router.
 * @module
 */

import { logistic } from '../statistics.ts'
import { addRow, COLUMNS, dot, learnScale, type Row, type Scale, toRow } from './design.ts'
import { type QueryVector, queryVector } from './features.ts'
import { type Backend, betaEstimate, type SuccessEstimate } from './model-choice.ts'
import { type Calibration, calibrate, fitRidge, PENALTY } from './ridge.ts'
import { spectrumOf } from './threshold.ts'

/** A query with the outcome of one model's answer. */
export interface Example {
  readonly query: string
  readonly backend: Backend
  /** 1 success, ½ partial, 0 failure. */
  readonly outcome: number
}

/** The learned state for one model. */
export interface Side {
  /** Number of training examples. */
  readonly examples: number
  /** Sum of their outcomes. */
  readonly successes: number
  /** Share of successes, shrunk slightly towards one half. */
  readonly mean: number
  readonly calibration: Calibration
  /** Mean squared error on held-out examples. */
  readonly noise: number
  /** Mean squared error if every query is predicted with the mean. */
  readonly spread: number
  /** Quantiles of the probabilities on held-out examples; see threshold.ts. */
  readonly spectrum: readonly number[]
  readonly weights: Float32Array
  /** 1 / (penalty + sum of squares over the examples) of each column: large for rarely seen columns. */
  readonly novelty: Float32Array
}

export interface Router {
  readonly scale: Scale
  readonly sides: Readonly<Record<Backend, Side | null>>
}

/** The router's estimates for a query. */
export interface Estimates {
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  /** The remote model's probability of success minus the local one's. */
  readonly gain: number
}

/** Number of folds for calibration on held-out examples. */
const FOLDS = 3
/** With fewer examples of a model, only its base rate is used. */
export const MIN_EXAMPLES = 30
/** Normal quantile of the central 90 %. */
const Z90 = 1.645

/** Trains on examples. A model with too few examples gets no side of its own. */
export function trainRouter(examples: readonly Example[]): Router {
  const vectors = new Map<string, QueryVector>()
  for (const { query } of examples) if (!vectors.has(query)) vectors.set(query, queryVector(query))
  const scale = learnScale([...vectors.values()])
  const rows = new Map<string, Row>()
  for (const [query, vector] of vectors) {
    rows.set(query, toRow(vector, scale))
    // A row contains the needed part of its vector. Keeping both for all queries would take half as much memory again.
    vectors.delete(query)
  }
  const side = (backend: Backend): Side | null => {
    const own = examples.filter((example) => example.backend === backend)
    if (own.length < MIN_EXAMPLES) return null
    return trainSide(
      own.map(({ query }) => rows.get(query) as Row),
      Float64Array.from(own, ({ outcome }) => outcome),
      foldsOf(own.map(({ query }) => query)),
    )
  }
  return { scale, sides: { local: side('local'), remote: side('remote') } }
}

/**
 * Assigns examples to folds by their query, so that no query is both trained on and held out: repetitions, even with
 * different case or white space, are always in the same fold.
 * @returns the fold of each example, 0 to FOLDS − 1
 */
export function foldsOf(queries: readonly string[]): Uint8Array {
  const numbers = new Map<string, number>()
  return Uint8Array.from(queries, (query) => {
    const key = query.toLowerCase().replace(/\s+/g, ' ').trim()
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number % FOLDS
  })
}

function trainSide(rows: readonly Row[], outcomes: Float64Array, folds: Uint8Array): Side {
  const successes = outcomes.reduce((sum, outcome) => sum + outcome, 0)
  const mean = (successes + 1) / (rows.length + 2)
  const heldOut = new Float64Array(rows.length)
  for (let fold = 0; fold < FOLDS; fold++) {
    const training = rows.map((_, i) => i).filter((i) => folds[i] !== fold)
    const weights = fitRidge(
      training.map((i) => rows[i] as Row),
      Float64Array.from(training, (i) => (outcomes[i] as number) - mean),
    )
    for (const [i, row] of rows.entries()) if (folds[i] === fold) heldOut[i] = dot(row, weights)
  }
  const calibration = calibrate(heldOut, outcomes, mean)
  let squares = 0
  for (const [i, output] of heldOut.entries()) {
    squares += ((outcomes[i] as number) - logistic(calibration.offset + calibration.slope * output)) ** 2
  }
  const seen = new Float64Array(COLUMNS)
  for (const row of rows) addRow(row, 1, seen, 2)
  const weights = fitRidge(
    rows,
    outcomes.map((outcome) => outcome - mean),
  )
  return {
    examples: rows.length,
    successes,
    mean,
    calibration,
    noise: squares / rows.length,
    spectrum: spectrumOf(heldOut.map((output) => logistic(calibration.offset + calibration.slope * output))),
    spread: outcomes.reduce((sum, outcome) => sum + (outcome - mean) ** 2, 0) / rows.length,
    weights: Float32Array.from(weights),
    novelty: Float32Array.from(seen, (squares) => 1 / (PENALTY + squares)),
  }
}

/**
 * The router's estimates for a query. Without a router, or for a model with few outcomes: the base rate with its
 * interval.
 */
export function estimate(router: Router | null, query: string, counts: Readonly<Record<Backend, BaseRate>>): Estimates {
  const row = router ? toRow(queryVector(query), router.scale) : null
  const of = (backend: Backend): SuccessEstimate => {
    const side = router?.sides[backend] ?? null
    return row && side ? estimateSide(side, row) : betaEstimate(counts[backend])
  }
  const [local, remote] = [of('local'), of('remote')]
  return { local, remote, gain: remote.probability - local.probability }
}

/** Outcomes of a model, independent of the query. */
export interface BaseRate {
  readonly success: number
  readonly partial: number
  readonly failure: number
}

/**
 * Probability of success with its central 90 % interval. The width comes from the diagonal of the posterior precision
 * of the weights (the data plus the penalty) and from the error of the base rate, so a query unlike all seen ones gets
 * a wide interval (Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling", algorithm 3).
 */
function estimateSide(side: Side, row: Row): SuccessEstimate {
  const { offset, slope } = side.calibration
  const logOdds = offset + slope * dot(row, side.weights)
  const deviation = slope * Math.sqrt(side.noise * (dot(row, side.novelty, 2) + 1 / side.examples))
  return {
    probability: logistic(logOdds),
    low: logistic(logOdds - Z90 * deviation),
    high: logistic(logOdds + Z90 * deviation),
    outcomes: side.examples,
    cold_start: false,
  }
}
