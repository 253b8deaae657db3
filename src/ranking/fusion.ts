/**
 * Fuses the evidence of keyword and vector search into one ranking with calibrated probabilities.
 *
 * The score of an item is
 *
 *   ((1 − s) · BM25 / best BM25 + s · brief / best brief) · (best BM25 / attainable)^0.3
 *   + 0.7 · embedding coverage² · (1 − share of identifiers) · cosine + 0.3 · s · coverage
 *
 * where `brief` is the share of the question's idf that the item covers, reduced for longer items: in collections of
 * short texts (s near 1) it matters which terms occur, not how often. s = 1 / (1 + (average length / 30)⁴).
 *
 * The cosine of a sentence encoder has weight 1.8 instead of 0.7, because it ranks much better than the word table's.
 * The probabilities use the leads computed with 0.7, on which they were learnt. Chosen with all-MiniLM-L6-v2 on 300
 * questions each of nl2bash and CoSQA among 1,000 documents and all 139 of SciFact among 5,183: mean nDCG@10 .766 with
 * 0.7, .779 with 1.4, .786 with 1.8, .784 with 2.2. On the other questions: nl2bash (425) .791 to .809, +.018 [+.009,
 * +.027], CoSQA (200) .720 to .788, +.069 [+.046, +.091]; of these, the share of questions from the other set that got
 * an answer stays at 17 %, and the share of own questions without an answer falls from 6.4 to 5.1 %. Turns of
 * conversations keep 0.7: with 1.8 and their smoothing .503 against .538 (230 questions of LoCoMo).
 *
 * Chosen by nDCG@10 on half of SciFact, CoSQA (dev), half of nl2bash, Cranfield, CISI, CACM, CoNaLa, tldr pages, their
 * examples, LoCoMo and XQuAD (English), with the built-in embedder. On all questions of the same sets, it gains 4.8 %
 * over BM25 on average, at least 0.1 % (SciFact) and at most 12.5 % (CoSQA); reciprocal rank fusion with k = 60 loses 7
 * %. During selection, on up to 500 questions per set and with a slightly weaker BM25: this formula +5.9 %, BM25 / best
 * + 0.7 · cosine +3.5 %, sixteen learnt weights, each set predicted by weights learnt on the others, +4.0 %.
 * @module
 */

import { logistic } from '../statistics.ts'
import { logOdds, type SearchEvidence, searchProbabilities } from './calibration.ts'
import { smoothTurns, type Turn } from './conversation-smoothing.ts'

/** The position of an item in an external list. */
export interface ExternalPlace {
  /** 1 is best. */
  readonly rank: number
  /** The list's own score, on its own scale. */
  readonly score: number
}

/** The evidence for one candidate. */
export interface FusionCandidate<Item> {
  readonly item: Item
  /** Keyword evidence; null: no term in common with the question, or no keyword search. */
  readonly keyword: {
    /** BM25, more than 0. */
    readonly score: number
    /** Covered share of the question's idf, 0 to 1; null: unknown. */
    readonly coverage: number | null
    /** Length in terms. Default: average. */
    readonly length?: number
  } | null
  /** Cosine to the question, −1 to 1; null: no vector. */
  readonly cosine: number | null
  /** Its position in a conversation, if it is a turn: neighbouring turns raise each other's scores. */
  readonly turn?: Turn
  /** A reranker's probability of relevance, 0 to 1. */
  readonly rerank?: number | null
  /** Its position in an external list. Missing: not in the list, or no list. */
  readonly external?: ExternalPlace | null
  /** How useful it was when it was shown before, −1 (always failed) to 1 (always helped). 0 or missing: unknown. */
  readonly credit?: number
  /** Shift learnt from the project's outcomes, in log-odds. 0 or missing: none. */
  readonly learned?: number
}

/** Properties of the question relative to the searched collection. */
export interface FusionQuery {
  /** Maximum BM25 that any document could reach. 0: words were not searched, or the question has none. */
  readonly attainable: number
  readonly terms: number
  /** Number of terms that are identifiers, paths, flags or symbols. */
  readonly compounds?: number
  /** Share of the question's words that the embedder knows, 0 to 1; 0 without an embedder. */
  readonly embeddingCoverage: number
  /** Number of items in the collection. Default: a thousand. */
  readonly items?: number
  /** Mean length of the items in terms. Default: long. */
  readonly averageLength?: number
  /**
   * Distribution of the embedder's cosines between unrelated texts. Default: that of the built-in word table. Null: not
   * measured yet; the cosines then order the results, and words alone decide how probable they are.
   */
  readonly scale?: CosineScale | null
  /** Whether the embedder encodes sentences. Default: no, as the built-in word table, which sums words. */
  readonly sentences?: boolean
}

