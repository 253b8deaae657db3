/**
 * Chooses which candidates are worth handing to fusion.
 * @module
 */
import type { KeywordEvidence } from '../../text/keyword-plan.ts'

/** Weight of the cosine beside the relative keyword score. */
const COSINE_WEIGHT = 0.6

/** What both lists say of one candidate. */
export interface Evidence {
  readonly keyword: KeywordEvidence | null
  readonly cosine: number | null
}

/**
 * The best `limit` by keyword, by cosine, and by a plain sum of both: what fusion may put into its first `limit`.
 * @param tie orders candidates of equal worth
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
