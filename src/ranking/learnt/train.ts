/**
 * Learns a ranking of candidates from the outcomes of answers, with the likelihood of likelihood.ts. Pure functions.
 *
 * Two things are learnt: the needs of earlier questions, with two weights (needs.ts), and weights θ of words
 * (features.ts). θ has a normal prior with mean 0, so without outcomes nothing changes.
 *
 * Cross-validation over queries decides how much of both is used: the simplest variant whose gain in held-out likelihood
 * is within one standard error of the best variant's (Breiman, Friedman, Olshen and Stone 1984, "Classification and
 * Regression Trees", section 3.4.3). Nothing is used if that variant gains less than MIN_GAIN standard errors.
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
 * Maximum number of features of all candidates in one training, about 400 questions about code. Memory and CPU grow
 * with it (test/ranking/training-bounds.node.test.ts).
 */
export const MAX_FEATURES = 1_500_000
/** Minimum number of queries for a training. */
export const MIN_QUERIES = 24
/** Minimum gain in held-out likelihood, in standard errors. */
export const MIN_GAIN = 1
/** The variants, simplest first: with or without the needs of earlier questions, and with a share of the word weights. */
const VARIANTS: readonly { readonly uses: 'plain' | 'needs'; readonly share: number }[] = [
  { uses: 'plain', share: 0 },
  { uses: 'needs', share: 0 },
  ...[0.25, 0.5, 0.75, 1].flatMap((share) => [
    { uses: 'needs' as const, share },
    { uses: 'plain' as const, share },
  ]),
]
const ITERATIONS = 40
/** Precision of the prior of ln(scale) around 0. */
const SCALE_PRECISION = 4
/**
 * Prior of the weights of earlier questions' needs: mean and precision. Chosen on commit subjects of five repositories
 * that no evaluation uses.
 */
const NEEDS_MEAN = { usual: 0.3, near: 0.5 } as const
const NEEDS_PRECISION = 3
/** Smaller weights, and weights beyond the maximum number, are left out of the model. */
const MIN_WEIGHT = 0.01
const MAX_WEIGHTS = 6_000

export interface RankingModel {
  readonly weights: Weights
  /** The needs of earlier questions; null: they don't improve the ranking. */
  readonly needs: Needs | null
  readonly queries: number
  readonly votes: number
  /**
   * Gain in held-out log-likelihood per query over the model without learning. It must reach MIN_GAIN standard errors.
   */
  readonly gain: number
  readonly standardErrors: number
  /** Whether the model may be used. */
  readonly accepted: boolean
}

/**
 * Learns from queries and their votes. Deterministic.
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
  const fits = (features: number) => ({
    plain: folds.map(({ seen }) => fitPoint(seen.plain, features)),
    needs: folds.map(({ seen }) => fitPoint(seen.needs, features)),
  })
  const [start, learnt] = [fits(0), fits(keys.length)]
  const lossesOf = ({ uses, share }: (typeof VARIANTS)[number]) =>
    folds.flatMap(({ unseen }, i) => losses(unseen[uses], between(start[uses][i], learnt[uses][i], share)))
  const without = lossesOf({ uses: 'plain', share: 0 })
  const tried = VARIANTS.map((variant) => ({
    ...variant,
    ...gainOf(lossesOf(variant).map((value, i) => (without[i] ?? 0) - value)),
  }))
  const best = simplestOfBest(tried)
  if (!best) return none
  const { uses, share, gain, error } = best
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

/**
 * The first variant whose gain is within one standard error of the best variant's. The best has the highest lower bound.
 */
function simplestOfBest<T extends { readonly gain: number; readonly error: number }>(
  tried: readonly T[],
): T | undefined {
  const [best] = [...tried].sort((a, b) => b.gain - b.error - (a.gain - a.error))
  return tried.find(({ gain }) => best && gain >= best.gain - best.error)
}

/** The same queries without and with the needs of other queries. */
interface Examples {
  readonly plain: readonly Example[]
  readonly needs: readonly Example[]
}

/** Kernel value of every pair of queries. The diagonal is 0, because a query is no evidence for its own needs. */
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

/** The given queries with the needs of the other queries in `known`. */
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

/** The unseen queries of each fold, with the needs of the seen ones. */
function foldsOf(queries: readonly PreparedQuery[], compare: Similarities): { seen: Examples; unseen: Examples }[] {
  return Array.from({ length: FOLDS }, (_, fold) => {
    const seen = queries.filter(({ query }) => foldOf(query) !== fold)
    const unseen = queries.filter(({ query }) => foldOf(query) === fold)
    return { seen: examples(seen, seen, compare), unseen: examples(unseen, seen, compare) }
  }).filter(({ seen, unseen }) => seen.plain.length > 0 && unseen.plain.length > 0)
}

/**
 * The first line of a query. Queries that repeat it with more details ask the same question: they are put in one fold,
 * and are not used as evidence for each other, because that would not transfer to new questions.
 */
function topicOf(query: string): string {
  return (query.trimStart().split('\n', 1)[0] ?? '').trim().toLowerCase()
}

/** Fold of a query, derived only from its text (32-bit FNV-1a). */
function foldOf(query: string): number {
  const hash = fnv1a(topicOf(query))
  return ((hash >>> 16) ^ hash) & (FOLDS - 1)
}

function losses(queries: readonly Example[], point: Float64Array | undefined): number[] {
  return point ? queries.map((query) => loss(query, point, null)) : []
}

/** Interpolates between a point and another one that has more weights. Weights missing in the first point are 0. */
function between(from: Float64Array | undefined, to: Float64Array | undefined, share: number): Float64Array {
  const start = from ?? new Float64Array(POINT.features)
  return to && share > 0 ? to.map((value, i) => share * value + (1 - share) * (start[i] ?? 0)) : start
}

/** Mean gain per query and its standard error. */
function gainOf(gains: readonly number[]): { gain: number; error: number } {
  const gain = gains.reduce((sum, value) => sum + value, 0) / Math.max(1, gains.length)
  const variance = gains.reduce((sum, value) => sum + (value - gain) ** 2, 0) / Math.max(1, gains.length - 1)
  return { gain, error: Math.sqrt(variance / Math.max(1, gains.length)) }
}

/** Weights on fusion's scale, greatest first. */
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

/** The most likely point under the priors. `features` 0: no word weights. */
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