/** Mean (level) and standard deviation (spread) of an embedder's cosines between unrelated texts. */
export interface CosineScale {
  readonly level: number
  readonly spread: number
}

/** One result and the components of its score. */
export interface FusedResult<Item> {
  readonly item: Item
  /** Fused score; comparable within one search only. */
  readonly score: number
  /** Calibrated probability that it is relevant; comparable between searches, collections and embedders. */
  readonly probability: number
  readonly breakdown: {
    readonly keyword: { readonly rank: number; readonly score: number; readonly coverage: number | null } | null
    readonly semantic: { readonly rank: number; readonly score: number } | null
    readonly rerank: number | null
    readonly external: ExternalPlace | null
    readonly credit: number
    readonly learned: number
    /** Reasons for the rank of a piece of code, by feature; null: not ranked as code. */
    readonly code: Readonly<Record<string, Reason>> | null
  }
}

/** One reason for the rank of a piece of code. */
export interface Reason {
  /** The feature's value. */
  readonly value: number
  /** Its contribution to the score, in log-odds. */
  readonly adds: number
}

export interface FusedSearch<Item> {
  /** Best first. */
  readonly results: FusedResult<Item>[]
  /** Probability that any result answers the question. Below the operating point, no results should be shown. */
  readonly answerable: number
  readonly evidence: SearchEvidence
}

const COSINE_WEIGHT = 0.7
const SENTENCE_COSINE_WEIGHT = 1.8
const COVERAGE_WEIGHT = 0.3
/** How much weight shifts to vectors when no item matches the question well. */
const ATTAINMENT_EXPONENT = 0.3
/** Average length, in terms, at which both ways of scoring words have equal weight. */
const BRIEF_LENGTH = 30
/** Even for a question of identifiers only, vectors keep some weight, to order items that words can't distinguish. */
const MAX_IDENTIFIERS = 0.9
/** BM25's constants for terms that occur once in short texts. */
const BRIEF_K1 = 0.9
const BRIEF_B = 0.4
/** The word table's cosines between unrelated texts, measured on 19 repositories and three text sets. */
export const TABLE_SCALE: CosineScale = { level: 0.05, spread: 0.073 }
/** Closeness of an average candidate, if no scale was measured. */
const USUAL_CLOSENESS = 3
/** Leads that are evidence neither for nor against an answer. Used when a collection has no second or tenth item. */
const NEUTRAL_LEAD_OVER_SECOND = 0.1
const NEUTRAL_LEAD_OVER_TENTH = 0.4
/** Weight of a reranker's opinion in the log-odds. */
const RERANK_SHARE = 0.7
/**
 * Log-odds that the first position in an external list adds. It falls with the rank as in reciprocal rank fusion
 * (Cormack, Clarke and Büttcher 2009, k = 60). The same as for a perfect record. Not measured, and therefore kept
 * small.
 */
const EXTERNAL_WEIGHT = 0.5
const RANK_CONSTANT = 60
/** Log-odds that a perfect record adds. */
export const CREDIT_WEIGHT = 0.5

/** A candidate's measures, each 0 to 1 except the score. */
interface Measures<Item> {
  readonly candidate: FusionCandidate<Item>
  readonly coverage: number
  readonly cosine: number
  readonly score: number
  /** The score with the word table's cosine weight. Leads are computed from it. */
  readonly leadScore: number
}

/** Fuses the candidates of one collection into a ranking with probabilities. */
export function fuse<Item>(candidates: readonly FusionCandidate<Item>[], given: FusionQuery): FusedSearch<Item> {
  const query = { ...given, scale: scaleFor(given, candidates) }
  const raw = measure(candidates, query)
  const evidence = evidenceOf(
    [...raw].sort((a, b) => b.score - a.score),
    query,
    given.scale !== null,
  )
  const { answerable, relevance } = searchProbabilities(evidence)
  const smoothed = smoothTurns(raw.map(({ candidate, score }) => ({ score, turn: candidate.turn })))
  const best = Math.max(0, ...smoothed)
  const scored = raw.map(({ candidate }, i): ScoredCandidate<Item> => {
    const score = smoothed[i] ?? 0
    return { candidate, score, probability: relevance(best - score), code: null }
  })
  return { results: fusedResults(scored), answerable, evidence }
}

