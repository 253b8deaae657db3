/**
 * Searches collections through the knowledge store and ranks the results by probability of relevance.
 * @module
 */
import type { Database } from '../database/database.ts'
import { CoordinatorError } from '../errors.ts'
import type { ExternalList } from '../inference/embedding/aidb.ts'
import type { Embedder, Embedding, EmbeddingSpace } from '../inference/embedding/embedder.ts'
import { STATIC_SPACE } from '../inference/embedding/static/embedder.ts'
import type { Reranker } from '../inference/reranking/reranker.ts'
import { type CollectionName, type ContextId, contextId } from '../knowledge/collections.ts'
import type { FieldFilter, KnowledgeStore, SearchResponse, StoredItem } from '../knowledge/stores/store.ts'
import { logOdds } from '../ranking/calibration.ts'
import { type CodeCandidate, type FusedCode, fuseCode } from '../ranking/code/fuse-code.ts'
import { readQuestion } from '../ranking/code/question.ts'
import { codeWeights } from '../ranking/code/weights.ts'
import type { Turn } from '../ranking/conversation-smoothing.ts'
import { betaMean, creditShift, posterior } from '../ranking/credit.ts'
import { type FusedResult, type FusedSearch, fuse } from '../ranking/fusion.ts'
import { type Features, featuresOf } from '../ranking/learnt/features.ts'
import type { ProjectRanking } from '../ranking/learnt/project-ranking.ts'
import { FILE_KINDS } from '../text/file-kind.ts'
import { analyseQuery, type QueryAnalysis } from '../text/query-analysis.ts'
import { tokenise } from '../text/tokens.ts'
import type { Truncation } from '../text/truncation.ts'
import { askExternalList, type ExternalFindings, NOTHING_EXTERNAL, rankExternal } from './external-list.ts'
import { documentOf, evidenceFor, learntRanking, learntShifts, NOTHING_LEARNT } from './learnt-shifts.ts'

/** Number of candidates that each list contributes. */
const DEPTH = 100
/** Number of results that a reranker reads. */
const RERANKED = 20
/** Minimum number of candidates. Fusion may reorder, so it considers more candidates than results. */
const MIN_CANDIDATES = 30

export interface SearchServices {
  readonly knowledge: KnowledgeStore
  readonly embedder: Embedder
  readonly reranker?: Reranker | null
  readonly external?: ExternalList | null
  readonly settings: object & { readonly RANKING_LEARNING?: 'on' | 'off' }
  /** Where the learnt ranking is stored. Without it, no learnt ranking is applied. */
  readonly database?: Database
  now(): number
}

export interface SearchOptions {
  readonly project: string
  readonly query: string
  readonly collections: readonly CollectionName[]
  readonly mode: 'hybrid' | 'keyword' | 'semantic'
  readonly limit: number
  /** Minimum probability of relevance. */
  readonly scoreThreshold: number
  /** list: locations to inspect, every file once before any file twice; prompt: text that is read together. */
  readonly purpose?: 'list' | 'prompt'
  readonly filter?: FieldFilter
  /** Whether the external list is queried too. Never with a filter, because the list doesn't support filters. */
  readonly external?: boolean
}

export interface RankedItem extends FusedResult<StoredItem> {
  /** Probability that anything in the collection answers the query. */
  readonly answerable: number
}

export interface SearchOutcome {
  /** By decreasing probability of relevance. */
  readonly ranked: RankedItem[]
  /** By decreasing BM25, one collection after another. */
  readonly keyword: RankedItem[]
  /** By decreasing cosine. */
  readonly semantic: RankedItem[]
  /** Probability that any result answers the query, before the threshold is applied. */
  readonly answerable: number
  /** Terms of the query that were searched. */
  readonly terms: string[]
  /** Inverse document frequency of each term: the maximum over the searched collections. */
  readonly termWeights: Map<string, number>
  readonly degraded: string[]
  /** The limits that the query exceeds. */
  readonly truncated: readonly Truncation[]
}

/** The index terms of a text. */
export function termsOf(text: string): string[] {
  const { words, compounds } = tokenise(text, 'document')
  return [...words, ...compounds]
}

/**
 * Searches collections in parallel and ranks all their items by probability of relevance.
 * @throws CoordinatorError `engine_unavailable` when no collection could be searched
 */
