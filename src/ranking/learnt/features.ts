/**
 * Features of a candidate for the learnt ranking: the words that it shares with the query, how strongly, and its other
 * words. Words are represented by the hashes in the index, so no text is read again and a stored model contains no
 * text.
 * @module
 */
import { BM25_B, BM25_K1, type WeighedTerm } from '../../text/keyword-plan.ts'
import { FREQUENCY_UNIT, readTermList } from '../../text/term-list.ts'

/**
 * Kinds of features: evidence of the two lists; BM25 of a matched term; presence of a matched term; a word that is not
 * in the query.
 */
export const KIND = { evidence: 0, strength: 1, match: 2, beside: 3 } as const

/** Key of a feature: its kind and the hash of its term. */
export function featureKey(kind: (typeof KIND)[keyof typeof KIND], hash: number): number {
  return kind * 2 ** 32 + hash
}

/** Weights by feature key, in log-odds. */
export type Weights = ReadonlyMap<number, number>

/**
 * Scales of the kinds. Together with the unit prior of the weights, they determine how far each kind can shift a
 * candidate without evidence.
 */
const STRENGTH_SCALE = 0.2
const MATCH_SCALE = 0.5
const BESIDE_SCALE = 0.9
const EVIDENCE_SCALE = 0.5

/**
 * The query as compared with candidates: its terms with the collection's weights, and the mean length of the
 * collection's items in terms.
 */
export interface RankingQuery {
  readonly terms: readonly Pick<WeighedTerm, 'hash' | 'idf'>[]
  readonly averageLength: number
}

/** The store's evidence for a candidate. */
export interface RankingEvidence {
  /** Its term list, see term-list.ts. */
  readonly list: Uint8Array
  /** BM25 divided by the maximum that the query could reach, 0 to 1. */
  readonly keyword: number
  /** Covered share of the query's information, 0 to 1. */
  readonly coverage: number
  readonly cosine: number
}

/** Calls a function with the key and value of each feature of a candidate. */
export function visitFeatures(
  { terms, averageLength }: RankingQuery,
  { list, keyword, coverage, cosine }: RankingEvidence,
  visit: (key: number, value: number) => void,
): void {
  const { length, hashes, frequencies } = readTermList(list)
  const relativeLength = length / Math.max(1, averageLength)
  visit(featureKey(KIND.evidence, 0), EVIDENCE_SCALE * keyword)
  visit(featureKey(KIND.evidence, 1), EVIDENCE_SCALE * coverage)
  visit(featureKey(KIND.evidence, 2), 3 * EVIDENCE_SCALE * cosine)
  visit(featureKey(KIND.evidence, 3), EVIDENCE_SCALE * Math.log(Math.max(0.05, relativeLength)))
  const norm = BM25_K1 * (1 - BM25_B + BM25_B * relativeLength)
  const asked = new Map(terms.map(({ hash, idf }) => [hash, idf]))
  const share = BESIDE_SCALE / Math.sqrt(Math.max(1, hashes.length))
  for (let i = 0; i < hashes.length; i++) {
    const hash = hashes[i] ?? 0
    const idf = asked.get(hash)
    if (idf === undefined) {
      visit(featureKey(KIND.beside, hash), share)
      continue
    }
    const frequency = (frequencies[i] ?? 0) * FREQUENCY_UNIT
    visit(featureKey(KIND.strength, hash), (STRENGTH_SCALE * idf * frequency * (BM25_K1 + 1)) / (frequency + norm))
    visit(featureKey(KIND.match, hash), MATCH_SCALE)
  }
}

/** Features of a candidate as stored for training: the keys, and the value of each. */
export interface Features {
  readonly keys: Float64Array
  readonly values: Float32Array
}

/** All features of a candidate. */
export function featuresOf(query: RankingQuery, evidence: RankingEvidence): Features {
  const keys: number[] = []
  const values: number[] = []
  visitFeatures(query, evidence, (key, value) => {
    keys.push(key)
    values.push(value)
  })
  return { keys: Float64Array.from(keys), values: Float32Array.from(values) }
}

/** Sum of the weights of a candidate's features, in log-odds. */
export function weighted(weights: Weights, query: RankingQuery, evidence: RankingEvidence): number {
  let sum = 0
  visitFeatures(query, evidence, (key, value) => {
    sum += value * (weights.get(key) ?? 0)
  })
  return sum
}
