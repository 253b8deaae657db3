/**
 * Converts the evidence of a search to probabilities: that an item is relevant, and that any result is relevant.
 *
 * Logistic models, one for each combination of lists that were used. Learnt on half of SciFact, CoSQA (dev), half of
 * nl2bash, Cranfield, CISI, CACM, CoNaLa, tldr pages, their examples, LoCoMo and XQuAD, each complete and (nine of
 * them) reduced to 300 and to 30 documents, with equal weight on questions of other sets and on the set's own. For the
 * first result by words and vectors, the first three sets have four times the weight.
 *
 * Expected calibration error of the best result's probability, each set predicted by models trained without it: 0.038
 * pooled over all sets, 0.050 over the first three; trained with all sets: 0.020 and 0.020. Single sets differ by up to
 * 0.14, because a search can't reveal how many relevant items a set's judges marked. Abstention by {@link
 * SearchProbabilities.answerable}, all questions of the first three sets against each other's documents (which were in
 * the training data): at 0.5, 9.5 % of the foreign questions are answered and 90 % of the relevant items among the own
 * questions' first ten are kept; at 0.6, 5.5 % and 86 %; at 0.65, 4.2 % and 83 %. Most errors are shell questions that
 * find Python functions for the same task; code or commands rarely answer scientific claims.
 * @module
 */

import { logistic } from '../statistics.ts'

/** The evidence of a whole search. Shares are 0 to 1. */
export interface SearchEvidence {
  /** Whether words were searched, and whether vectors were searched. */
  readonly words: boolean
  readonly vectors: boolean
  /** Number of searchable terms in the question. */
  readonly terms: number
  /** Number of items in the collection. */
  readonly items: number
  /** Best BM25 divided by the maximum that any document could reach for this question. */
  readonly bestKeyword: number
  /** Greatest share of the question's idf that one candidate covers, and the share of the first result. */
  readonly bestCoverage: number
  readonly firstCoverage: number
  /** Greatest cosine, and the first result's cosine. Negative cosines count as 0. */
  readonly bestCosine: number
  readonly firstCosine: number
  /** Fused score of the first result minus that of the second and of the tenth (0 if there is none). */
  readonly leadOverSecond: number
  readonly leadOverTenth: number
}

/** Probabilities of a search. */
export interface SearchProbabilities {
  /** Probability that any of the first ten results is relevant. */
  readonly answerable: number
  /**
   * Probability that an item is relevant.
   * @param deficit the first result's fused score minus the item's; 0 for the first
   */
  relevance(deficit: number): number
}

interface Model {
  readonly bestKeyword: number
  readonly firstCoverage: number
  readonly firstCosine: number
  readonly agreement: number
  readonly leadOverSecond: number
  readonly leadOverTenth: number
  readonly logTerms: number
  readonly bestCoverage: number
  readonly bestCosine: number
  readonly logItems: number
  readonly intercept: number
}

interface Calibration {
  /** Log-odds that the first result is relevant. */
  readonly first: Model
  /** Log-odds that any of the first ten results is relevant. */
  readonly any: Model
  /**
   * Log-odds of a later result: factor on the first result's log-odds, slope per unit of fused score behind it, and
   * intercept.
   */
  readonly later: { readonly first: number; readonly deficit: number; readonly intercept: number }
}

const BOTH: Calibration = {
  first: {
    bestKeyword: 2.12,
    firstCoverage: 1.63,
    firstCosine: 2.09,
    agreement: -3.41,
    leadOverSecond: 2.86,
    leadOverTenth: 3.38,
    logTerms: 0.89,
    bestCoverage: 1.64,
    bestCosine: 2.62,
    logItems: -0.6,
    intercept: -6.33,
  },
  any: {
    bestKeyword: 2.03,
    firstCoverage: 1.86,
    firstCosine: 3.29,
    agreement: -2.3,
    leadOverSecond: 0.43,
    leadOverTenth: 2.96,
    logTerms: 1.23,
    bestCoverage: 2.62,
    bestCosine: 3.47,
    logItems: -1.12,
    intercept: -5.68,
  },
  later: { first: 0.96, deficit: -9.98, intercept: 0.16 },
}

