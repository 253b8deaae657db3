/**
 * Learns a ranking of candidates from what came of answers. Pure functions.
 *
 * The chance that candidate i is what a query needs is softmax(scale · base + θ · x)ᵢ, where base is the log-odds that fusion
 * gives it and x its features. That an answer succeeds and rests on the items W out of k that were shown has probability
 * δ + (1 − ε − δ) · Σ_W of these chances, δ = ε · |W| / k: a share ε of the outcomes is reported wrong, and a wrong success may
 * name any items. θ has a normal prior of mean 0, so without outcomes nothing changes.
 *
 * How much of θ is used is decided by cross-validation over queries: the share of it under which outcomes of queries that a fit has
 * not seen are likeliest, less a standard error. None is used when no share makes them likelier by more than that.
 * @module
 */
import { fnv1a } from '../../hash.ts'
import { CALLER_CAP } from '../credit.ts'
import type { Features, Weights } from './features.ts'
import { minimise } from './minimise.ts'

/** Share of outcomes that are taken to be reported wrong, ε. */
export const WRONG = 0.25
/** Correlation of the outcomes of one query: so many of them count as (1 + (n − 1)ρ)⁻¹ · n independent ones (Kish 1965, design effect). */
const CORRELATION = 0.4
/** No caller has more than this share of the votes, unless all of its votes are no more than CALLER_CAP. */
const CALLER_SHARE = 0.25
const FOLDS = 4
/** Fewer queries teach nothing. */
export const MIN_QUERIES = 24
/** Standard errors by which the held-out likelihood must be better. */
export const MIN_GAIN = 1
/** Shares of the fitted weights that may be used. */
const SHARES = [0.25, 0.5, 0.75, 1]
const ITERATIONS = 40
/** Precision of the prior of ln(scale) around 0. */
const SCALE_PRECISION = 4
/** Weights nearer to 0 are left out of the model, and so are all beyond so many. */
const MIN_WEIGHT = 0.01
const MAX_WEIGHTS = 6_000

/** What was said of an answer: the candidates that it rests on (by position), by whom, and how well it went (0 to 1). */
export interface Vote {
  readonly items: readonly number[]
  /** How many were shown, at least as many. */
  readonly shown: number
  readonly caller: string
  readonly success: number
  /** Less than 1 for items that nobody had been shown; missing: 1. */
  readonly weight?: number
}

/** A query with its candidates and what came of its answers. */
export interface RankedQuery {
  readonly query: string
  readonly candidates: readonly { readonly base: number; readonly features: Features }[]
  readonly votes: readonly Vote[]
}

export interface RankingModel {
  readonly weights: Weights
  readonly queries: number
  readonly votes: number
  /** Held-out log-likelihood a query, with less without; in its standard errors it must reach MIN_GAIN. */
  readonly gain: number
  readonly standardErrors: number
  /** Whether the weights may be used. */
  readonly accepted: boolean
}

/** One query ready for fitting: sparse rows of features, and votes on the same items taken together. */
interface Prepared {
  readonly base: Float64Array
  readonly offsets: Uint32Array
  readonly indices: Uint32Array
  readonly values: Float32Array
  readonly votes: { readonly items: readonly number[]; readonly wrong: number; success: number; failure: number }[]
}

