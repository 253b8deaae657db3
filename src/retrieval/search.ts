/**
 * Searches collections through the knowledge store and ranks what was found by probability of relevance.
 * @module
 */
import { CoordinatorError } from '../errors.ts'
import type { Embedder, Embedding } from '../inference/embedder.ts'
import type { Reranker } from '../inference/reranker.ts'
import type { CollectionName } from '../knowledge/collections.ts'
import type { FieldFilter, KnowledgeStore, SearchResponse, StoredItem } from '../knowledge/stores/store.ts'
import { betaMean, creditShift, posterior } from '../learning/credit.ts'
import { documentColumns } from '../text/index-terms.ts'
import type { Turn } from './conversation-smoothing.ts'
import { type FusedResult, type FusedSearch, fuse } from './fusion.ts'
import { analyseQuery } from './query-analysis.ts'

/** Candidates that each list contributes. */
const DEPTH = 100
/** Results that a reranker reads. */
const RERANKED = 20
/** Fusion may reorder, so more candidates than results are looked at. */
const FEWEST_CANDIDATES = 20

export interface SearchServices {
  readonly knowledge: KnowledgeStore
  readonly embedder: Embedder
  readonly reranker?: Reranker | null
  readonly settings: object
  now(): number
}

export interface SearchOptions {
  readonly project: string
  readonly query: string
  readonly collections: readonly CollectionName[]
  readonly mode: 'hybrid' | 'keyword' | 'semantic'
  readonly limit: number
  /** Least probability of relevance. */
  readonly scoreThreshold: number
  readonly filter?: FieldFilter
}

export interface RankedItem extends FusedResult<StoredItem> {
  /** Probability that anything in its collection answers the query. */
  readonly answerable: number
}

export interface SearchOutcome {
  /** By falling probability of relevance. */
  readonly ranked: RankedItem[]
  /** By falling BM25, of each collection in turn. */
  readonly keyword: RankedItem[]
  /** By falling cosine. */
  readonly semantic: RankedItem[]
  /** Probability that anything found answers the query, before the threshold. */
  readonly answerable: number
  /** Terms of the query that were searched. */
  readonly terms: string[]
  /** Inverse document frequency of each term, the greatest of any searched collection. */
  readonly termWeights: Map<string, number>
  readonly degraded: string[]
}

/** The terms of a text as the index holds them. */
export function termsOf(text: string): string[] {
  const { body, identifiers } = documentColumns({ body: text })
  return `${body} ${identifiers}`.split(' ')
}

/**
 * Searches collections in parallel and ranks all their items by probability of relevance.
 * @throws CoordinatorError `engine_unavailable` when no collection could be searched
 */
export async function searchKnowledge(services: SearchServices, options: SearchOptions): Promise<SearchOutcome> {
  const { project, collections, mode, limit, filter } = options
  const degraded = new Set<string>()
  const { searchText } = analyseQuery(options.query)
  const text = searchText.trim() === '' ? options.query : searchText
  const embedding = mode === 'keyword' ? null : await embedQuery(services.embedder, text, degraded)
  const request = {
    text,
    vector: embedding?.vector ?? null,
    space: services.embedder.space,
    keyword: mode !== 'semantic',
    depth: Math.max(DEPTH, limit),
    limit: Math.max(limit, FEWEST_CANDIDATES),
    filter,
  }
  const answers = await Promise.all(
    collections.map((collection) =>
      services.knowledge.search({ project, collection }, request).catch((): SearchResponse | null => {
        degraded.add(`collection:${collection}`)
        return null
      }),
    ),
  )
  const found = answers.filter((answer) => answer !== null)
  if (found.length === 0) {
    throw new CoordinatorError('engine_unavailable', 'The knowledge store does not answer.', {
      hint: 'Try again shortly.',
    })
  }
  for (const answer of found) for (const part of answer.degraded) degraded.add(part)
  const first = found.map((answer) => fuseAnswer(answer, embedding, mode))
  const opinions = services.reranker ? await rerankBest(services.reranker, text, first, degraded) : null
  const fused = opinions ? found.map((answer) => fuseAnswer(answer, embedding, mode, opinions)) : first
  const wanted = fused
    .flatMap(({ results, answerable }) => results.map((result) => ({ ...result, answerable })))
    .filter(({ probability }) => probability >= options.scoreThreshold)
  const termWeights = weighTerms(found)
  return {
    ranked: [...wanted].sort((a, b) => b.probability - a.probability || b.score - a.score),
    keyword: byList(wanted, 'keyword'),
    semantic: byList(wanted, 'semantic'),
    answerable: Math.max(0, ...fused.map(({ answerable }) => answerable)),
    terms: [...termWeights.keys()],
    termWeights,
    degraded: [...degraded],
  }
}

async function embedQuery(embedder: Embedder, query: string, degraded: Set<string>): Promise<Embedding | null> {
  try {
    const [embedding] = await embedder.embed([query], 'query')
    return embedding ?? null
  } catch {
    degraded.add('vectors')
    return null
  }
}

/** The reranker's probabilities for the best results of all collections, by item; null when it does not answer. */
async function rerankBest(
  reranker: Reranker,
  query: string,
  fused: readonly FusedSearch<StoredItem>[],
  degraded: Set<string>,
): Promise<ReadonlyMap<StoredItem, number> | null> {
  const best = fused
    .flatMap(({ results }) => results)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, RERANKED)
    .map(({ item }) => item)
  if (best.length === 0) return null
  try {
    const probabilities = await reranker.rerank(
      query,
      best.map(({ title, body }) => `${title}\n${body}`),
    )
    return new Map(best.map((item, i) => [item, probabilities[i] ?? 0]))
  } catch {
    degraded.add('reranker')
    return null
  }
}

function fuseAnswer(
  answer: SearchResponse,
  embedding: Embedding | null,
  mode: SearchOptions['mode'],
  opinions?: ReadonlyMap<StoredItem, number>,
): FusedSearch<StoredItem> {
  const { candidates, terms, attainable, credit, items, averageLength } = answer
  const usual = betaMean(posterior(credit))
  return fuse(
    candidates.map(({ item, keyword, cosine }) => ({
      item,
      keyword: keyword && keyword.score > 0 ? keyword : null,
      cosine,
      turn: turnOf(item),
      rerank: opinions?.get(item) ?? null,
      credit: creditShift(item.credit, usual),
    })),
    {
      attainable: mode === 'semantic' ? 0 : attainable,
      terms: terms.length,
      compounds: terms.filter(({ kind }) => kind === 'compound').length,
      embeddingCoverage: embedding?.coverage ?? 0,
      items,
      averageLength,
    },
  )
}

/** Items that are turns of a conversation say so in their fields. */
function turnOf({ fields }: StoredItem): Turn | undefined {
  const { conversation_id: conversation, turn: position } = fields
  return typeof conversation === 'string' && typeof position === 'number' ? { conversation, position } : undefined
}

function weighTerms(answers: readonly SearchResponse[]): Map<string, number> {
  const weights = new Map<string, number>()
  for (const { terms } of answers) {
    for (const { term, idf } of terms) weights.set(term, Math.max(weights.get(term) ?? 0, idf))
  }
  return weights
}

function byList(all: readonly RankedItem[], list: 'keyword' | 'semantic'): RankedItem[] {
  return all
    .filter(({ breakdown }) => breakdown[list] !== null)
    .sort((a, b) => (b.breakdown[list]?.score ?? 0) - (a.breakdown[list]?.score ?? 0))
}
