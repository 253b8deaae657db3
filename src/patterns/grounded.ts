/**
 * Checks that a model's text about a question and its answer is based on them. A small model can follow the schema and
 * still fill it with unrelated text. Pure functions.
 * @module
 */
import { contentTerms } from '../text/similarity.ts'

/** Minimum share of a text's content terms that must occur in the source. */
const MIN_SHARE = 0.5
/** The same for general statements, which need words of their own. */
const MIN_GENERAL_SHARE = 1 / 3
/** Minimum number of shared content terms; fewer are coincidence. */
const MIN_SHARED = 3
/**
 * Minimum share of the answer's content terms that an extraction must contain, and the number that is enough for a long
 * answer.
 */
const MIN_COVERAGE = 1 / 3
const ENOUGH_SHARED = 12
/** A text that repeats each of its words more often than this on average is repetitive. */
const MAX_REPETITION = 4

/** What a model extracted from an interaction. */
export interface Extraction {
  readonly solution: string
  readonly general: string
}

/** Whether an extraction is based on the words of the question and the answer. */
export function isGrounded({ solution, general }: Extraction, query: string, response: string): boolean {
  const answer = contentTerms(response)
  const source = new Set([...contentTerms(query), ...answer])
  const about = (text: string, share: number, terms: ReadonlySet<string>, least: number) => {
    const own = [...contentTerms(text)]
    const shared = own.filter((term) => terms.has(term)).length
    return shared >= Math.min(least, terms.size) && shared >= share * own.length && !isCircling(text)
  }
  return (
    about(solution, MIN_SHARE, source, MIN_SHARED) &&
    about(solution, 0, answer, MIN_SHARED) &&
    covers(`${solution} ${general}`, answer) &&
    about(general, MIN_GENERAL_SHARE, source, MIN_SHARED - 1)
  )
}

/** The names that contain a letter, and a word from the question or the answer. */
export function groundedNames(names: readonly string[], query: string, response: string): string[] {
  const source = new Set([...contentTerms(query), ...contentTerms(response)])
  return names.filter((name) => /\p{L}/u.test(name) && [...contentTerms(name)].some((term) => source.has(term)))
}

function covers(text: string, answer: ReadonlySet<string>): boolean {
  const shared = [...contentTerms(text)].filter((term) => answer.has(term)).length
  return shared >= Math.min(ENOUGH_SHARED, Math.ceil(MIN_COVERAGE * answer.size))
}

function isCircling(text: string): boolean {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []
  return words.length > MAX_REPETITION * new Set(words).size
}