/** Learns from queries and their votes. The same input gives the same model. */
export function trainRanking(queries: readonly RankedQuery[]): RankingModel {
  const usable = queries.filter(({ candidates, votes }) => candidates.length > 1 && votes.length > 0)
  const votes = usable.reduce((sum, query) => sum + query.votes.length, 0)
  const none = { weights: new Map(), queries: usable.length, votes, gain: 0, standardErrors: 0, accepted: false }
  if (usable.length < MIN_QUERIES) return none
  const { keys, prepared } = prepare(usable)
  const gains = SHARES.map((): number[] => [])
  for (let fold = 0; fold < FOLDS; fold++) {
    const seen = prepared.filter((_, i) => foldOf(usable[i]?.query ?? '') !== fold)
    const unseen = prepared.filter((_, i) => foldOf(usable[i]?.query ?? '') === fold)
    if (seen.length === 0 || unseen.length === 0) continue
    const learnt = fitWeights(seen, keys.length)
    const plain = fitWeights(seen, 0)
    const without = unseen.map((query) => loss(query, plain, null))
    for (const [at, share] of SHARES.entries()) {
      const point = shareOf(learnt, plain, share)
      unseen.forEach((query, i) => {
        gains[at]?.push((without[i] ?? 0) - loss(query, point, null))
      })
    }
  }
  const [best] = SHARES.map((share, at) => ({ share, ...gainOf(gains[at] ?? []) })).sort(
    (a, b) => b.gain - b.error - (a.gain - a.error),
  )
  if (!best) return none
  const { share, gain, error } = best
  const standardErrors = error > 0 ? gain / error : 0
  const accepted = standardErrors >= MIN_GAIN
  const weights = accepted
    ? weightsOf(shareOf(fitWeights(prepared, keys.length), fitWeights(prepared, 0), share), keys)
    : new Map()
  return { ...none, gain, standardErrors, accepted, weights }
}

/** A share of what was learnt, between no weights with their own scale and all of them with theirs. */
function shareOf(learnt: Float64Array, plain: Float64Array, share: number): Float64Array {
  return learnt.map((value, i) => share * value + (1 - share) * (plain[i] ?? 0))
}

/** Mean gain a query and its standard error. */
function gainOf(gains: readonly number[]): { gain: number; error: number } {
  const gain = gains.reduce((sum, value) => sum + value, 0) / Math.max(1, gains.length)
  const variance = gains.reduce((sum, value) => sum + (value - gain) ** 2, 0) / Math.max(1, gains.length - 1)
  return { gain, error: Math.sqrt(variance / Math.max(1, gains.length)) }
}

/** Weights on fusion's own scale, the greatest first. */
function weightsOf(point: Float64Array, keys: readonly number[]): Weights {
  const scale = Math.exp(point[0] ?? 0)
  return new Map(
    keys
      .map((key, i): [number, number] => [key, Math.round((1e4 * (point[i + 1] ?? 0)) / scale) / 1e4])
      .filter(([, weight]) => Math.abs(weight) >= MIN_WEIGHT)
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || a[0] - b[0])
      .slice(0, MAX_WEIGHTS),
  )
}

/** ln(scale), then the weights. `features` 0: the scale alone. */
function fitWeights(queries: readonly Prepared[], features: number): Float64Array {
  return minimise(
    (point, gradient) => {
      gradient.fill(0)
      const logScale = point[0] ?? 0
      let value = (SCALE_PRECISION / 2) * logScale ** 2
      gradient[0] = SCALE_PRECISION * logScale
      for (let i = 1; i < point.length; i++) {
        const weight = point[i] ?? 0
        value += (weight * weight) / 2
        gradient[i] = weight
      }
      for (const query of queries) value += loss(query, point, gradient)
      return value
    },
    new Float64Array(features + 1),
    ITERATIONS,
  )
}

/** Scores of the candidates before the softmax. */
function scoresOf({ base, offsets, indices, values }: Prepared, point: Float64Array): Float64Array {
  const scale = Math.exp(point[0] ?? 0)
  const learnt = point.length > 1
  return base.map((value, i) => {
    let score = scale * value
    if (learnt) {
      for (let at = offsets[i] ?? 0; at < (offsets[i + 1] ?? 0); at++) {
        score += (values[at] ?? 0) * (point[(indices[at] ?? 0) + 1] ?? 0)
      }
    }
    return score
  })
}

