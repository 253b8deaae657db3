/**
 * Fuses the evidence of keyword and vector search into one ranking with calibrated probabilities.
 *
 * The score of an item is
 *
 *   ((1 − s) · BM25 / best BM25 + s · brief / best brief) · (best BM25 / attainable)^0.3
 *   + 0.7 · embedding coverage² · (1 − share of identifiers) · cosine + 0.3 · s · coverage
 *
 * where `brief` is the share of the question's idf that the item covers, less for longer items: in collections of short
 * texts (s near 1) it matters which terms are there, not how often. s = 1 / (1 + (average length / 30)⁴).
 *
 * The cosine of an encoder of sentences counts 1.8 instead of 0.7: it orders far better than the word table's. The probabilities go by
 * the leads that 0.7 gives, on which they were learnt. Chosen with all-MiniLM-L6-v2 on 300 questions each of nl2bash and CoSQA among 1,000
 * documents and all 139 of SciFact among 5,183: mean nDCG@10 .766 with 0.7, .779 with 1.4, .786 with 1.8, .784 with 2.2. On the
 * other questions: nl2bash (425) .791 to .809, +.018 [+.009, +.027], CoSQA (200) .720 to .788, +.069 [+.046, +.091]; of these, those that
 * were asked of the other set and got an answer stay 17 %, own ones that got none fall from 6.4 to 5.1 %. Turns of conversations keep 0.7:
 * with 1.8 and their smoothing .503 against .538 (230 questions of LoCoMo).
 *
 * Chosen by nDCG@10 on half of SciFact, CoSQA (dev), half of nl2bash, Cranfield, CISI, CACM, CoNaLa, tldr pages, their
 * examples, LoCoMo and XQuAD (English), with the built-in embedder. On these same sets, all questions, it gains 4.8 % over BM25
 * in the mean, least 0.1 % (SciFact), most 12.5 % (CoSQA); reciprocal rank fusion with k = 60 loses 7 %. While choosing, on up to
 * 500 questions a set and a slightly weaker BM25: this formula +5.9 %, BM25 / best + 0.7 · cosine +3.5 %, sixteen learnt weights,
 * each set predicted by weights learnt on the others, +4.0 %.
 * @module
 */

import { logistic } from '../statistics.ts'
import { logOdds, type SearchEvidence, searchProbabilities } from './calibration.ts'
import { smoothTurns, type Turn } from './conversation-smoothing.ts'

/** The place of an item in an external list. */
export interface ExternalPlace {
  /** 1 is best. */
  readonly rank: number
  /** As the list's maker scores it, on a scale of its own. */
  readonly score: number
}

/** What is known of one candidate. */
export interface FusionCandidate<Item> {
  readonly item: Item
  /** Keyword evidence; null: it shares no term with the question, or nothing was searched by keyword. */
  readonly keyword: {
    /** BM25, more than 0. */
    readonly score: number
    /** Share of the question's idf that it covers, 0 to 1; null: unknown. */
    readonly coverage: number | null
    /** Length in terms; missing: taken for average. */
    readonly length?: number
  } | null
  /** Cosine to the question, −1 to 1; null: no vector. */
  readonly cosine: number | null
  /** Its place in a conversation, when it is a turn of one: turns lend each other weight. */
  readonly turn?: Turn
  /** Probability of relevance by a reranker, 0 to 1. */
  readonly rerank?: number | null
  /** Its place in an external list; missing: it isn't there, or there is none. */
  readonly external?: ExternalPlace | null
  /** How showing it before turned out, −1 (always failed) to 1 (always helped); 0 or missing: nothing known. */
  readonly credit?: number
  /** What the project's outcomes taught of such candidates, in log-odds; 0 or missing: nothing. */
  readonly learned?: number
}

/** What is known of the question against the collection searched. */
export interface FusionQuery {
  /** The most BM25 that any document could reach; 0: words were not searched, or the question has none. */
  readonly attainable: number
  readonly terms: number
  /** How many of the terms are identifiers, paths, flags or symbols. */
  readonly compounds?: number
  /** Share of the question's words that the embedder knows, 0 to 1; 0 without an embedder. */
  readonly embeddingCoverage: number
  /** Items in the collection; missing: taken for a thousand. */
  readonly items?: number
  /** Mean length of its items in terms; missing: taken for long. */
  readonly averageLength?: number
  /** What the embedder's cosines between unrelated texts are like; missing: as the built-in word table's. */
  readonly scale?: CosineScale
  /** Whether the embedder encodes sentences; missing: it is the built-in word table, which sums words. */
  readonly sentences?: boolean
}

/** Level and spread of an embedder's cosines between unrelated texts: their mean and standard deviation. */
export interface CosineScale {
  readonly level: number
  readonly spread: number
}

/** One result, with where its score comes from. */
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
    /** Why a piece of code stands where it does, by feature; null: it isn't ranked as code. */
    readonly code: Readonly<Record<string, Reason>> | null
  }
}

/** Why a piece of code stands where it does. */
export interface Reason {
  /** The feature's value. */
  readonly value: number
  /** What it adds to the score, in log-odds. */
  readonly adds: number
}

export interface FusedSearch<Item> {
  /** Best first. */
  readonly results: FusedResult<Item>[]
  /** Probability that anything found answers the question; below the operating point, nothing should be shown. */
  readonly answerable: number
  readonly evidence: SearchEvidence
}

