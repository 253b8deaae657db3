/**
 * Selects the candidates for fusion.
 * @module
 */
import type { KeywordEvidence } from '../../text/keyword-plan.ts'

/** Weight of the cosine relative to the normalised keyword score. */
const COSINE_WEIGHT = 0.6

/** The evidence of both lists for one candidate. */
export interface Evidence {
  readonly keyword: KeywordEvidence | null
  readonly cosine: number | null
}

/**
 * The best `limit` candidates by keyword, by cosine, and by a plain sum of both: those that fusion may rank among its
 * first `limit`.
 * @param tie orders candidates with equal scores
 */
export function preselect<T extends Evidence>(all: readonly T[], limit: number, tie: (a: T, b: T) => number): T[] {
  const best = Math.max(1e-9, ...all.map(({ keyword }) => keyword?.score ?? 0))
  const chosen = new Set<T>()
  for (const worth of [
    ({ keyword }: T) => keyword?.score || null,
    ({ cosine }: T) => cosine,
    ({ keyword, cosine }: T) => (keyword?.score ?? 0) / best + COSINE_WEIGHT * (cosine ?? 0),
  ]) {
    const ranked = all.filter((entry) => worth(entry) !== null)
    ranked.sort((a, b) => (worth(b) ?? 0) - (worth(a) ?? 0) || tie(a, b))
    for (const entry of ranked.slice(0, limit)) chosen.add(entry)
  }
  return [...chosen]
}
