/**
 * Hybrid search in Qdrant: one batch of queries returns everything that fusion needs.
 *
 * Qdrant selects candidates (its sparse index with inverse document frequencies of the project's own points, and the
 * dense vector of the space). The Worker then scores them exactly, with the same plan and term lists as the embedded
 * index, so that both stores return the same evidence.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { queryTerms } from '../../../text/index-terms.ts'
import {
  type KeywordEvidence,
  type KeywordPlan,
  keywordEvidence,
  planKeywordSearch,
} from '../../../text/keyword-plan.ts'
import { TermListReader } from '../../../text/term-list.ts'
import { contextId } from '../../collections.ts'
import { preselect } from '../preselect.ts'
import type { Candidate, CollectionScope, Credit, SearchRequest, SearchResponse } from '../store.ts'
import { TERMS } from './connection.ts'
import type { Corpus } from './corpus.ts'
import { itemFilter, readStoredItem, termListOf, termWeight } from './points.ts'

/** Number of points sampled for lengths and for credit. Ids are hashes, so the first ids are a fair sample. */
const SAMPLE = 64
const CREDIT_SAMPLE = 256

/**
 * Compressed vectors only select candidates: twice as many as requested, rescored with the full vectors, so that scores
 * are true cosines.
 */
const BY_WHOLE_VECTORS = { quantization: { rescore: true, oversampling: 2 } }

const EMPTY = { items: 0, averageLength: 0, documentFrequencies: new Map<string, number>() }

type Point = Schemas['ScoredPoint']

/** The queries of one search, in the order in which {@link readSearch} expects their answers. */
export interface SearchBatch {
  readonly searches: Schemas['QueryRequest'][]
  /** Index of each answer in the batch; null: not requested. */
  readonly at: {
    readonly dense: number | null
    readonly keyword: number | null
    readonly cosines: number | null
    readonly probes: readonly number[]
    readonly lengths: number | null
    readonly credit: number | null
  }
}

/**
 * Plans the batch for a request.
 * @param using the dense vector to search; null: leave the vector list out
 * @param known whether the corpus is already known
 */
export function planSearch(
  { project }: CollectionScope,
  request: SearchRequest,
  using: string | null,
  known: boolean,
): SearchBatch {
  const searches: Schemas['QueryRequest'][] = []
  const add = (search: Schemas['QueryRequest']) => searches.push(search) - 1
  const filter = itemFilter(project, request.filter)
  const corpus = itemFilter(project)
  const idf = { idf: { corpus } }
  const vector = using !== null && request.vector ? Array.from(request.vector) : null
  const unweighed = planKeywordSearch(queryTerms(request.text), EMPTY).terms
  const dense =
    vector && using !== null
      ? add({ query: vector, using, filter, params: BY_WHOLE_VECTORS, limit: request.depth, with_payload: true })
      : null
  let keyword: number | null = null
  let cosines: number | null = null
  if (request.keyword && unweighed.length > 0) {
    // In an empty collection all terms are equally rare. What remains is the weight of each term in the question.
    const rarest = Math.max(...unweighed.map(({ idf }) => idf))
    const query = {
      indices: unweighed.map(({ hash }) => hash),
      values: unweighed.map(({ weight }) => weight / rarest),
    }
    const sparse = { query, using: TERMS, filter, params: idf, limit: request.depth }
    keyword = add({ ...sparse, with_payload: true })
    if (vector && using !== null) {
      cosines = add({
        prefetch: sparse,
        query: vector,
        using,
        params: BY_WHOLE_VECTORS,
        limit: request.depth,
        with_payload: false,
      })
    }
  }
  // The score of the best point for a single term reveals the term's inverse document frequency.
  const probes = unweighed.map(({ hash }) =>
    add({
      query: { indices: [hash], values: [1] },
      using: TERMS,
      filter: corpus,
      params: idf,
      limit: 1,
      with_payload: ['terms'],
    }),
  )
  if (known) return { searches, at: { dense, keyword, cosines, probes, lengths: null, credit: null } }
  const lengths = add({ filter: corpus, limit: SAMPLE, with_payload: ['length'] })
  const credited = { must: [...corpus.must, { key: 'credit_version', range: { gt: 0 } }] }
  const credit = add({ filter: credited, limit: CREDIT_SAMPLE, with_payload: ['successes', 'partials', 'failures'] })
  return { searches, at: { dense, keyword, cosines, probes, lengths, credit } }
}

