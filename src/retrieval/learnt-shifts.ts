/**
 * What a project's outcomes have taught, applied to what a search has found.
 * @module
 */
import type { Database } from '../database/database.ts'
import { fnv1a } from '../hash.ts'
import type { SearchResponse, StoredItem } from '../knowledge/stores/store.ts'
import { type RankingEvidence, weighted } from '../ranking/learnt/features.ts'
import { needShifts } from '../ranking/learnt/needs.ts'
import { type ProjectRanking, projectRanking } from '../ranking/learnt/project-ranking.ts'

export const NOTHING_LEARNT: ProjectRanking = { version: 0, weights: new Map(), needs: null }
/** Log-odds that learning may move a candidate by, either way. */
const MAX_LEARNT = 3

/** What a project has learnt. A model that can't be read costs what was learnt, not the search. */
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
 * Shift of each candidate in log-odds, around a mean of 0 so that only their order is learnt.
 * @param query its vector, null without one, and the name of its space
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

/** Hash of the document that an item is a piece of; an item of no document stands for itself. */
export function documentOf({ collection, id, source, path }: StoredItem): number {
  return fnv1a(path === null ? `${collection}/${id}` : JSON.stringify([collection, source, path]))
}

const NO_TERMS = new Uint8Array(0)

/** What the learnt ranking goes by; a store that gives no term lists leaves it the two lists' evidence. */
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
