/**
 * Evidence coverage by tokens of context. Pure.
 * @module
 */

/** The result of one query with one setting. */
export interface Outcome {
  /** Tokens of the context. */
  readonly tokens: number
  /** Number of documents whose evidence it contains. */
  readonly covered: number
}

/** A point of a curve, averaged over queries. */
export interface CurvePoint {
  /** Mean tokens of context per query. */
  readonly tokens: number
  /** Share of all evidence documents whose evidence is in the context. */
  readonly coverage: number
}

/** Sentences that prove a claim from one document; one proof is sufficient. */
export type Proofs = readonly (readonly string[])[]

/** Normalises white space. */
export function normalise(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

/** Whether the text contains every sentence of at least one proof. */
export function holdsProof(normalisedText: string, proofs: Proofs): boolean {
  return proofs.some((proof) => proof.every((sentence) => normalisedText.includes(normalise(sentence))))
}

/** Mean tokens and evidence coverage over queries. */
export function pointOf(outcomes: readonly Outcome[], evidence: readonly number[]): CurvePoint {
  const documents = evidence.reduce((sum, n) => sum + n, 0)
  return {
    tokens: outcomes.reduce((sum, { tokens }) => sum + tokens, 0) / Math.max(1, outcomes.length),
    coverage: outcomes.reduce((sum, { covered }) => sum + covered, 0) / Math.max(1, documents),
  }
}

/**
 * Tokens at which a curve first reaches a coverage, interpolated linearly.
 * @returns null if it never does
 */
export function tokensAt(curve: readonly CurvePoint[], coverage: number): number | null {
  const points = [...curve].sort((a, b) => a.tokens - b.tokens)
  for (const [i, point] of points.entries()) {
    if (point.coverage < coverage) continue
    const before = points[i - 1]
    if (!before || point.coverage === before.coverage) return point.tokens
    const share = (coverage - before.coverage) / (point.coverage - before.coverage)
    return before.tokens + share * (point.tokens - before.tokens)
  }
  return null
}
