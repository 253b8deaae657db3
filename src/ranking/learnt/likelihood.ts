/**
 * The likelihood of outcomes of answers, given a ranking of candidates. Pure functions.
 *
 * The probability that a query needs candidate i is softmax(scale · base + β · n + θ · x)ᵢ, where base is fusion's
 * log-odds, n is the need of earlier questions (needs.ts) and x the features (features.ts). The probability that an
 * answer succeeds and is based on the items W out of k that were shown is δ + (1 − ε − δ) · Σ_W of these probabilities,
 * with δ = ε · |W| / k: a share ε of the outcomes is reported wrongly, and a wrong success may name any items.
 * @module
 */
import { CALLER_CAP } from '../credit.ts'
import type { Features } from './features.ts'
import { type EarlierQuestion, type NeedFeatures, needsOf, quantised } from './needs.ts'

/** Assumed share of outcomes that are reported wrongly, ε. */
export const WRONG = 0.25
/**
 * Correlation ρ of the outcomes of one query: n of them count as (1 + (n − 1)ρ)⁻¹ · n independent ones (Kish 1965,
 * design effect).
 */
const CORRELATION = 0.4
/** Maximum share of the votes of one caller, unless the caller has no more than CALLER_CAP votes. */
const CALLER_SHARE = 0.25
/** Rounds until the cap has converged; each round at least halves the distance. */
const CAP_ROUNDS = 40

/** The outcome of an answer: the candidates it is based on (by index), the caller, and the success (0 to 1). */
export interface Vote {
  readonly items: readonly number[]
  /** Number of items shown, as a lower bound. */
  readonly shown: number
  readonly caller: string
  readonly success: number
  /** Less than 1 for items that were not shown to the caller. Default: 1. */
  readonly weight?: number
}

/** A query with its candidates and the outcomes of its answers. */
export interface RankedQuery {
  readonly query: string
  /** Unit vector; null: none. */
  readonly vector: Float32Array | null
  /** `document`: hash of the document that the candidate belongs to. */
  readonly candidates: readonly { readonly base: number; readonly document: number; readonly features: Features }[]
  readonly votes: readonly Vote[]
}

/** One query prepared for fitting: sparse feature rows, and votes on the same items merged. */
export interface PreparedQuery extends EarlierQuestion {
  readonly query: string
  readonly documents: readonly number[]
  readonly base: Float64Array
  readonly offsets: Uint32Array
  readonly indices: Uint32Array
  readonly values: Float32Array
  readonly votes: readonly {
    readonly items: readonly number[]
    readonly wrong: number
    success: number
    failure: number
  }[]
}

/** A query with the needs of the other queries; null: needs are not used. */
export interface Example extends PreparedQuery {
  readonly near: NeedFeatures | null
}

/** Indices in a point: ln(scale), the weights of earlier questions' needs, then those of the features. */
export const POINT = { scale: 0, usual: 1, near: 2, features: 3 } as const

/** Scores of the candidates before the softmax. */
function scoresOf({ base, offsets, indices, values, near }: Example, point: Float64Array): Float64Array {
  const scale = Math.exp(point[POINT.scale] ?? 0)
  const [usual, similar] = [point[POINT.usual] ?? 0, point[POINT.near] ?? 0]
  const learnt = point.length > POINT.features
  return base.map((value, i) => {
    let score = scale * value
    if (near) score += usual * (near.usual[i] ?? 0) + similar * (near.near[i] ?? 0)
    if (learnt) {
      for (let at = offsets[i] ?? 0; at < (offsets[i + 1] ?? 0); at++) {
        score += (values[at] ?? 0) * (point[(indices[at] ?? 0) + POINT.features] ?? 0)
      }
    }
    return score
  })
}

/** Negative log-likelihood of a query's votes. Adds its gradient if one is given. */
export function loss(query: Example, point: Float64Array, gradient: Float64Array | null): number {
  const { base, offsets, indices, values, votes, near } = query
  const scale = Math.exp(point[POINT.scale] ?? 0)
  const learnt = point.length > POINT.features
  const chances = softmax(scoresOf(query, point))
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
  const add = (to: number, by: number) => {
    gradient[to] = (gradient[to] ?? 0) + by
  }
  for (let i = 0; i < slopes.length; i++) {
    const slope = slopes[i] ?? 0
    add(POINT.scale, slope * scale * (base[i] ?? 0))
    if (near) {
      add(POINT.usual, slope * (near.usual[i] ?? 0))
      add(POINT.near, slope * (near.near[i] ?? 0))
    }
    if (!learnt) continue
    for (let at = offsets[i] ?? 0; at < (offsets[i + 1] ?? 0); at++) {
      add((indices[at] ?? 0) + POINT.features, slope * (values[at] ?? 0))
    }
  }
  return value
}

