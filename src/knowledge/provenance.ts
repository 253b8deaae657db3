/**
 * The origin of an item's text. Pure functions.
 * @module
 */

/**
 * - `human`: a person entered it, or corrected an answer with it
 * - `verified_outcome`: copied verbatim from an answer whose success was reported by a different caller than the one
 *   that gave it, or by an admin key
 * - `model`: written by a language model, not verified by an outcome
 * - `imported`: copied from files or from another system
 */
export const PROVENANCES = ['human', 'verified_outcome', 'model', 'imported'] as const

export type Provenance = (typeof PROVENANCES)[number]

/** Value of `extracted_by` for a pattern that rules extracted from an answer, without a model. */
export const BY_RULES = 'rules'

/**
 * A pattern's provenance. Rules copy text from an answer, so the text is verified if the answer's success is. A model
 * writes its own text.
 */
export function patternProvenance(extractedBy: string, verified: boolean): Provenance {
  return extractedBy === BY_RULES && verified ? 'verified_outcome' : 'model'
}

/** Provenance of a tracked answer. */
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
 * Provenance of an item that was stored before provenance was recorded.
 * @param source the repository or feed that it came from
 */
export function inferredProvenance(fields: Readonly<Record<string, unknown>>, source: string | null): Provenance {
  if (source !== null) return 'imported'
  if (typeof fields.extracted_by === 'string') return patternProvenance(fields.extracted_by, true)
  // Only items of interaction-history have a query but no correction.
  if (typeof fields.query === 'string' && fields.correction === undefined) {
    const userFeedback = typeof fields.user_feedback === 'number' ? fields.user_feedback : null
    return answerProvenance({ imported: false, verified: true, outcome: fields.outcome, userFeedback })
  }
  return 'human'
}
