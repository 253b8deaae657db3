/**
 * An extractive summary: the most informative sentences of a conversation, verbatim. Pure.
 * @module
 */
import { isStopTerm } from '../text/stop-words.ts'
import { tokenise } from '../text/tokens.ts'

/** Maximum length of a summary, in characters. */
export const SUMMARY_LENGTH = 1200
/** Longer sentences are truncated. */
const MAX_SENTENCE_LENGTH = 240
/** After this number of turns, a sentence has half its weight. */
const HALF_LIFE_TURNS = 20

/** One utterance of a conversation. */
export interface Utterance {
  readonly turn: number
  readonly speaker: 'user' | 'assistant'
  readonly text: string
}

const sentences = new Intl.Segmenter('und', { granularity: 'sentence' })

/**
 * Chooses sentences by SumBasic (Nenkova and Vanderwende 2005, MSR-TR-2005-101): the mean probability of a sentence's
 * words in the conversation; the words of a chosen sentence then count less, so that the next one adds something new.
 * Later turns have more weight. Chosen sentences keep their original order.
 * @returns lines `user: …` and `assistant: …`, at most `length` characters; empty for no utterances
 */
export function extractSummary(utterances: readonly Utterance[], length = SUMMARY_LENGTH): string {
  const latest = utterances.reduce((most, { turn }) => Math.max(most, turn), 0)
  const seen = new Set<string>()
  const candidates = utterances.flatMap(({ turn, speaker, text }, place) =>
    [...sentences.segment(text.slice(0, 4000))].flatMap(({ segment }) => {
      const sentence = shorten(segment.replace(/\s+/g, ' ').trim())
      const terms = new Set(tokenise(sentence, 'document').words.filter((word) => !isStopTerm(word)))
      if (terms.size < 2 || seen.has(sentence)) return []
      seen.add(sentence)
      return [{ place, line: `${speaker}: ${sentence}`, terms, recency: 1 / (1 + (latest - turn) / HALF_LIFE_TURNS) }]
    }),
  )
  const probability = new Map<string, number>()
  const total = candidates.reduce((sum, { terms }) => sum + terms.size, 0)
  for (const { terms } of candidates) {
    for (const term of terms) probability.set(term, (probability.get(term) ?? 0) + 1 / total)
  }
  const chosen: typeof candidates = []
  const rest = new Set(candidates)
  let left = length
  while (rest.size > 0) {
    let best: (typeof candidates)[number] | null = null
    let most = 0
    for (const candidate of rest) {
      let sum = 0
      for (const term of candidate.terms) sum += probability.get(term) ?? 0
      const worth = (candidate.recency * sum) / candidate.terms.size
      if (worth > most) [best, most] = [candidate, worth]
    }
    if (!best) break
    rest.delete(best)
    if (best.line.length + 1 > left) continue
    left -= best.line.length + 1
    chosen.push(best)
    for (const term of best.terms) probability.set(term, (probability.get(term) ?? 0) ** 2)
  }
  return chosen
    .sort((a, b) => candidates.indexOf(a) - candidates.indexOf(b))
    .map(({ line }) => line)
    .join('\n')
}

function shorten(sentence: string): string {
  return sentence.length <= MAX_SENTENCE_LENGTH
    ? sentence
    : `${sentence.slice(0, MAX_SENTENCE_LENGTH - 1).toWellFormed()}…`
}