/** Minus the log-likelihood of a query's votes; adds its gradient when one is wanted. */
function loss(query: Prepared, point: Float64Array, gradient: Float64Array | null): number {
  const { base, offsets, indices, values, votes } = query
  const scale = Math.exp(point[0] ?? 0)
  const learnt = point.length > 1
  const scores = scoresOf(query, point)
  const best = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
  const chances = scores.map((score) => Math.exp(score - best))
  const total = chances.reduce((sum, chance) => sum + chance, 0)
  for (let i = 0; i < chances.length; i++) chances[i] = (chances[i] ?? 0) / total
  let value = 0
  const slopes = gradient ? new Float64Array(base.length) : null
  for (const { items, wrong, success, failure } of votes) {
    const share = items.reduce((sum, i) => sum + (chances[i] ?? 0), 0)
    const chance = wrong + (1 - WRONG - wrong) * share
    value -= success * Math.log(chance) + failure * Math.log(1 - chance)
    if (!slopes) continue
    const slope = (failure / (1 - chance) - success / chance) * (1 - WRONG - wrong)
    for (let i = 0; i < slopes.length; i++) slopes[i] = (slopes[i] ?? 0) - slope * (chances[i] ?? 0) * share
    for (const i of items) slopes[i] = (slopes[i] ?? 0) + slope * (chances[i] ?? 0)
  }
  if (!gradient || !slopes) return value
  for (let i = 0; i < slopes.length; i++) {
    const slope = slopes[i] ?? 0
    gradient[0] = (gradient[0] ?? 0) + slope * scale * (base[i] ?? 0)
    if (!learnt) continue
    for (let at = offsets[i] ?? 0; at < (offsets[i + 1] ?? 0); at++) {
      const to = (indices[at] ?? 0) + 1
      gradient[to] = (gradient[to] ?? 0) + slope * (values[at] ?? 0)
    }
  }
  return value
}

function prepare(queries: readonly RankedQuery[]): { keys: number[]; prepared: Prepared[] } {
  const places = new Map<number, number>()
  const share = callerShares(queries)
  const prepared = queries.map(({ candidates, votes }): Prepared => {
    const offsets = new Uint32Array(candidates.length + 1)
    const indices: number[] = []
    const values: number[] = []
    for (const [i, { features }] of candidates.entries()) {
      features.keys.forEach((key, at) => {
        const place = places.get(key) ?? places.size
        if (place === places.size) places.set(key, place)
        indices.push(place)
        values.push(features.values[at] ?? 0)
      })
      offsets[i + 1] = indices.length
    }
    // What differs in no candidate can't order them; the mean is taken off the base for the scale's sake.
    const mean = candidates.reduce((sum, { base }) => sum + base, 0) / candidates.length
    const design = 1 / (1 + CORRELATION * (votes.length - 1))
    const together = new Map<string, Prepared['votes'][number]>()
    for (const { items, shown, caller, success, weight: own = 1 } of votes) {
      const key = `${items.join()}/${shown}`
      const wrong = (WRONG * items.length) / Math.max(shown, items.length)
      const sums = together.get(key) ?? { items, wrong, success: 0, failure: 0 }
      together.set(key, sums)
      const weight = own * design * (share.get(caller) ?? 1)
      sums.success += weight * success
      sums.failure += weight * (1 - success)
    }
    return {
      base: Float64Array.from(candidates, ({ base }) => base - mean),
      offsets,
      indices: Uint32Array.from(indices),
      values: Float32Array.from(values),
      votes: [...together.values()],
    }
  })
  return { keys: [...places.keys()], prepared }
}

/** By how much each caller's votes are scaled down. */
function callerShares(queries: readonly RankedQuery[]): Map<string, number> {
  const counts = new Map<string, number>()
  let total = 0
  for (const { votes } of queries) {
    for (const { caller } of votes) {
      counts.set(caller, (counts.get(caller) ?? 0) + 1)
      total++
    }
  }
  // Where only a few call at all, each has an equal share.
  const cap = Math.max(CALLER_CAP, Math.max(CALLER_SHARE, 1 / counts.size) * total)
  return new Map([...counts].map(([caller, count]) => [caller, Math.min(1, cap / count)]))
}

/** Fold of a query, from its text alone (32-bit FNV-1a). */
function foldOf(query: string): number {
  const hash = fnv1a(query)
  return ((hash >>> 16) ^ hash) & (FOLDS - 1)
}
