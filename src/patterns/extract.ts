/**
 * Extracts a pattern from one good interaction by rules: nothing is paraphrased, only the essential parts are copied.
 * Pure functions.
 * @module
 */
import type { CollectionName } from '../knowledge/collections.ts'
import { analyseQuery } from '../text/query-analysis.ts'
import { contentTerms } from '../text/similarity.ts'

/** A reusable way to solve a problem. */
export interface ExtractedPattern {
  readonly collection: Extract<CollectionName, 'skills-patterns' | 'error-solutions'>
  /** The problem: the question, or the error message. */
  readonly title: string
  /** The solution. */
  readonly approach: string
  /** Content terms of the problem, for finding near-duplicates. */
  readonly terms: readonly string[]
}

const MAX_TITLE_LENGTH = 300
const MAX_APPROACH_LENGTH = 4000
/** Minimum number of content terms that describe a problem. */
const MIN_TERMS = 2

const STEP = /^\s*(?:\d{1,3}[.)]|[-*•])\s+\S/
const FENCE = /^\s*```/

/**
 * The pattern of an interaction: an error with its solution if the query states an error, otherwise a skill.
 * @returns null if the query doesn't contain enough to be found again
 */
export function extractByRules(query: string, response: string): ExtractedPattern | null {
  const analysis = analyseQuery(query)
  const error = analysis.errors[0]
  const title = firstSentence(error ?? (analysis.prose.trim() || analysis.text))
  const terms = [...contentTerms(title)].sort()
  const approach = essence(response)
  if (terms.length < MIN_TERMS || approach === '') return null
  return { collection: error === undefined ? 'skills-patterns' : 'error-solutions', title, approach, terms }
}

/** The kind of an error from its own name, such as `TypeError` or `ENOENT`; null if it has none. */
export function errorType(message: string): string | null {
  return (
    /\b[A-Z]\w{0,60}(?:Error|Exception|Warning)\b/.exec(message)?.[0] ??
    /\b(?:E[A-Z]{3,20}|[A-Z]{1,6}\d{3,6}|SQLSTATE \w{5})\b/.exec(message)?.[0] ??
    null
  )
}

/** The first paragraph, every step and every code block of an answer, in order; the whole answer if it is short. */
export function essence(response: string): string {
  const text = response.trim()
  if (text.length <= MAX_APPROACH_LENGTH) return text
  const kept: string[] = []
  let length = 0
  let inCode = false
  let inFirst = true
  for (const line of text.split('\n')) {
    const fence = FENCE.test(line)
    if (line.trim() === '') inFirst = false
    if (inFirst || inCode || fence || STEP.test(line)) {
      if (length + line.length + 1 > MAX_APPROACH_LENGTH - 4) break
      kept.push(line)
      length += line.length + 1
    }
    if (fence) inCode = !inCode
  }
  if (kept.filter((line) => FENCE.test(line)).length % 2 === 1) kept.push('```')
  return kept.length > 0 ? kept.join('\n') : cut(text, MAX_APPROACH_LENGTH)
}

function firstSentence(text: string): string {
  const line = text.trim().split(/\n|(?<=[.!?。！？])\s/, 1)[0] ?? ''
  return cut(line.replace(/\s+/g, ' ').trim(), MAX_TITLE_LENGTH)
}

function cut(text: string, length: number): string {
  const beginning = text.slice(0, length)
  return beginning.isWellFormed() ? beginning : beginning.slice(0, -1)
}
