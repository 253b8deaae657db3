/**
 * Computes an item's credit: converts votes to a number that ranking can use. Pure functions.
 * @module
 */
import type { Credit } from '../knowledge/stores/store.ts'

/** Maximum number of votes of one caller on one item that count. More votes are scaled down to this number. */
export const CALLER_CAP = 20
/**
 * Maximum number of votes of one caller that count when several callers vote and the others have voted less on the
 * item.
 */
export const LONE_CAP = 4
/** One caller's votes count at most this many times the mean of the other callers' votes. */
const MEAN_CAP = 2
/**
 * Weight of a vote on an item that no retrieval had shown to the voter, and the maximum that such votes of one caller
 * count together.
 */
export const UNSEEN_WEIGHT = 0.1
export const UNSEEN_CAP = 1

/** Prior of the success rate before any votes: Beta(1, 1), every rate equally likely. */
export const PRIOR = { alpha: 1, beta: 1 } as const

/**
 * Number of votes at the project's usual rate that an item's own votes are weighed against in ranking: an item that
 * helped with one query may not help with others. Chosen from 0, 4, 8 and 16 by the lowest loss on unseen queries
 * (nl2bash, CoSQA).
 */
export const USUAL_VOTES = 8

/** Parameters of a Beta distribution. */
export interface Beta {
  readonly alpha: number
  readonly beta: number
}

/** A caller's votes, scaled down to the cap in proportion. */
export function capped(votes: Credit, cap = CALLER_CAP): Credit {
  const count = total(votes)
  return scaled(votes, count > cap ? cap / count : 1)
}

/** One caller's votes on an item. */
export interface CallerVotes extends Credit {
  /** Votes on answers that named the item although no retrieval had shown it to the caller. */
  readonly unseen?: Credit
}

/**
 * The credit of an item: the capped votes of all its callers. The cap for a caller is the smallest of CALLER_CAP,
 * MEAN_CAP times the mean number of votes of the other callers, and the total of the other callers' votes, but at least
 * LONE_CAP.
 * @param alone whether the project has only one voting caller; then there are no others to compare with
 */
export function combined(callers: readonly CallerVotes[], alone = false): Credit {
  const counts = callers.map((votes) => Math.min(CALLER_CAP, total(votes)))
  const all = counts.reduce((sum, count) => sum + count, 0)
  const sum = { successes: 0, partials: 0, failures: 0 }
  const add = (votes: Credit) => {
    sum.successes += votes.successes
    sum.partials += votes.partials
    sum.failures += votes.failures
  }
  for (const [i, votes] of callers.entries()) {
    const others = all - (counts[i] ?? 0)
    const voting = counts.filter((count, at) => at !== i && count > 0).length
    const usual = Math.min(others, (MEAN_CAP * others) / Math.max(1, voting))
    add(capped(votes, alone ? CALLER_CAP : Math.min(CALLER_CAP, Math.max(LONE_CAP, usual))))
    if (votes.unseen) add(capped(scaled(votes.unseen, UNSEEN_WEIGHT), UNSEEN_CAP))
  }
  return sum
}

function total({ successes, partials, failures }: Credit): number {
  return successes + partials + failures
}

function scaled({ successes, partials, failures }: Credit, share: number): Credit {
  return { successes: successes * share, partials: partials * share, failures: failures * share }
}

/**
 * Posterior of an item's success rate (Gelman et al., Bayesian Data Analysis, 2.4). A partial success counts half as
 * success and half as failure.
 */
export function posterior(credit: Credit, prior: Beta = PRIOR): Beta {
  return {
    alpha: prior.alpha + Math.max(0, credit.successes) + Math.max(0, credit.partials) / 2,
    beta: prior.beta + Math.max(0, credit.failures) + Math.max(0, credit.partials) / 2,
  }
}

/** Mean of a Beta distribution. */
export function betaMean({ alpha, beta }: Beta): number {
  return alpha / (alpha + beta)
}

/**
 * Quantile of a Beta distribution by bisection on its distribution function; absolute error under 1e-9.
 * @param p 0 to 1
 */
export function betaQuantile(p: number, { alpha, beta }: Beta): number {
  let low = 0
  let high = 1
  for (let i = 0; i < 31; i++) {
    const middle = (low + high) / 2
    if (betaCumulative(middle, { alpha, beta }) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The success rate that an item exceeds with 90 % posterior probability, 0 to 1: the 10 % quantile. */
export function lowerBound(credit: Credit, prior: Beta = PRIOR): number {
  return betaQuantile(0.1, posterior(credit, prior))
}

/** The success rate that an item stays below with 90 % posterior probability, 0 to 1. */
export function upperBound(credit: Credit, prior: Beta = PRIOR): number {
  return betaQuantile(0.9, posterior(credit, prior))
}

/** The prior of an item's success rate: USUAL_VOTES votes at the usual rate. */
export function usualPrior(usual: number): Beta {
  return { alpha: USUAL_VOTES * usual, beta: USUAL_VOTES * (1 - usual) }
}

/**
 * How far credit moves an item in a ranking, −1 to 1; 0 while the evidence is inconclusive. The item's rate is shrunk
 * towards the usual one (empirical Bayes, Efron & Morris 1973). The shift is positive only if the lower bound is above
 * the usual rate, and negative only if the upper bound is below it. The mean is never used, so a few lucky or hostile
 * votes have no effect.
 * @param usual success rate of the project's items as a whole, between 0 and 1
 */
export function creditShift(credit: Credit, usual: number): number {
  if (credit.successes + credit.partials + credit.failures === 0) return 0
  const prior = usualPrior(usual)
  const low = lowerBound(credit, prior)
  if (low > usual) return (low - usual) / Math.max(1 - usual, Number.EPSILON)
  const high = upperBound(credit, prior)
  return high < usual ? (high - usual) / Math.max(usual, Number.EPSILON) : 0
}

/**
 * Distribution function of Beta(α, β): the regularised incomplete beta function by Lentz's continued fraction (Press et al.,
 * Numerical Recipes, 3rd ed., 6.4).
 */
export function betaCumulative(x: number, { alpha, beta }: Beta): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(
    logGamma(alpha + beta) - logGamma(alpha) - logGamma(beta) + alpha * Math.log(x) + beta * Math.log1p(-x),
  )
  return x < (alpha + 1) / (alpha + beta + 2)
    ? (front * fraction(x, alpha, beta)) / alpha
    : 1 - (front * fraction(1 - x, beta, alpha)) / beta
}

function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  const bounded = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / bounded(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / bounded(1 + even * d)
    c = bounded(1 + even / c)
    result *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / bounded(1 + odd * d)
    c = bounded(1 + odd / c)
    const step = d * c
    result *= step
    if (Math.abs(step - 1) < 1e-14) break
  }
  return result
}

/** Natural logarithm of the gamma function (Lanczos 1964, g = 7, nine coefficients), for x > 0. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  const t = x + 6.5
  let sum = 0.9999999999998099
  for (const [i, coefficient] of coefficients.entries()) sum += coefficient / (x + i)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}
