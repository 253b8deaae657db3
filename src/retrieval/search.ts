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
  const termWeights = weighTerms(found)
  const all = found.flatMap(rankCandidates)
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

/** Weight of each term over all searched collections: the greatest of any, so that a term common in one still counts. */
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

function rankCandidates({ candidates, attainable }: SearchResponse): RankedItem[] {
  const rank = (worth: (candidate: Candidate) => number | null) =>
    new Map(
      candidates
        .filter((candidate) => worth(candidate) !== null)
        .sort((a, b) => (worth(b) ?? 0) - (worth(a) ?? 0))
        .map((candidate, i) => [candidate, i + 1]),
    )
  const keywordRanks = rank(({ keyword }) => keyword?.score || null)
  const cosineRanks = rank(({ cosine }) => cosine)
  return candidates.map((candidate) => {
    const score = candidate.keyword?.score ?? 0
    const { cosine } = candidate
    const fused = (attainable > 0 ? score / attainable : 0) + 0.5 * Math.max(0, cosine ?? 0)
    return {
      item: candidate.item,
      probability: 1 / (1 + Math.exp(-(8 * fused - 3.5))),
      breakdown: {
        keyword: score === 0 ? null : { rank: keywordRanks.get(candidate) ?? 0, score },
        semantic: cosine === null ? null : { rank: cosineRanks.get(candidate) ?? 0, score: cosine },
        fused,
      },
    }
  })
}
