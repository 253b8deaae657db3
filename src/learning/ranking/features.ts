/**
 * What the learnt ranking sees of a candidate: which words it shares with the query, how strongly, and which others it holds.
 * @module
 */
import { documentColumns } from '../../text/index-terms.ts'
import { BM25_B, BM25_K1, type WeighedTerm } from '../../text/keyword-plan.ts'

/** Features of one candidate: name and value. `t:` a matched term's BM25, `h:` that it is matched, `w:` a word beside the query,
 * `e:` evidence of the two lists. */
export type Features = readonly (readonly [name: string, value: number])[]

/** Weights by name of feature, in log-odds. */
export type Weights = ReadonlyMap<string, number>

/** Characters of an item that are looked at. */
const CHARACTERS = 4_000
/** Scales of the kinds. Together with the unit prior of the weights they say how far each kind may go unasked. */
const TERM_SCALE = 0.2
const HIT_SCALE = 0.5
const WORD_SCALE = 0.9
const EVIDENCE_SCALE = 0.5

/** What the two lists say of a candidate, as the store returned it. */
export interface Evidence {
  /** BM25 over the most that the query could reach, 0 to 1. */
  readonly keyword: number
  /** Covered share of the query's information, 0 to 1. */
  readonly coverage: number
  readonly cosine: number
}

/**
 * Features of an item for a query.
 * @param terms of the query, as the collection weighs them
 * @param averageLength of the collection's items, in terms
 */
export function rankingFeatures(
  terms: readonly WeighedTerm[],
  item: { readonly title: string; readonly body: string },
  averageLength: number,
  evidence: Evidence,
): Features {
  const counts = new Map<string, number>()
  const columns = documentColumns({ title: item.title.slice(0, CHARACTERS), body: item.body.slice(0, CHARACTERS) })
  let length = 0
  for (const term of `${columns.title} ${columns.body} ${columns.identifiers}`.split(' ')) {
    if (term === '') continue
    counts.set(term, (counts.get(term) ?? 0) + 1)
    length++
  }
  const features: [string, number][] = [
    ['e:keyword', EVIDENCE_SCALE * evidence.keyword],
    ['e:coverage', EVIDENCE_SCALE * evidence.coverage],
    ['e:cosine', 3 * EVIDENCE_SCALE * evidence.cosine],
    ['e:length', EVIDENCE_SCALE * Math.log(Math.max(0.05, length / Math.max(1, averageLength)))],
  ]
  const norm = BM25_K1 * (1 - BM25_B + (BM25_B * length) / Math.max(1, averageLength))
  const asked = new Set<string>()
  for (const { term, idf } of terms) {
    asked.add(term)
    const frequency = counts.get(term)
    if (frequency === undefined) continue
    features.push([`t:${term}`, (TERM_SCALE * idf * frequency * (BM25_K1 + 1)) / (frequency + norm)])
    features.push([`h:${term}`, HIT_SCALE])
  }
  const share = WORD_SCALE / Math.sqrt(Math.max(1, counts.size))
  for (const word of counts.keys()) if (!asked.has(word)) features.push([`w:${word}`, share])
  return features
}

/** Sum of the weights of a candidate's features, in log-odds. */
export function weighted(weights: Weights, features: Features): number {
  let sum = 0
  for (const [name, value] of features) sum += value * (weights.get(name) ?? 0)
  return sum
}
