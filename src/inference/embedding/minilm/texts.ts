/**
 * Selects the part of a text for the sentence embedder: its beginning, or the central part of a long question.
 * @module
 */

import { clip } from '../../../text/clip.ts'
import type { Truncation } from '../../../text/truncation.ts'
import type { EmbeddingPurpose } from '../embedder.ts'
import { vectorTruncation } from '../truncation.ts'

/**
 * Maximum word pieces read from a document and from a question. More pieces take longer without a gain
 * (docs/design/sentence-embedder.md).
 */
export const MAX_DOCUMENT_PIECES = 128
export const MAX_QUESTION_PIECES = 128
/** Maximum characters kept of a document, counting white space once: more than that many pieces need. */
const MAX_DOCUMENT_CHARACTERS = 1_500
/** White space may take up to this many times as much. */
const MAX_LAYOUT = 16
/** A longer question is shortened to its title and best sentences, in characters. */
const LONG_QUESTION = 400
/** Maximum characters of a long question that are examined. */
const MAX_QUESTION_CHARACTERS = 20_000
/** Shorter words carry little information, in characters. */
const MIN_WORD = 4

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** The beginning of a document with normalised white space. Server and clients use the same text. */
export function documentText(text: string): string {
  return clip(flat(text.slice(0, MAX_LAYOUT * MAX_DOCUMENT_CHARACTERS)), MAX_DOCUMENT_CHARACTERS)
}

/**
 * The text of a question to embed. A short question is used whole. A long one (a pasted issue) is reduced to its first
 * line and the sentences that share most words with that line, in their order, as many as fit.
 */
export function questionText(text: string): string {
  const whole = text.slice(0, MAX_QUESTION_CHARACTERS).trim()
  if (whole.length <= LONG_QUESTION) return flat(whole)
  const [first = '', ...others] = whole.split('\n')
  const title = clip(flat(first), LONG_QUESTION)
  const titleWords = new Set(wordsOf(title))
  const candidates = others
    .flatMap((line) => Array.from(sentences.segment(line), ({ segment }) => flat(segment)))
    .map((sentence, at) => ({ sentence, at, shared: sharedWords(sentence, titleWords) }))
    .filter(({ sentence }) => sentence.length >= MIN_WORD)
  let room = LONG_QUESTION - title.length
  const chosen = candidates
    .sort((a, b) => b.shared - a.shared || a.at - b.at)
    .filter(({ sentence }) => {
      if (sentence.length + 1 > room) return false
      room -= sentence.length + 1
      return true
    })
    .sort((a, b) => a.at - b.at)
  return [title, ...chosen.map(({ sentence }) => sentence)].join(' ')
}

/** A part of a text that the model splits into one or more word pieces. */
const PIECE = /[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu

/**
 * What a vector doesn't represent of a text: of a question, the sentences that {@link questionText} leaves out; of a
 * document, what follows its first {@link MAX_DOCUMENT_PIECES} word pieces. Without the model's vocabulary, every word
 * counts as one piece, so a document that is slightly too long isn't recognised.
 */
export function vectorTruncationOf(text: string, purpose: EmbeddingPurpose): Truncation | null {
  if (purpose === 'query') {
    const part = `${LONG_QUESTION} characters (the first line and the sentences closest to it)`
    return text.trim().length <= LONG_QUESTION ? null : vectorTruncation(purpose, LONG_QUESTION, part)
  }
  if (text.length <= MAX_DOCUMENT_PIECES) return null
  const kept = documentText(text)
  const pieces = kept.match(PIECE)?.length ?? 0
  return pieces > MAX_DOCUMENT_PIECES || kept.length === MAX_DOCUMENT_CHARACTERS
    ? vectorTruncation(purpose, MAX_DOCUMENT_PIECES, `the first ${MAX_DOCUMENT_PIECES} word pieces`)
    : null
}

function sharedWords(sentence: string, words: ReadonlySet<string>): number {
  return new Set(wordsOf(sentence).filter((word) => words.has(word))).size
}

function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .match(/[\p{L}\p{N}_]+/gu)
      ?.filter((word) => word.length >= MIN_WORD) ?? []
  )
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