function softmax(scores: Float64Array): Float64Array {
  const best = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
  const chances = scores.map((score) => Math.exp(score - best))
  const total = chances.reduce((sum, chance) => sum + chance, 0)
  return chances.map((chance) => chance / total)
}

/** The probability that the query needed each candidate, given its votes and fusion's order. */
function posterior(base: Float64Array, votes: PreparedQuery['votes']): Float64Array {
  const scores = base.slice()
  for (const { items, wrong, success, failure } of votes) {
    const named = success * Math.log(1 - WRONG) + failure * Math.log(WRONG)
    const other = success * Math.log(wrong) + failure * Math.log(1 - wrong)
    for (const i of items) scores[i] = (scores[i] ?? 0) + named - other
  }
  return softmax(scores)
}

/** Queries prepared for fitting, and the keys of their features. */
export function prepare(queries: readonly RankedQuery[]): { keys: number[]; prepared: PreparedQuery[] } {
  const places = new Map<number, number>()
  const share = callerShares(queries)
  const prepared = queries.map(({ query, vector, candidates, votes }): PreparedQuery => {
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
    // A feature that is equal in all candidates can't order them. The mean is subtracted from the base, because
    // the scale multiplies it.
    const mean = candidates.reduce((sum, { base }) => sum + base, 0) / candidates.length
    const base = Float64Array.from(candidates, (candidate) => candidate.base - mean)
    const together = votesTogether(votes, share)
    const documents = candidates.map(({ document }) => document)
    return {
      query,
      documents,
      vector: quantised(vector),
      needs: needsOf(documents, posterior(base, together)),
      base,
      offsets,
      indices: Uint32Array.from(indices),
      values: Float32Array.from(values),
      votes: together,
    }
  })
  return { keys: [...places.keys()], prepared }
}

/** Merges votes on the same items and weights each one. */
function votesTogether(votes: readonly Vote[], share: ReadonlyMap<string, number>): PreparedQuery['votes'] {
  const own = ownWeights(votes)
  const worth = votes.map(({ caller }, i) => (own[i] ?? 0) * (share.get(caller) ?? 1))
  const count = worth.reduce((sum, weight) => sum + weight, 0)
  const design = 1 / (1 + CORRELATION * Math.max(0, count - 1))
  const together = new Map<string, PreparedQuery['votes'][number]>()
  votes.forEach(({ items, shown, success }, i) => {
    const key = `${items.join()}/${shown}`
    const wrong = (WRONG * items.length) / Math.max(shown, items.length)
    const sums = together.get(key) ?? { items, wrong, success: 0, failure: 0 }
    together.set(key, sums)
    const weight = design * (worth[i] ?? 0)
    sums.success += weight * success
    sums.failure += weight * (1 - success)
  })
  return [...together.values()]
}

/** Weight of each vote on one query: votes of one caller count as one vote at most. */
function ownWeights(votes: readonly Vote[]): number[] {
  const sums = new Map<string, number>()
  for (const { caller, weight = 1 } of votes) sums.set(caller, (sums.get(caller) ?? 0) + weight)
  return votes.map(({ caller, weight = 1 }) => weight / Math.max(1, sums.get(caller) ?? 1))
}

/**
 * The factor by which each caller's votes are scaled down. No caller has more than CALLER_SHARE of the votes that
 * count, or CALLER_CAP if that is more. If there are only a few callers, each has an equal share.
 */
function callerShares(queries: readonly RankedQuery[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { votes } of queries) {
    const own = ownWeights(votes)
    votes.forEach(({ caller }, i) => {
      counts.set(caller, (counts.get(caller) ?? 0) + (own[i] ?? 0))
    })
  }
  const share = Math.max(CALLER_SHARE, 1 / Math.max(1, counts.size))
  let cap = Math.max(0, ...counts.values())
  // A lower cap reduces the votes that count, and thereby the cap. The sequence decreases to its fixed point.
  for (let round = 0; round < CAP_ROUNDS; round++) {
    const counting = [...counts.values()].reduce((sum, count) => sum + Math.min(cap, count), 0)
    cap = Math.max(CALLER_CAP, share * counting)
  }
  return new Map([...counts].map(([caller, count]) => [caller, count > 0 ? Math.min(1, cap / count) : 1]))
}