export async function searchKnowledge(services: SearchServices, options: SearchOptions): Promise<SearchOutcome> {
  const { project, collections, mode, limit, filter } = options
  const degraded = new Set<string>()
  const analysis = analyseQuery(options.query)
  const text = searchedText(options.query, analysis)
  const [learnt, embedding] = await Promise.all([
    learntRanking(services, project),
    mode === 'keyword' ? null : embedQuery(services.embedder, text, degraded),
  ])
  const request = {
    text,
    vector: embedding?.vector ?? null,
    space: services.embedder.space,
    keyword: mode !== 'semantic',
    depth: Math.max(DEPTH, limit),
    limit: Math.max(limit, MIN_CANDIDATES),
    filter,
    lists: learnt.weights.size > 0,
  }
  let failure: unknown = null
  const asked = options.external && mode !== 'keyword' && !filter ? services.external : null
  const [answers, listed] = await Promise.all([
    Promise.all(
      collections.map((collection) =>
        services.knowledge.search({ project, collection }, request).catch((thrown: unknown): SearchResponse | null => {
          failure ??= thrown
          degraded.add(`collection:${collection}`)
          return null
        }),
      ),
    ),
    asked ? askExternalList(asked, project, text, degraded) : null,
  ])
  const found = answers.filter((answer) => answer !== null)
  if (found.length === 0) {
    // Passes on the error of a store that states its reason.
    if (failure instanceof CoordinatorError && failure.code === 'engine_unavailable') throw failure
    throw new CoordinatorError('engine_unavailable', 'The knowledge store does not answer.', {
      hint: 'Try again shortly.',
    })
  }
  for (const answer of found) for (const part of answer.degraded) degraded.add(part)
  const { places, own } = listed
    ? await rankExternal(
        { project, query: text, embedding, embedder: services.embedder },
        listed,
        found.flatMap(({ candidates }) => candidates.map(({ item }) => item)),
      )
    : NOTHING_EXTERNAL
  const how = { embedding, mode, learnt, places, analysis, space: services.embedder.space, purpose: options.purpose }
  const first = found.map((answer) => fuseAnswer(answer, how))
  const opinions = services.reranker ? await rerankBest(services.reranker, text, first, degraded) : null
  const stored = opinions ? found.map((answer) => fuseAnswer(answer, { ...how, opinions })) : first
  const fused = own ? [...stored, own] : stored
  const wanted = fused
    .flatMap(({ results, answerable }) => results.map((result) => ({ ...result, answerable })))
    .filter(({ probability }) => probability >= options.scoreThreshold)
  const termWeights = weighTerms(found)
  const vectorTruncation = (embedding && services.embedder.truncation?.(text, 'query')) ?? null
  return {
    ranked: [...wanted].sort((a, b) => b.probability - a.probability || b.score - a.score),
    keyword: byList(wanted, 'keyword'),
    semantic: byList(wanted, 'semantic'),
    answerable: Math.max(0, ...fused.map(({ answerable }) => answerable)),
    terms: [...termWeights.keys()],
    termWeights,
    degraded: [...degraded],
    truncated: [...analysis.truncated, ...(vectorTruncation ? [vectorTruncation] : [])],
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

/** The reranker's probabilities for the best results of all collections, by item; null when it doesn't answer. */
async function rerankBest(
  reranker: Reranker,
  query: string,
  fused: readonly Fused[],
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

function searchedText(query: string, { searchText }: QueryAnalysis): string {
  return searchText.trim() === '' ? query : searchText
}

type Fused = FusedSearch<StoredItem> | FusedCode<StoredItem>

/** The inputs for fusing the results of a collection. */
interface Fusing {
  readonly embedding: Embedding | null
  readonly mode: SearchOptions['mode']
  readonly learnt: ProjectRanking
  readonly places: ExternalFindings['places']
  readonly analysis: QueryAnalysis
  readonly space: EmbeddingSpace
  readonly purpose?: SearchOptions['purpose']
  readonly opinions?: ReadonlyMap<StoredItem, number>
}

/** Log-odds penalty for each further piece of the same file, see {@link CodeQuery}. */
const FURTHER_PIECE_LOSS = { list: 3, prompt: 0.5 } as const

function fuseAnswer(answer: SearchResponse, how: Fusing): Fused {
  const { candidates, terms, attainable, credit, items, averageLength } = answer
  const { embedding, mode, space } = how
  const usual = betaMean(posterior(credit))
  const shifts = learntShifts(answer, how.learnt, { vector: embedding?.vector ?? null, space: space.name })
  const query = {
    attainable: mode === 'semantic' ? 0 : attainable,
    terms: terms.length,
    compounds: terms.filter(({ kind }) => kind === 'compound').length,
    embeddingCoverage: embedding?.coverage ?? 0,
    items,
    averageLength,
    ...(answer.scale ? { scale: answer.scale } : space.name !== STATIC_SPACE.name && { scale: null }),
    sentences: space.name !== STATIC_SPACE.name,
  }
  const fusible = candidates.map(({ item, keyword, cosine }, i) => ({
    item,
    keyword: keyword && keyword.score > 0 ? keyword : null,
    cosine,
    turn: turnOf(item),
    rerank: how.opinions?.get(item) ?? null,
    external: how.places.get(item) ?? null,
    credit: creditShift(item.credit, usual),
    learned: shifts[i] ?? 0,
  }))
  if (!candidates.some(({ item }) => item.collection === 'codebase-context')) return fuse(fusible, query)
  return fuseCode(
    fusible.map((candidate) => ({ ...candidate, ...codeOf(candidate.item) })),
    {
      ...query,
      question: readQuestion(how.analysis, terms),
      weights: codeWeights(space),
      space: space.name,
      furtherPieceLoss: FURTHER_PIECE_LOSS[how.purpose ?? 'list'],
    },
  )
}

/** The fields that the ranking of code uses. */
function codeOf({ fields, body }: StoredItem): Pick<CodeCandidate<StoredItem>, 'path' | 'symbols' | 'body' | 'kind'> {
  const { file_path: path, symbols, kind } = fields
  return {
    path: typeof path === 'string' ? path : '',
    symbols: Array.isArray(symbols) ? symbols.filter((symbol) => typeof symbol === 'string') : [],
    body,
    kind: FILE_KINDS.find((name) => name === kind) ?? null,
  }
}

/** Number of candidates per collection in training. */
const TRAINED_ON = 30

/**
 * A query's vector and its best candidates, as used by the learnt ranking: fusion's log-odds, without credit and learnt
 * shifts.
 */
export async function rankingCandidates(
  services: SearchServices,
  project: string,
  query: string,
  collections: readonly CollectionName[],
): Promise<{
  vector: Float32Array | null
  candidates: { contextId: ContextId; base: number; document: number; features: Features }[]
}> {
  const analysis = analyseQuery(query)
  const text = searchedText(query, analysis)
  const embedding = await embedQuery(services.embedder, text, new Set())
  const answers = await Promise.all(
    collections.map((collection) =>
      services.knowledge.search(
        { project, collection },
        {
          text,
          vector: embedding?.vector ?? null,
          space: services.embedder.space,
          keyword: true,
          depth: DEPTH,
          limit: MIN_CANDIDATES,
          lists: true,
        },
      ),
    ),
  )
  const candidates = answers.flatMap((answer) => {
    const neutral = answer.candidates.map((candidate) => ({
      ...candidate,
      item: { ...candidate.item, credit: { successes: 0, partials: 0, failures: 0 } },
    }))
    const byId = new Map(answer.candidates.map((candidate) => [candidate.item.id, candidate]))
    const { results } = fuseAnswer(
      { ...answer, candidates: neutral },
      {
        embedding,
        mode: 'hybrid',
        learnt: NOTHING_LEARNT,
        places: new Map(),
        analysis,
        space: services.embedder.space,
        purpose: 'prompt',
      },
    )
    return results.slice(0, TRAINED_ON).flatMap(({ item, probability }) => {
      const candidate = byId.get(item.id)
      if (!candidate) return []
      const features = featuresOf(answer, evidenceFor(answer, candidate))
      const document = documentOf(item)
      return [{ contextId: contextId(item.collection, item.id), base: logOdds(probability), document, features }]
    })
  })
  return { vector: embedding?.vector ?? null, candidates }
}

/** Items that are turns of a conversation are marked in their fields. */
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