/** A candidate with the evidence of its lists, before reranking, credit and learnt shifts. */
export interface ScoredCandidate<Item> {
  readonly candidate: FusionCandidate<Item>
  readonly score: number
  readonly probability: number
  readonly code: FusedResult<Item>['breakdown']['code']
}

/** Results by decreasing probability, with everything that shifts it. */
export function fusedResults<Item>(scored: readonly ScoredCandidate<Item>[]): FusedResult<Item>[] {
  const candidates = scored.map(({ candidate }) => candidate)
  const keywordRanks = ranks(candidates, ({ keyword }) => keyword?.score ?? null)
  const semanticRanks = ranks(candidates, ({ cosine }) => cosine)
  const results = scored.map(({ candidate, score, probability, code }): FusedResult<Item> => {
    const { item, keyword, cosine } = candidate
    const rerank = candidate.rerank ?? null
    const credit = Math.min(1, Math.max(-1, candidate.credit ?? 0))
    const learned = candidate.learned ?? 0
    const external = candidate.external ?? null
    return {
      item,
      score,
      probability: adjusted(probability, rerank, credit, learned + externalShift(external)),
      breakdown: {
        keyword: keyword && {
          rank: keywordRanks.get(candidate) ?? 0,
          score: keyword.score,
          coverage: keyword.coverage,
        },
        semantic: cosine === null ? null : { rank: semanticRanks.get(candidate) ?? 0, score: cosine },
        rerank,
        external,
        credit,
        learned,
        code,
      },
    }
  })
  return results.sort((a, b) => b.probability - a.probability || b.score - a.score)
}

function measure<Item>(
  candidates: readonly FusionCandidate<Item>[],
  query: FusionQuery & { readonly scale: CosineScale },
): Measures<Item>[] {
  const average = query.averageLength ?? 0
  const brevity = average > 0 ? 1 / (1 + (average / BRIEF_LENGTH) ** 4) : 0
  const coverages = candidates.map(({ keyword }) => coverageOf(keyword, query.attainable))
  const briefs = candidates.map(({ keyword }, i) => {
    const length = average > 0 && keyword?.length !== undefined ? keyword.length / average : 1
    return (coverages[i] ?? 0) / (1 + BRIEF_K1 * (1 - BRIEF_B + BRIEF_B * length))
  })
  const bestScore = maximum(candidates, ({ keyword }) => keyword?.score ?? 0)
  const bestBrief = maximum(briefs, (brief) => brief)
  const attainment = query.attainable > 0 ? Math.min(1, bestScore / query.attainable) ** ATTAINMENT_EXPONENT : 0
  const searchedByWords = query.attainable > 0 && query.terms > 0
  const identifiers = searchedByWords ? Math.min(MAX_IDENTIFIERS, (query.compounds ?? 0) / query.terms) : 0
  const share = query.embeddingCoverage ** 2 * (1 - identifiers)
  // Without words there is nothing to weigh the cosine against. For conversation turns, a greater cosine weight would
  // outweigh the smoothing between neighbours.
  const heavier = query.sentences && searchedByWords && !candidates.some(({ turn }) => turn)
  const cosineWeight = share * (heavier ? SENTENCE_COSINE_WEIGHT : COSINE_WEIGHT)
  return candidates.map((candidate, i) => {
    const words = bestScore > 0 ? (candidate.keyword?.score ?? 0) / bestScore : 0
    const brief = bestBrief > 0 ? (briefs[i] ?? 0) / bestBrief : 0
    const coverage = coverages[i] ?? 0
    const cosine = scaledCosine(candidate.cosine, query.scale)
    const byWords = ((1 - brevity) * words + brevity * brief) * attainment + COVERAGE_WEIGHT * brevity * coverage
    const score = byWords + cosineWeight * cosine
    return { candidate, coverage, cosine, score, leadScore: byWords + share * COSINE_WEIGHT * cosine }
  })
}

