/**
 * Applies what a project has learnt from outcomes to search results.
 * @module
 */
import type { Database } from '../database/database.ts'
import { fnv1a } from '../hash.ts'
import type { SearchResponse, StoredItem } from '../knowledge/stores/store.ts'
import { type RankingEvidence, weighted } from '../ranking/learnt/features.ts'
import { needShifts } from '../ranking/learnt/needs.ts'
import { type ProjectRanking, projectRanking } from '../ranking/learnt/project-ranking.ts'

export const NOTHING_LEARNT: ProjectRanking = { version: 0, weights: new Map(), needs: null }
/** Maximum shift of a candidate by learning, in log-odds, in either direction. */
const MAX_LEARNT = 3

/** The learnt ranking of a project. If the model can't be read, the search continues without it. */
export async function learntRanking(
  services: {
    readonly database?: Database
    readonly settings: { readonly RANKING_LEARNING?: 'on' | 'off' }
    now(): number
  },
  project: string,
): Promise<ProjectRanking> {
  const { database, settings } = services
  if (!database || settings.RANKING_LEARNING === 'off') return NOTHING_LEARNT
  try {
    return await projectRanking({ database, now: () => services.now() }, project)
  } catch {
    return NOTHING_LEARNT
  }
}

/**
 * Shift of each candidate in log-odds. The mean is 0, so that only the order changes.
 * @param query the query's vector, or null, and the name of its embedding space
 */
export function learntShifts(
  answer: SearchResponse,
  { weights, needs }: ProjectRanking,
  query: { readonly vector: Float32Array | null; readonly space: string },
): number[] {
  if (weights.size === 0 && !needs) return []
  const needed = needs
    ? needShifts(
        needs,
        answer.candidates.map(({ item }) => documentOf(item)),
        query,
      )
    : null
  const raw = answer.candidates.map((candidate, i) => {
    const words = weights.size > 0 ? weighted(weights, answer, evidenceFor(answer, candidate)) : 0
    return Math.max(-MAX_LEARNT, Math.min(MAX_LEARNT, words + (needed?.[i] ?? 0)))
  })
  const mean = raw.reduce((sum, shift) => sum + shift, 0) / Math.max(1, raw.length)
  return raw.map((shift) => shift - mean)
}

/** Hash of the document that an item belongs to. An item without a document counts as its own document. */
export function documentOf({ collection, id, source, path }: StoredItem): number {
  return fnv1a(path === null ? `${collection}/${id}` : JSON.stringify([collection, source, path]))
}

const NO_TERMS = new Uint8Array(0)

/**
 * The evidence for the learnt ranking. If the store returns no term lists, only the evidence of the two result lists is
 * used.
 */
export function evidenceFor(
  { attainable }: SearchResponse,
  { list, keyword, cosine }: SearchResponse['candidates'][number],
): RankingEvidence {
  return {
    list: list ?? NO_TERMS,
    keyword: attainable > 0 ? Math.min(1, (keyword?.score ?? 0) / attainable) : 0,
    coverage: keyword?.coverage ?? 0,
    cosine: cosine ?? 0,
  }
}
