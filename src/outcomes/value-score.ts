/**
 * The value of an interaction as training material and as a source of patterns. Pure functions.
 * @module
 */

import type { ValueParts } from '../database/schema.ts'
import { VALUE_WEIGHTS, type ValueWeights } from '../settings.ts'

/** Version of the formulas of the parts. */
const FORMULA_VERSION = 'value-1'

/** The parts in the order in which a version lists their weights. */
const PARTS = ['outcome', 'feedback', 'reusability', 'complexity', 'novelty'] as const

export interface ValueFacts {
  readonly query: string
  readonly response: string
  readonly outcome: 'success' | 'partial' | 'failure'
  /** −1, 0 or 1; null: nobody said. */
  readonly userFeedback: number | null
  /** Similarity (0 to 1) of each earlier query of the project that resembles this one. */
  readonly similarities: readonly number[]
}

/** From this similarity on, an earlier query counts as the same need recurring. */
export const RECURRENCE_SIMILARITY = 0.5

const OUTCOME_SHARE = { success: 1, partial: 0.5, failure: 0 } as const
const REUSABLE_PHRASE =
  /\b(how (do|can|to|should)|configur\w*|set(ting)? ?up|install\w*|deploy\w*|migrat\w*|best (way|practice)|example of|fix(ing)?|debug\w*|implement\w*|test(ing)?)\b/i
/** Indentation stays within its line: over blank lines it would be tried from each of them, which takes a square. */
const STEP = /^[^\S\r\n\u2028\u2029]*(?:\d{1,3}[.)]|[-*•])\s+\S/gm
const CODE_FENCE = /^[^\S\r\n\u2028\u2029]*```/gm

/** Saturates: 0 at 0, 1/2 at `half`, towards 1. */
function saturate(amount: number, half: number): number {
  return amount / (amount + half)
}

/**
 * How likely the same answer is needed again, 0 to 1: half from how many earlier queries were alike (saturating, 1/2 at two),
 * half from phrases of recurring tasks.
 */
export function reusability(query: string, similarities: readonly number[]): number {
  const recurrences = similarities.filter((similarity) => similarity >= RECURRENCE_SIMILARITY).length
  return 0.5 * saturate(recurrences, 2) + 0.5 * (REUSABLE_PHRASE.test(query.slice(0, 2000)) ? 1 : 0)
}

/** How much work the answer holds, 0 to 1: steps, code blocks and length, each saturating. */
export function complexity(response: string): number {
  const steps = response.match(STEP)?.length ?? 0
  const blocks = Math.floor((response.match(CODE_FENCE)?.length ?? 0) / 2)
  return (saturate(steps, 3) + saturate(blocks, 1) + saturate(response.length, 1500)) / 3
}

/** 1 when no earlier query resembles this one, 0 when one is the same. */
export function novelty(similarities: readonly number[]): number {
  return 1 - Math.min(1, Math.max(0, ...similarities))
}

/**
 * What is stored with every score, so that scores of different formulas or weights can be distinguished: `value-1` with the usual
 * weights, else followed by the weights of outcome, feedback, reusability, complexity and novelty.
 */
export function valueVersion(weights: ValueWeights): string {
  if (PARTS.every((part) => weights[part] === VALUE_WEIGHTS[part])) return FORMULA_VERSION
  return `${FORMULA_VERSION}:${PARTS.map((part) => weights[part]).join('/')}`
}

/** The parts of the value score, each within 0 and its weight; their sum is the score, 0 to 1. */
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