const COSINE_WEIGHT = 0.7
const SENTENCE_COSINE_WEIGHT = 1.8
const COVERAGE_WEIGHT = 0.3
/** How much a question that no item meets well leaves to the vectors. */
const ATTAINMENT_EXPONENT = 0.3
/** Average length, in terms, at which both ways of scoring words count the same. */
const BRIEF_LENGTH = 30
/** Even a question of identifiers alone leaves vectors a say among items that no word tells apart. */
const MAX_IDENTIFIERS = 0.9
/** BM25's constants for terms that are said once in short texts. */
const BRIEF_K1 = 0.9
const BRIEF_B = 0.4
/** The word table's cosines between unrelated texts, over 19 repositories and three sets of texts. */
export const TABLE_SCALE: CosineScale = { level: 0.05, spread: 0.073 }
/**
 * Leads that say neither that there is an answer nor that there is none. They stand for those of a collection that has no second or
 * tenth item to lead over.
 */
const NEUTRAL_LEAD_OVER_SECOND = 0.1
const NEUTRAL_LEAD_OVER_TENTH = 0.4
/** Share that a reranker's opinion has in the log-odds. */
const RERANK_SHARE = 0.7
/**
 * Log-odds that the first place of an external list adds, falling with the rank as in reciprocal rank fusion (Cormack, Clarke and
 * Büttcher 2009, k = 60). As much as a perfect record: not measured, and kept small for that reason.
 */
const EXTERNAL_WEIGHT = 0.5
const RANK_CONSTANT = 60
/** Log-odds that a perfect record adds. */
export const CREDIT_WEIGHT = 0.5

/** A candidate's measures, each 0 to 1 but for the score. */
interface Measures<Item> {
  readonly candidate: FusionCandidate<Item>
  readonly coverage: number
  readonly cosine: number
  readonly score: number
  /** The score with the word table's weight of the cosine: what leads are taken of. */
  readonly leadScore: number
}

/** Fuses the candidates of one collection into a ranking with probabilities. */
export function fuse<Item>(candidates: readonly FusionCandidate<Item>[], query: FusionQuery): FusedSearch<Item> {
  const raw = measure(candidates, query)
  const evidence = evidenceOf(
    [...raw].sort((a, b) => b.score - a.score),
    query,
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

/** A candidate with what its lists say of it, before rerankers, records and what was learnt. */
export interface ScoredCandidate<Item> {
  readonly candidate: FusionCandidate<Item>
  readonly score: number
  readonly probability: number
  readonly code: FusedResult<Item>['breakdown']['code']
}

/** Results by falling probability, with everything that shifts it. */
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

function measure<Item>(candidates: readonly FusionCandidate<Item>[], query: FusionQuery): Measures<Item>[] {
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
  // Without words there is nothing to weigh the cosine against; turns lend each other weight, which a greater one drowns.
  const heavier = query.sentences && searchedByWords && !candidates.some(({ turn }) => turn)
  const cosineWeight = share * (heavier ? SENTENCE_COSINE_WEIGHT : COSINE_WEIGHT)
  return candidates.map((candidate, i) => {
    const words = bestScore > 0 ? (candidate.keyword?.score ?? 0) / bestScore : 0
    const brief = bestBrief > 0 ? (briefs[i] ?? 0) / bestBrief : 0
    const coverage = coverages[i] ?? 0
    const cosine = scaledCosine(candidate.cosine, query)
    const byWords = ((1 - brevity) * words + brevity * brief) * attainment + COVERAGE_WEIGHT * brevity * coverage
    const score = byWords + cosineWeight * cosine
    return { candidate, coverage, cosine, score, leadScore: byWords + share * COSINE_WEIGHT * cosine }
  })
}

/** The covered share of the question's idf; where it is unknown, what the BM25 score suggests. */
function coverageOf(keyword: FusionCandidate<unknown>['keyword'], attainable: number): number {
  if (!keyword) return 0
  if (keyword.coverage !== null) return keyword.coverage
  return attainable > 0 ? Math.min(1, (1.5 * keyword.score) / attainable) : 0
}

/** Standard deviations of a cosine above those of unrelated texts. */
export function closenessOf(cosine: number, scale: CosineScale = TABLE_SCALE): number {
  return (cosine - scale.level) / Math.max(1e-3, scale.spread)
}

/** The cosine on the word table's scale, 0 to 1. */
function scaledCosine(cosine: number | null, { scale }: FusionQuery): number {
  if (cosine === null) return 0
  return Math.min(1, Math.max(0, TABLE_SCALE.level + TABLE_SCALE.spread * closenessOf(cosine, scale)))
}

/** @param measured by falling score */
function evidenceOf<Item>(measured: readonly Measures<Item>[], query: FusionQuery): SearchEvidence {
  const [first] = measured
  const leads = measured.map(({ leadScore }) => leadScore).sort((a, b) => b - a)
  const [best = 0, second] = leads
  const tenth = leads[9]
  const bestScore = maximum(measured, ({ candidate }) => candidate.keyword?.score ?? 0)
  return {
    words: query.attainable > 0 && measured.length > 0,
    vectors: query.embeddingCoverage > 0 && measured.some(({ candidate }) => candidate.cosine !== null),
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

/** Log-odds pooled with a reranker's (logarithmic opinion pool), and shifted by the record and by what was learnt. */
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
