/**
 * Learns a ranking of candidates from what came of answers, by the likelihood of likelihood.ts. Pure functions.
 *
 * Two things are learnt: what earlier questions needed, with two weights (needs.ts), and weights θ of words (features.ts). θ has a
 * normal prior of mean 0, so without outcomes nothing changes.
 *
 * How much of both is used is decided by cross-validation over queries: the part under which outcomes of queries that a fit has
 * not seen are likeliest, less a standard error. None is used when no part makes them likelier by more than that.
 * @module
 */
import { fnv1a } from '../../hash.ts'
import type { Weights } from './features.ts'
import { type Example, loss, POINT, type PreparedQuery, prepare, type RankedQuery } from './likelihood.ts'
import { minimise } from './minimise.ts'
import { type Needs, needFeatures, similarity } from './needs.ts'

export type { RankedQuery, Vote } from './likelihood.ts'

const FOLDS = 4
/**
 * Features of all candidates together that a training is given at most, some 400 questions about code: memory and CPU grow with them
 * (test/ranking/training-bounds.node.test.ts).
 */
export const MAX_FEATURES = 1_500_000
/** Fewer queries teach nothing. */
export const MIN_QUERIES = 24
/** Standard errors by which the held-out likelihood must be better. */
export const MIN_GAIN = 1
/** Shares of the fitted weights of words that may be used. */
const SHARES = [0, 0.25, 0.5, 0.75, 1]
const ITERATIONS = 40
/** Precision of the prior of ln(scale) around 0. */
const SCALE_PRECISION = 4
/**
 * Prior of the weights of what earlier questions needed: mean and precision. Chosen on subjects of commits of five repositories that no
 * evaluation uses.
 */
const NEEDS_MEAN = { usual: 0.3, near: 0.5 } as const
const NEEDS_PRECISION = 3
/** Weights nearer to 0 are left out of the model, and so are all beyond so many. */
const MIN_WEIGHT = 0.01
const MAX_WEIGHTS = 6_000

export interface RankingModel {
  readonly weights: Weights
  /** What earlier questions needed; null: that does not help. */
  readonly needs: Needs | null
  readonly queries: number
  readonly votes: number
  /** Held-out log-likelihood a query, with less without; in its standard errors it must reach MIN_GAIN. */
  readonly gain: number
  readonly standardErrors: number
  /** Whether the model may be used. */
  readonly accepted: boolean
}

/**
 * Learns from queries and their votes. The same input gives the same model.
 * @param space name of the embedding space of the queries' vectors
 */
export function trainRanking(queries: readonly RankedQuery[], space = ''): RankingModel {
  const usable = queries.filter(({ candidates, votes }) => candidates.length > 1 && votes.length > 0)
  const votes = usable.reduce((sum, query) => sum + query.votes.length, 0)
  const none: RankingModel = {
    weights: new Map(),
    needs: null,
    queries: usable.length,
    votes,
    gain: 0,
    standardErrors: 0,
    accepted: false,
  }
  if (usable.length < MIN_QUERIES) return none
  const { keys, prepared } = prepare(usable)
  const compare = similarities(prepared)
  const folds = foldsOf(prepared, compare)
  const plain = folds.map(({ seen }) => fitPoint(seen.plain, 0))
  const without = folds.flatMap(({ unseen }, i) => losses(unseen.plain, plain[i]))
  const gainsOf = (withIt: readonly number[]) => gainOf(withIt.map((value, i) => (without[i] ?? 0) - value))
  const needed = folds.map(({ seen }) => fitPoint(seen.needs, 0))
  const needGain = gainsOf(folds.flatMap(({ unseen }, i) => losses(unseen.needs, needed[i])))
  const uses: 'needs' | 'plain' = needGain.gain > needGain.error ? 'needs' : 'plain'
  const start = uses === 'needs' ? needed : plain
  const learnt = folds.map(({ seen }) => fitPoint(seen[uses], keys.length))
  const [best] = SHARES.map((share) => ({
    share,
    ...gainsOf(folds.flatMap(({ unseen }, i) => losses(unseen[uses], between(start[i], learnt[i], share)))),
  })).sort((a, b) => b.gain - b.error - (a.gain - a.error))
  if (!best) return none
  const { share, gain, error } = best
  const standardErrors = error > 0 ? gain / error : 0
  if (standardErrors < MIN_GAIN) return { ...none, gain, standardErrors }
  const all = examples(prepared, prepared, compare)[uses]
  const point = between(fitPoint(all, 0), share > 0 ? fitPoint(all, keys.length) : undefined, share)
  const scale = Math.exp(point[POINT.scale] ?? 0)
  const needs: Needs = {
    space,
    usual: rounded((point[POINT.usual] ?? 0) / scale),
    near: rounded((point[POINT.near] ?? 0) / scale),
    questions: prepared.map(({ vector, needs: own }) => ({ vector, needs: own })),
  }
  return {
    ...none,
    gain,
    standardErrors,
    accepted: true,
    weights: weightsOf(point, keys),
    needs: uses === 'needs' ? needs : null,
  }
}

