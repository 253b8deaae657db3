/**
 * The value of an interaction as training material and as a source of patterns. Pure functions.
 * @module
 */

import type { ValueParts } from '../database/schema.ts'
import { VALUE_WEIGHTS, type ValueWeights } from '../settings.ts'

/** Version of the formulas of the parts. */
const FORMULA_VERSION = 'value-1'

/** The parts, in the order of their weights in a version string. */
const PARTS = ['outcome', 'feedback', 'reusability', 'complexity', 'novelty'] as const

export interface ValueFacts {
  readonly query: string
  readonly response: string
  readonly outcome: 'success' | 'partial' | 'failure'
  /** −1, 0 or 1; null: not rated. */
  readonly userFeedback: number | null
  /** Similarity (0 to 1) of each similar earlier query of the project. */
  readonly similarities: readonly number[]
}

/** From this similarity on, an earlier query counts as a recurrence of the same need. */
export const RECURRENCE_SIMILARITY = 0.5

const OUTCOME_SHARE = { success: 1, partial: 0.5, failure: 0 } as const
const REUSABLE_PHRASE =
  /\b(how (do|can|to|should)|configur\w*|set(ting)? ?up|install\w*|deploy\w*|migrat\w*|best (way|practice)|example of|fix(ing)?|debug\w*|implement\w*|test(ing)?)\b/i
/** Indentation must not match line breaks: otherwise a run of blank lines would take quadratic time. */
const STEP = /^[^\S\r\n\u2028\u2029]*(?:\d{1,3}[.)]|[-*•])\s+\S/gm
const CODE_FENCE = /^[^\S\r\n\u2028\u2029]*```/gm

/** A saturating function: 0 at 0, 1/2 at `half`, approaching 1. */
function saturate(amount: number, half: number): number {
  return amount / (amount + half)
}

/**
 * How likely the same answer is needed again, 0 to 1: half from the number of similar earlier queries (saturating, 1/2
 * at two), half from phrases of recurring tasks.
 */
export function reusability(query: string, similarities: readonly number[]): number {
  const recurrences = similarities.filter((similarity) => similarity >= RECURRENCE_SIMILARITY).length
  return 0.5 * saturate(recurrences, 2) + 0.5 * (REUSABLE_PHRASE.test(query.slice(0, 2000)) ? 1 : 0)
}

/** How much work the answer contains, 0 to 1: steps, code blocks and length, each saturating. */
export function complexity(response: string): number {
  const steps = response.match(STEP)?.length ?? 0
  const blocks = Math.floor((response.match(CODE_FENCE)?.length ?? 0) / 2)
  return (saturate(steps, 3) + saturate(blocks, 1) + saturate(response.length, 1500)) / 3
}

/** 1 if no earlier query is similar, 0 if one is identical. */
export function novelty(similarities: readonly number[]): number {
  return 1 - Math.min(1, Math.max(0, ...similarities))
}

/**
 * Stored with every score, to distinguish scores of different formulas or weights: `value-1` for the default weights,
 * otherwise followed by the weights of outcome, feedback, reusability, complexity and novelty.
 */
export function valueVersion(weights: ValueWeights): string {
  if (PARTS.every((part) => weights[part] === VALUE_WEIGHTS[part])) return FORMULA_VERSION
  return `${FORMULA_VERSION}:${PARTS.map((part) => weights[part]).join('/')}`
}

/** The parts of the value score, each between 0 and its weight. Their sum is the score, 0 to 1. */
export function valueParts(facts: ValueFacts, weights: ValueWeights = VALUE_WEIGHTS): ValueParts {
  const feedback = ((facts.userFeedback ?? 0) + 1) / 2
  return {
    outcome: weights.outcome * OUTCOME_SHARE[facts.outcome],
    feedback: weights.feedback * feedback,
    reusability: weights.reusability * reusability(facts.query, facts.similarities),
    complexity: weights.complexity * complexity(facts.response),
    novelty: weights.novelty * novelty(facts.similarities),
  }
}

/** The value score, 0 to 1. */
export function valueScore(parts: ValueParts): number {
  return Math.min(1, parts.outcome + parts.feedback + parts.reusability + parts.complexity + parts.novelty)
}