const WORDS_ONLY: Calibration = {
  first: {
    bestKeyword: 1.43,
    firstCoverage: 1.89,
    firstCosine: 0,
    agreement: 0,
    leadOverSecond: 2.42,
    leadOverTenth: 3.81,
    logTerms: 1.38,
    bestCoverage: 2.13,
    bestCosine: 0,
    logItems: -0.44,
    intercept: -6.32,
  },
  any: {
    bestKeyword: 2.68,
    firstCoverage: 2.6,
    firstCosine: 0,
    agreement: 0,
    leadOverSecond: 0.53,
    leadOverTenth: 3.71,
    logTerms: 1.9,
    bestCoverage: 3.23,
    bestCosine: 0,
    logItems: -0.48,
    intercept: -7.09,
  },
  later: { first: 0.92, deficit: -10.86, intercept: 0.3 },
}

const VECTORS_ONLY: Calibration = {
  first: {
    bestKeyword: 0,
    firstCoverage: 0,
    firstCosine: 3.9,
    agreement: 0,
    leadOverSecond: 3.04,
    leadOverTenth: 4.03,
    logTerms: -0.2,
    bestCoverage: 0,
    bestCosine: 3.9,
    logItems: -1.21,
    intercept: -1.6,
  },
  any: {
    bestKeyword: 0,
    firstCoverage: 0,
    firstCosine: 4.67,
    agreement: 0,
    leadOverSecond: 1.5,
    leadOverTenth: 2.76,
    logTerms: -0.12,
    bestCoverage: 0,
    bestCosine: 4.67,
    logItems: -1.53,
    intercept: -0.9,
  },
  later: { first: 0.8, deficit: -24.64, intercept: -1.26 },
}

/** Larger leads have no further effect. */
const MAX_LEAD_OVER_SECOND = 0.5
const MAX_LEAD_OVER_TENTH = 1
/**
 * The models were trained on data in which one question in two has its answer in the collection. In use, a question is
 * asked of five collections, one of which may have the answer: odds of 0.54 instead of 1, chosen so that the former
 * 0.65 becomes the default threshold, 0.5.
 */
const SEVERAL_COLLECTIONS = 0.62
/** Smaller collections are treated as having this size: the training data had none smaller. */
const MIN_ITEMS = 30
/** Larger collections are treated as having these sizes, as decimal logarithms. */
const MAX_LOGIT_FIRST = 4.5
const MAX_LOGIT_ANY = 3

/** The probabilities of a search, computed by logistic models from its evidence. */
export function searchProbabilities(evidence: SearchEvidence): SearchProbabilities {
  if (!evidence.words && !evidence.vectors) return { answerable: 0, relevance: () => 0 }
  const calibration = evidence.words ? (evidence.vectors ? BOTH : WORDS_ONLY) : VECTORS_ONLY
  const { later } = calibration
  const first = apply(calibration.first, evidence, MAX_LOGIT_FIRST)
  return {
    answerable: logistic(apply(calibration.any, evidence, MAX_LOGIT_ANY) - SEVERAL_COLLECTIONS),
    relevance: (deficit) =>
      logistic(deficit <= 0 ? first : Math.min(first, later.first * first + later.deficit * deficit + later.intercept)),
  }
}

function apply(model: Model, evidence: SearchEvidence, mostLogItems: number): number {
  return (
    model.intercept +
    model.bestKeyword * evidence.bestKeyword +
    model.firstCoverage * evidence.firstCoverage +
    model.firstCosine * evidence.firstCosine +
    model.agreement * evidence.firstCoverage * evidence.firstCosine +
    model.leadOverSecond * Math.min(MAX_LEAD_OVER_SECOND, evidence.leadOverSecond) +
    model.leadOverTenth * Math.min(MAX_LEAD_OVER_TENTH, evidence.leadOverTenth) +
    model.logTerms * Math.log(Math.max(1, evidence.terms)) +
    model.bestCoverage * evidence.bestCoverage +
    model.bestCosine * evidence.bestCosine +
    model.logItems * Math.min(mostLogItems, Math.log10(Math.max(MIN_ITEMS, evidence.items)))
  )
}

/**
 * A probability under other prior odds: Bayes' rule in odds form. The models were trained on data in which one question
 * in two is answerable.
 * @param factor the new prior odds divided by the old ones
 */
export function withPriorOdds(probability: number, factor: number): number {
  return (probability * factor) / (1 - probability + probability * factor)
}

/** Log-odds of a probability, limited to ±12. */
export function logOdds(probability: number): number {
  const bounded = Math.min(1 - 6e-6, Math.max(6e-6, probability))
  return Math.log(bounded / (1 - bounded))
}