/** The covered share of the question's idf. If it is unknown, it is estimated from the BM25 score. */
function coverageOf(keyword: FusionCandidate<unknown>['keyword'], attainable: number): number {
  if (!keyword) return 0
  if (keyword.coverage !== null) return keyword.coverage
  return attainable > 0 ? Math.min(1, (1.5 * keyword.score) / attainable) : 0
}

/** Number of standard deviations by which a cosine exceeds those of unrelated texts. */
export function closenessOf(cosine: number, scale: CosineScale = TABLE_SCALE): number {
  return (cosine - scale.level) / Math.max(1e-3, scale.spread)
}

/** The cosine converted to the word table's scale, 0 to 1. */
function scaledCosine(cosine: number | null, scale: CosineScale): number {
  if (cosine === null) return 0
  return Math.min(1, Math.max(0, TABLE_SCALE.level + TABLE_SCALE.spread * closenessOf(cosine, scale)))
}

/**
 * The scale of a search. If none was measured, it is estimated from the candidates: they are the closest items, which
 * are taken to be three standard deviations above unrelated ones. That is enough for their order, but says nothing about
 * relevance.
 */
export function scaleFor(
  { scale }: FusionQuery,
  candidates: readonly { readonly cosine: number | null }[],
): CosineScale {
  if (scale !== null) return scale ?? TABLE_SCALE
  const cosines = candidates.flatMap(({ cosine }) => cosine ?? [])
  if (cosines.length === 0) return TABLE_SCALE
  const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length
  const spread = Math.sqrt(cosines.reduce((sum, cosine) => sum + (cosine - mean) ** 2, 0) / cosines.length)
  return { level: mean - USUAL_CLOSENESS * spread, spread }
}

/**
 * @param measured by decreasing score
 * @param scaled whether the cosines are on a measured scale; otherwise they are no evidence where words were searched
 */
function evidenceOf<Item>(measured: readonly Measures<Item>[], query: FusionQuery, scaled: boolean): SearchEvidence {
  const [first] = measured
  const leads = measured.map(({ leadScore }) => leadScore).sort((a, b) => b - a)
  const [best = 0, second] = leads
  const tenth = leads[9]
  const bestScore = maximum(measured, ({ candidate }) => candidate.keyword?.score ?? 0)
  return {
    words: query.attainable > 0 && measured.length > 0,
    vectors:
      (scaled || query.attainable <= 0) &&
      query.embeddingCoverage > 0 &&
      measured.some(({ candidate }) => candidate.cosine !== null),
    terms: query.terms,
    items: query.items ?? 1000,
    bestKeyword: query.attainable > 0 ? Math.min(1, bestScore / query.attainable) : 0,
    bestCoverage: maximum(measured, ({ coverage }) => coverage),
    firstCoverage: first?.coverage ?? 0,
    bestCosine: maximum(measured, ({ cosine }) => cosine),
    firstCosine: first?.cosine ?? 0,
    leadOverSecond: second === undefined ? NEUTRAL_LEAD_OVER_SECOND : best - second,
    leadOverTenth: tenth === undefined ? NEUTRAL_LEAD_OVER_TENTH : best - tenth,
  }
}

/** Log-odds pooled with a reranker's (logarithmic opinion pool), then shifted by credit and by learning. */
function adjusted(probability: number, rerank: number | null, credit: number, learned: number): number {
  if (rerank === null && credit === 0 && learned === 0) return probability
  const own = logOdds(probability)
  const pooled = rerank === null ? own : (1 - RERANK_SHARE) * own + RERANK_SHARE * logOdds(rerank)
  return logistic(pooled + CREDIT_WEIGHT * credit + learned)
}

function externalShift(external: ExternalPlace | null): number {
  return external ? (EXTERNAL_WEIGHT * (RANK_CONSTANT + 1)) / (RANK_CONSTANT + external.rank) : 0
}

function maximum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((best, value) => Math.max(best, of(value)), 0)
}

function ranks<T>(values: readonly T[], of: (value: T) => number | null): Map<T, number> {
  const listed = values.filter((value) => of(value) !== null)
  return new Map(listed.sort((a, b) => (of(b) ?? 0) - (of(a) ?? 0)).map((value, i) => [value, i + 1]))
}
