/**
 * Whether what a model has written about a question and its answer is about them. A small model keeps to the schema and fills it with
 * anything. Pure functions.
 * @module
 */
import { contentTerms } from '../text/similarity.ts'

/** Share of a text's content terms that have to be the source's. */
const MIN_SHARE = 0.5
/** A general statement takes words of its own. */
const MIN_GENERAL_SHARE = 1 / 3
/** Content terms that have to be shared at least; fewer are chance. */
const MIN_SHARED = 3
/** Share of the answer's content terms that an extraction has to hold, and how many are enough of a long answer. */
const MIN_COVERAGE = 1 / 3
const ENOUGH_SHARED = 12
/** A text that says each of its words more often than this on average runs in circles. */
const MAX_REPETITION = 4

/** What a model says that an interaction teaches. */
export interface Extraction {
  readonly solution: string
  readonly general: string
}

/** Whether an extraction rests on the words of the question and the answer. */
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

/** Those names that have a letter in them and a word that the question or the answer says too. */
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