/**
 * Builds the response from the answers to a batch.
 * @param corpus properties of the project's items in the collection; see {@link readCorpus}
 */
export function readSearch(
  { collection }: CollectionScope,
  request: SearchRequest,
  { at }: SearchBatch,
  answers: readonly { points: Point[] }[],
  corpus: Corpus,
): SearchResponse {
  const points = (index: number | null) => (index === null ? [] : (answers[index]?.points ?? []))
  const plan = planOf(request.text, corpus, at, points)
  const found = new Map<string, Point>()
  const cosines = new Map<string, number>()
  for (const point of [...points(at.dense), ...points(at.keyword)]) found.set(String(point.id), point)
  for (const { id, score } of [...points(at.dense), ...points(at.cosines)]) {
    if (Number.isFinite(score)) cosines.set(String(id), score)
  }
  const evidence = [...found.values()].map((point) => ({
    point,
    keyword: request.keyword ? evidenceOf(plan, point) : null,
    cosine: cosines.get(String(point.id)) ?? null,
  }))
  const candidates: Candidate[] = []
  const degraded: string[] = []
  for (const { point, keyword, cosine } of preselect(evidence, request.limit, byId)) {
    const item = readStoredItem(collection, point)
    if (item) candidates.push({ item, keyword, cosine, ...(request.lists && { list: termListOf(point) }) })
    else degraded.push(`item:${contextId(collection, String(point.id))}`)
  }
  return {
    candidates,
    degraded,
    items: corpus.items,
    terms: plan.terms,
    totalIdf: plan.totalIdf,
    attainable: plan.attainable,
    averageLength: plan.averageLength,
    credit: corpus.credit,
  }
}

/** Reads the corpus from the answers to a batch that requested it. */
export function readCorpus({ at }: SearchBatch, answers: readonly { points: Point[] }[], items: number): Corpus {
  const points = (index: number | null) => (index === null ? [] : (answers[index]?.points ?? []))
  const lengths = points(at.lengths).map(({ payload }) => Number(payload?.length ?? 0))
  const averageLength = lengths.length === 0 ? 0 : lengths.reduce((sum, one) => sum + one, 0) / lengths.length
  return { items, averageLength, credit: sumCredit(points(at.credit)) }
}

function planOf(
  text: string,
  { items, averageLength }: Corpus,
  at: SearchBatch['at'],
  points: (index: number | null) => Point[],
): KeywordPlan {
  const terms = queryTerms(text)
  const unweighed = planKeywordSearch(terms, EMPTY)
  const documentFrequencies = new Map<string, number>()
  unweighed.terms.forEach(({ term, hash }, i) => {
    const [best] = points(at.probes[i] ?? null)
    if (best) documentFrequencies.set(term, documentFrequency(best, hash, items))
  })
  return planKeywordSearch(terms, { items, averageLength, documentFrequencies })
}

/**
 * The number of points that contain a term, from the score of one of them: score = idf × weight, and Qdrant's idf =
 * ln((N − n + ½) / (n + ½) + 1), solved for n.
 */
function documentFrequency(point: Point, hash: number, items: number): number {
  const reader = new TermListReader(termListOf(point))
  const weight = termWeight(reader.frequency(hash), reader.length)
  if (!(weight > 0)) return 1
  const odds = Math.expm1(point.score / weight)
  const frequency = Math.round((items + 0.5 - 0.5 * odds) / (1 + odds))
  return Math.min(Math.max(1, frequency), Math.max(1, items))
}

function evidenceOf(plan: KeywordPlan, point: Point): KeywordEvidence {
  return keywordEvidence(plan, termListOf(point))
}

function byId(a: { point: Point }, b: { point: Point }): number {
  return String(a.point.id) < String(b.point.id) ? -1 : 1
}

function sumCredit(points: readonly Point[]): Credit {
  const sum = (field: keyof Credit) => points.reduce((all, { payload }) => all + Number(payload?.[field] ?? 0), 0)
  return { successes: sum('successes'), partials: sum('partials'), failures: sum('failures') }
}
