/**
 * Searches collections through the knowledge store and fuses what each list found.
 * @module
 */
import { CoordinatorError } from '../errors.ts'
import type { Embedder } from '../inference/embedder.ts'
import type { CollectionName } from '../knowledge/collections.ts'
import type { Candidate, FieldFilter, KnowledgeStore, SearchResponse, StoredItem } from '../knowledge/stores/store.ts'
import { documentColumns } from '../text/index-terms.ts'

/** Candidates that each list contributes. */
const DEPTH = 100

export interface SearchServices {
  readonly knowledge: KnowledgeStore
  readonly embedder: Embedder
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

export interface RankedItem {
  readonly item: StoredItem
  readonly probability: number
  readonly breakdown: {
    keyword: { rank: number; score: number } | null
    semantic: { rank: number; score: number } | null
    fused: number
  }
}

export interface SearchOutcome {
  readonly ranked: RankedItem[]
  readonly keyword: RankedItem[]
  readonly semantic: RankedItem[]
  /** Terms of the query that were searched. */
  readonly terms: string[]
  /** Inverse document frequency of each term. */
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
  const { project, query, collections, mode, limit, filter } = options
  const degraded = new Set<string>()
  const embedding = mode === 'keyword' ? null : await embedQuery(services.embedder, query, degraded)
  const answers = await Promise.all(
    collections.map((collection) =>
      services.knowledge
        .search(
          { project, collection },
          {
            text: query,
            vector: embedding,
            space: services.embedder.space,
            keyword: mode !== 'semantic',
            depth: Math.max(DEPTH, limit),
            limit: Math.max(limit, 10),
            filter,
          },
        )
        .catch((): SearchResponse | null => {
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
  const termWeights = inverseDocumentFrequencies(found)
  const all = found.flatMap(({ candidates }) => rankCandidates(candidates, termWeights))
  const wanted = all.filter(({ probability }) => probability >= options.scoreThreshold)
  return {
    ranked: [...wanted].sort((a, b) => b.probability - a.probability || b.breakdown.fused - a.breakdown.fused),
    keyword: byList(wanted, 'keyword'),
    semantic: byList(wanted, 'semantic'),
    terms: [...termWeights.keys()],
    termWeights,
    degraded: [...degraded],
  }
}

async function embedQuery(embedder: Embedder, query: string, degraded: Set<string>): Promise<Float32Array | null> {
  try {
    const [embedding] = await embedder.embed([query], 'query')
    return embedding?.vector ?? null
  } catch {
    degraded.add('vectors')
    return null
  }
}

/** BM25's inverse document frequency over all searched collections together: ln(1 + (N − n + ½) / (n + ½)). */
function inverseDocumentFrequencies(answers: readonly SearchResponse[]): Map<string, number> {
  const items = answers.reduce((sum, answer) => sum + answer.items, 0)
  const frequencies = new Map<string, number>()
  for (const { documentFrequencies } of answers) {
    for (const [term, count] of Object.entries(documentFrequencies)) {
      frequencies.set(term, (frequencies.get(term) ?? 0) + count)
    }
  }
  return new Map([...frequencies].map(([term, n]) => [term, Math.log(1 + (items - n + 0.5) / (n + 0.5))]))
}

function byList(all: readonly RankedItem[], list: 'keyword' | 'semantic'): RankedItem[] {
  return all
    .filter(({ breakdown }) => breakdown[list] !== null)
    .sort((a, b) => (b.breakdown[list]?.score ?? 0) - (a.breakdown[list]?.score ?? 0))
}

function rankCandidates(candidates: readonly Candidate[], termWeights: ReadonlyMap<string, number>): RankedItem[] {
  const attainable = 2.2 * [...termWeights.values()].reduce((sum, weight) => sum + weight, 0)
  const rankOf = (key: 'keywordScore' | 'cosine') =>
    new Map(
      candidates
        .filter((candidate) => candidate[key] !== null)
        .sort((a, b) => (b[key] ?? 0) - (a[key] ?? 0))
        .map((candidate, i) => [candidate, i + 1]),
    )
  const keywordRanks = rankOf('keywordScore')
  const cosineRanks = rankOf('cosine')
  return candidates.map((candidate) => {
    const keyword = candidate.keywordScore
    const cosine = candidate.cosine
    const fused = (attainable > 0 ? (keyword ?? 0) / attainable : 0) + 0.5 * Math.max(0, cosine ?? 0)
    return {
      item: candidate.item,
      probability: 1 / (1 + Math.exp(-(8 * fused - 3.5))),
      breakdown: {
        keyword: keyword === null ? null : { rank: keywordRanks.get(candidate) ?? 0, score: keyword },
        semantic: cosine === null ? null : { rank: cosineRanks.get(candidate) ?? 0, score: cosine },
        fused,
      },
    }
  })
}
