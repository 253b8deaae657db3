/**
 * English function words: they are indexed, but a query omits them if it contains anything else.
 * @module
 */

import { stem } from './stem.ts'

const WORDS =
  'a an the and or but if then of at by for with about to from in on off over under is are was were be been being am ' +
  'do does did doing have has had having i you he she it we they me him her us them my your his its our their this ' +
  'that these those what which who whom whose when where why how as not no nor so than too very can could will would ' +
  'should shall may might must just there here into out up down between both each few more most other some such only ' +
  'own same again further once during before after above below because until while dont im ive youre isnt arent wasnt ' +
  'cant s t'

const STOP_TERMS: ReadonlySet<string> = new Set(WORDS.split(' ').flatMap((word) => [word, stem(word)]))

/** Whether a term (lower case, stemmed or not) is an English function word. */
export function isStopTerm(term: string): boolean {
  return STOP_TERMS.has(term)
}
