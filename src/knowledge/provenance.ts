/**
 * Where an item's words come from. Pure functions.
 * @module
 */

/**
 * - `human`: someone put it in, or corrected an answer with it
 * - `verified_outcome`: taken word for word from an answer that was reported to work by somebody other than who gave it, or by an admin key
 * - `model`: a language model wrote it, and no outcome speaks for these words
 * - `imported`: copied from files or from another system
 */
export const PROVENANCES = ['human', 'verified_outcome', 'model', 'imported'] as const

export type Provenance = (typeof PROVENANCES)[number]

/** What says in `extracted_by` that a pattern was taken from an answer by rules, and no model was asked. */
export const BY_RULES = 'rules'

/** A pattern's provenance: rules take words from an answer, which are verified when its success is; a model writes its own. */
export function patternProvenance(extractedBy: string, verified: boolean): Provenance {
  return extractedBy === BY_RULES && verified ? 'verified_outcome' : 'model'
}

/** Provenance of an answer that was tracked. */
export function answerProvenance(answer: {
  readonly imported: boolean
  readonly verified: boolean
  readonly outcome?: unknown
  readonly userFeedback?: number | null
}): Provenance {
  if (answer.imported) return 'imported'
  return answer.verified && answer.outcome === 'success' && (answer.userFeedback ?? 0) >= 0
    ? 'verified_outcome'
    : 'model'
}

/**
 * Provenance of an item that was stored before items carried one.
 * @param source the repository or feed that it came from
 */
export function inferredProvenance(fields: Readonly<Record<string, unknown>>, source: string | null): Provenance {
  if (source !== null) return 'imported'
  if (typeof fields.extracted_by === 'string') return patternProvenance(fields.extracted_by, true)
  // Only interaction-history has a query without a correction to it.
  if (typeof fields.query === 'string' && fields.correction === undefined) {
    const userFeedback = typeof fields.user_feedback === 'number' ? fields.user_feedback : null
    return answerProvenance({ imported: false, verified: true, outcome: fields.outcome, userFeedback })
  }
  return 'human'
}
