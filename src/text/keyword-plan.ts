/**
 * Weights the terms of a question for a collection, and scores items by them: BM25.
 * @module
 */

import { type QueryTerm, queryTerms } from './index-terms.ts'
import { hashTerm, TermListReader } from './term-list.ts'

/** BM25's saturation and length normalisation, at their usual values. */
export const BM25_K1 = 1.2
export const BM25_B = 0.75
/** Maximum count of a repeated term in a question. */
const MAX_REPEATS = 3
/**
 * Number of imaginary items without the term that are added to every collection, so that terms are informative in a
 * small one.
 */
const BACKGROUND_ITEMS = 100

/**
 * Programming languages. A question usually names one to say which collection is meant, and code rarely contains the
 * name of its own language. Such a term has half the weight (measured on CoSQA: nDCG@10 .388 → .401; other sets
 * unchanged within 0.003).
 */
const LANGUAGES: ReadonlySet<string> = new Set(
  'python javascript typescript java golang ruby php rust kotlin swift perl scala haskell'
    .split(' ')
    .map((name) => queryTerms(name)[0]?.term ?? name),
)
const LANGUAGE_WEIGHT = 0.5
/**
 * Weight of a name formed by adjacent words. It only adds to a score, because the question contains the words, not the
 * name.
 */
const PHRASE_WEIGHT = 0.5

/** Statistics of a collection, for scoring questions. */
export interface CollectionStatistics {
  readonly items: number
  /** Mean of {@link documentLength} over the items. */
  readonly averageLength: number
  /** Number of items that contain each term. Missing terms are in no item. */
  readonly documentFrequencies: ReadonlyMap<string, number>
}

export interface WeighedTerm {
  readonly term: string
  readonly hash: number
  readonly kind: QueryTerm['kind']
  /** Inverse document frequency, ln(1 + (N + c − n + ½) / (n + ½)), halved for names of programming languages. */
  readonly idf: number
  /** idf × the term's count in the question, at most three. */
  readonly weight: number
}

export interface KeywordPlan {
  readonly terms: readonly WeighedTerm[]
  /** Sum of the terms' idf. */
  readonly totalIdf: number
  /** The score of a document that repeats every term infinitely often. */
  readonly attainable: number
  readonly averageLength: number
}

/** The exact keyword evidence of one candidate. */
export interface KeywordEvidence {
  /** BM25, greater is better; 0: no term in common. */
  readonly score: number
  /** Share of the question's idf covered by the document's terms, 0 to 1. */
  readonly coverage: number
  /** Number of the question's terms in the document. */
  readonly matched: number
  /** Length of the document in terms. */
  readonly length: number
}

/** BM25 inverse document frequency (Robertson and Zaragoza, "The probabilistic relevance framework", 2009, section 3.1, with Lucene's +1). */
function inverseDocumentFrequency(items: number, frequency: number): number {
  const others = Math.max(0, items + BACKGROUND_ITEMS - frequency)
  return Math.log(1 + (others + 0.5) / (frequency + 0.5))
}

/** Plans a search from the question's terms (from `queryTerms`) and the collection's statistics. */
export function planKeywordSearch(asked: readonly QueryTerm[], statistics: CollectionStatistics): KeywordPlan {
  const frequency = (term: { readonly term: string }) => statistics.documentFrequencies.get(term.term) ?? 0
  const weighed = asked.map((term): WeighedTerm => {
    const scale = LANGUAGES.has(term.term) ? LANGUAGE_WEIGHT : 1
    const idf = scale * inverseDocumentFrequency(statistics.items, frequency(term))
    const phrase = term.kind === 'phrase'
    return {
      term: term.term,
      hash: hashTerm(term.term),
      kind: term.kind,
      idf: phrase ? 0 : idf,
      weight: phrase ? PHRASE_WEIGHT * idf : idf * Math.min(term.count, MAX_REPEATS),
    }
  })
  const terms = cappedAbsent(weighed, frequency)
  return {
    terms,
    totalIdf: terms.reduce((sum, { idf }) => sum + idf, 0),
    attainable: terms.reduce((sum, { kind, weight }) => sum + (kind === 'phrase' ? 0 : weight * (BM25_K1 + 1)), 0),
    averageLength: statistics.averageLength,
  }
}

/**
 * Limits the weight of a word that the collection doesn't contain to the average of the other words. Otherwise one
 * unknown word would have half of the question's weight, and no item would seem to answer the rest.
 */
function cappedAbsent(terms: readonly WeighedTerm[], frequency: (term: WeighedTerm) => number): WeighedTerm[] {
  const present = terms.filter((term) => term.idf > 0 && frequency(term) > 0)
  if (present.length === 0) return [...terms]
  const most = present.reduce((sum, { idf }) => sum + idf, 0) / present.length
  return terms.map((term) =>
    term.idf <= most || frequency(term) > 0 ? term : { ...term, idf: most, weight: (term.weight / term.idf) * most },
  )
}

/**
 * Scores one candidate for all terms of the question: BM25 (Robertson and Zaragoza 2009, section 3.4).
 * @param list the candidate's term list
 */
export function keywordEvidence(plan: KeywordPlan, list: Uint8Array): KeywordEvidence {
  const reader = new TermListReader(list)
  const norm = BM25_K1 * (1 - BM25_B + (BM25_B * reader.length) / Math.max(1, plan.averageLength))
  let score = 0
  let covered = 0
  let matched = 0
  for (const { hash, idf, weight } of plan.terms) {
    const frequency = reader.frequency(hash)
    if (frequency === 0) continue
    score += (weight * frequency * (BM25_K1 + 1)) / (frequency + norm)
    covered += idf
    matched++
  }
  return {
    score,
    coverage: plan.totalIdf > 0 ? Math.min(1, covered / plan.totalIdf) : 0,
    matched,
    length: reader.length,
  }
}