/** The same queries without and with what others needed. */
interface Examples {
  readonly plain: readonly Example[]
  readonly needs: readonly Example[]
}

/** Kernel value of any two queries; the diagonal is 0, since no query tells what it needs itself. */
type Similarities = ReadonlyMap<PreparedQuery, ReadonlyMap<PreparedQuery, number>>

function similarities(queries: readonly PreparedQuery[]): Similarities {
  const rows = new Map(queries.map((query) => [query, new Map<PreparedQuery, number>()]))
  queries.forEach((a, i) => {
    for (const b of queries.slice(0, i)) {
      const value = similarity(a.vector, b.vector)
      rows.get(a)?.set(b, value)
      rows.get(b)?.set(a, value)
    }
  })
  return rows
}

/** Queries with what the others of `known` needed. */
function examples(queries: readonly PreparedQuery[], known: readonly PreparedQuery[], compare: Similarities): Examples {
  return {
    plain: queries.map((query) => ({ ...query, near: null })),
    needs: queries.map((query) => {
      const own = topicOf(query.query)
      const others = known.filter((other) => topicOf(other.query) !== own)
      const row = compare.get(query)
      const near = needFeatures(
        query.documents,
        others,
        others.map((other) => row?.get(other) ?? 0),
      )
      return { ...query, near }
    }),
  }
}

/** Each fold's unseen queries, with what the seen ones needed. */
function foldsOf(queries: readonly PreparedQuery[], compare: Similarities): { seen: Examples; unseen: Examples }[] {
  return Array.from({ length: FOLDS }, (_, fold) => {
    const seen = queries.filter(({ query }) => foldOf(query) !== fold)
    const unseen = queries.filter(({ query }) => foldOf(query) === fold)
    return { seen: examples(seen, seen, compare), unseen: examples(unseen, seen, compare) }
  }).filter(({ seen, unseen }) => seen.plain.length > 0 && unseen.plain.length > 0)
}

/**
 * The first line of a query: who asks again with more details asks the same. Such queries are in one fold, and none tells what the other
 * needs, since nothing of that bears on new questions.
 */
function topicOf(query: string): string {
  return (query.trimStart().split('\n', 1)[0] ?? '').trim().toLowerCase()
}

/** Fold of a query, from its text alone (32-bit FNV-1a). */
function foldOf(query: string): number {
  const hash = fnv1a(topicOf(query))
  return ((hash >>> 16) ^ hash) & (FOLDS - 1)
}

function losses(queries: readonly Example[], point: Float64Array | undefined): number[] {
  return point ? queries.map((query) => loss(query, point, null)) : []
}

/** A share of the way from one point to another that has more weights; those that the first has not are 0 in it. */
function between(from: Float64Array | undefined, to: Float64Array | undefined, share: number): Float64Array {
  const start = from ?? new Float64Array(POINT.features)
  return to && share > 0 ? to.map((value, i) => share * value + (1 - share) * (start[i] ?? 0)) : start
}

/** Mean gain a query and its standard error. */
function gainOf(gains: readonly number[]): { gain: number; error: number } {
  const gain = gains.reduce((sum, value) => sum + value, 0) / Math.max(1, gains.length)
  const variance = gains.reduce((sum, value) => sum + (value - gain) ** 2, 0) / Math.max(1, gains.length - 1)
  return { gain, error: Math.sqrt(variance / Math.max(1, gains.length)) }
}

/** Weights on fusion's own scale, the greatest first. */
function weightsOf(point: Float64Array, keys: readonly number[]): Weights {
  const scale = Math.exp(point[POINT.scale] ?? 0)
  return new Map(
    keys
      .map((key, i): [number, number] => [key, rounded((point[i + POINT.features] ?? 0) / scale)])
      .filter(([, weight]) => Math.abs(weight) >= MIN_WEIGHT)
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || a[0] - b[0])
      .slice(0, MAX_WEIGHTS),
  )
}

function rounded(weight: number): number {
  return Math.round(1e4 * weight) / 1e4
}

/** The likeliest point under the priors. `features` 0: no weights of words. */
function fitPoint(queries: readonly Example[], features: number): Float64Array {
  const start = new Float64Array(features + POINT.features)
  start[POINT.usual] = NEEDS_MEAN.usual
  start[POINT.near] = NEEDS_MEAN.near
  const mean = start.slice()
  const precisions = Float64Array.from(start, (_, i) =>
    i === POINT.scale ? SCALE_PRECISION : i < POINT.features ? NEEDS_PRECISION : 1,
  )
  return minimise(
    (point, gradient) => {
      let value = 0
      for (let i = 0; i < point.length; i++) {
        const off = (point[i] ?? 0) - (mean[i] ?? 0)
        const slope = (precisions[i] ?? 0) * off
        value += (slope * off) / 2
        gradient[i] = slope
      }
      for (const query of queries) value += loss(query, point, gradient)
      return value
    },
    start,
    ITERATIONS,
  )
}
