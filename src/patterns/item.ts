/**
 * Converts a pattern to an item of its collection. The item is rebuilt from its evidence every time, so its counts
 * can't drift. Pure functions.
 * @module
 */
import type { Evidence, Pattern } from '../database/queries/patterns.ts'
import { betaMean, lowerBound, posterior } from '../ranking/credit.ts'
import { errorType } from './extract.ts'

/** Maximum number of examples of each kind in an item. */
const EXAMPLES = 10
/**
 * Number of successes from which a solution counts as verified; at least one of them must be reported independently.
 */
const VERIFIED_FROM = 2

/**
 * The fields of a pattern's item.
 * @returns null if no evidence supports it any more; then there must be no item
 */
export function patternFields(pattern: Pattern, evidence: readonly Evidence[]): Record<string, unknown> | null {
  const successes = evidence.filter(({ outcome }) => outcome === 'success')
  const failures = evidence.filter(({ outcome }) => outcome === 'failure')
  if (successes.length === 0) return null
  const credit = {
    successes: successes.length,
    partials: evidence.filter(({ outcome }) => outcome === 'partial').length,
    failures: failures.length,
  }
  if (pattern.collection === 'error-solutions') {
    const type = errorType(pattern.title)
    return {
      error_message: pattern.title,
      ...(type !== null && { error_type: type }),
      solution: pattern.approach,
      solution_verified: successes.length >= VERIFIED_FROM && failures.length === 0 && isVerified(evidence),
      success_count: successes.length,
      failure_count: failures.length,
      confidence_score: rounded(lowerBound(credit)),
      extracted_by: pattern.extractedBy,
    }
  }
  const scores = successes.flatMap(({ valueScore }) => valueScore ?? [])
  const mean = scores.length > 0 ? scores.reduce((sum, score) => sum + score, 0) / scores.length : null
  return {
    skill_name: pattern.title,
    description: pattern.approach,
    success_examples: examples(successes),
    ...(failures.length > 0 && { failure_examples: examples(failures) }),
    value_score: rounded(mean ?? betaMean(posterior(credit))),
    extracted_by: pattern.extractedBy,
  }
}

/**
 * Whether the success of a source was reported by a different caller than the one that gave the answer, or by an admin
 * key.
 */
export function isVerified(evidence: readonly Evidence[]): boolean {
  return evidence.some(({ outcome, verified }) => verified && outcome === 'success')
}

function examples(evidence: readonly Evidence[]): string[] {
  const queries = evidence.map(({ query }) => (query.isWellFormed() ? query : query.slice(0, -1)))
  return [...new Set(queries)].slice(0, EXAMPLES)
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4
}
