/**
 * What can be learnt from one good interaction, by rules: nothing is paraphrased, only the telling parts are taken. Pure functions.
 * @module
 */
import type { CollectionName } from '../knowledge/collections.ts'
import { analyseQuery } from '../text/query-analysis.ts'
import { contentTerms } from '../text/similarity.ts'

/** A reusable way to solve a problem. */
export interface ExtractedPattern {
  readonly collection: Extract<CollectionName, 'skills-patterns' | 'error-solutions'>
  /** The problem: what was asked, or the error message. */
  readonly title: string
  /** What solved it. */
  readonly approach: string
  /** Content terms of the problem; near-duplicates are found by them. */
  readonly terms: readonly string[]
}

const MAX_TITLE_LENGTH = 300
const MAX_APPROACH_LENGTH = 4000
/** Fewer content terms than this don't say what the problem is. */
const MIN_TERMS = 2

const STEP = /^\s*(?:\d{1,3}[.)]|[-*•])\s+\S/
const FENCE = /^\s*```/

/**
 * The pattern of an interaction: an error with its solution when the query states an error, else a skill.
 * @returns null when the query doesn't say enough to be found again
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

/** The kind of an error by the name it gives itself, such as `TypeError` or `ENOENT`; null when it gives none. */
export function errorType(message: string): string | null {
  return (
    /\b[A-Z]\w{0,60}(?:Error|Exception|Warning)\b/.exec(message)?.[0] ??
    /\b(?:E[A-Z]{3,20}|[A-Z]{1,6}\d{3,6}|SQLSTATE \w{5})\b/.exec(message)?.[0] ??
    null
  )
}

/** The first paragraph, every step and every code block of an answer, in their order; all of it when it is short. */
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
