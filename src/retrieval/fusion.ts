/**
 * Fuses the evidence of keyword and vector search into one ranking with calibrated probabilities.
 * @module
 */

import { logistic, logOdds, type SearchEvidence } from './calibration.ts'

/** What is known of one candidate. */
export interface FusionCandidate<Item> {
  readonly item: Item
  /** Keyword evidence; null: it shares no term with the question, or nothing was searched by keyword. */
  readonly keyword: {
    /** BM25, more than 0. */
    readonly score: number
    /** Share of the question's idf that it covers, 0 to 1; null: unknown. */
    readonly coverage: number | null
  } | null
  /** Cosine to the question, −1 to 1; null: no vector. */
  readonly cosine: number | null
  /** Probability of relevance by a reranker, 0 to 1. */
  readonly rerank?: number | null
  /** What came of showing it before, −1 (always failed) to 1 (always helped); 0 or missing: nothing known. */
  readonly credit?: number
}

/** What is known of the question against the collection searched. */
export interface FusionQuery {
  /** The most BM25 that any document could reach. */
  readonly attainable: number
  readonly terms: number
  /** Share of the question's words that the embedder knows, 0 to 1; 0 without an embedder. */
  readonly embeddingCoverage: number
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
    readonly credit: number
  }
}

export interface FusedSearch<Item> {
  /** Best first. */
  readonly results: FusedResult<Item>[]
  /** Probability that anything found answers the question; below the operating point, nothing should be shown. */
  readonly answerable: number
  readonly evidence: SearchEvidence
}

/** Weight of cosine × embedding coverage beside BM25 / best BM25. */
const COSINE_WEIGHT = 0.7
/** Share that a reranker's opinion has in the log-odds. */
const RERANK_SHARE = 0.7
/** Log-odds that a perfect record adds. */
const CREDIT_WEIGHT = 0.5

/**
 * Fuses the candidates of one collection: score = BM25 / best BM25 + 0.7 · coverage · cosine, and from it and the
 * search's own evidence a probability.
 */
export function fuse<Item>(candidates: readonly FusionCandidate<Item>[], query: FusionQuery): FusedSearch<Item> {
  const bestScore = maximum(candidates, ({ keyword }) => keyword?.score ?? 0)
  const evidence: SearchEvidence = {
    terms: query.terms,
    embeddingCoverage: query.embeddingCoverage,
    bestKeyword: query.attainable > 0 ? Math.min(1, bestScore / query.attainable) : 0,
    bestCoverage: maximum(candidates, ({ keyword }) => keyword?.coverage ?? 0),
    bestCosine: maximum(candidates, ({ cosine }) => cosine ?? 0),
  }
  const keywordRanks = ranks(candidates, ({ keyword }) => keyword?.score ?? null)
  const semanticRanks = ranks(candidates, ({ cosine }) => cosine)
  const results = candidates.map((candidate): FusedResult<Item> => {
    const { item, keyword, cosine } = candidate
    const score =
      (keyword && bestScore > 0 ? keyword.score / bestScore : 0) +
      COSINE_WEIGHT * query.embeddingCoverage * (cosine ?? 0)
    const rerank = candidate.rerank ?? null
    const credit = Math.min(1, Math.max(-1, candidate.credit ?? 0))
    return {
      item,
      score,
      probability: probabilityOf(score, evidence, rerank, credit),
      breakdown: {
        keyword: keyword && {
          rank: keywordRanks.get(candidate) ?? 0,
          score: keyword.score,
          coverage: keyword.coverage,
        },
        semantic: cosine === null ? null : { rank: semanticRanks.get(candidate) ?? 0, score: cosine },
        rerank,
        credit,
      },
    }
  })
  results.sort((a, b) => b.probability - a.probability || b.score - a.score)
  return { results, answerable: results[0]?.probability ?? 0, evidence }
}

function probabilityOf(score: number, evidence: SearchEvidence, rerank: number | null, credit: number): number {
  const own = 4 * score + 3 * evidence.bestCoverage + 2 * evidence.bestCosine - 7
  const pooled = rerank === null ? own : (1 - RERANK_SHARE) * own + RERANK_SHARE * logOdds(rerank)
  return logistic(pooled + CREDIT_WEIGHT * credit)
}

function maximum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((best, value) => Math.max(best, of(value)), 0)
}

function ranks<T>(values: readonly T[], of: (value: T) => number | null): Map<T, number> {
  const listed = values.filter((value) => of(value) !== null)
  return new Map(listed.sort((a, b) => (of(b) ?? 0) - (of(a) ?? 0)).map((value, i) => [value, i + 1]))
}
