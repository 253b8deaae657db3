/**
 * What of a text the sentence embedder reads: its beginning, or of a long question the part that asks.
 * @module
 */

/** Word pieces that are read of a document and of a question; further ones cost time and gained nothing (docs/design/minilm.md). */
export const MAX_DOCUMENT_PIECES = 128
export const MAX_QUESTION_PIECES = 128
/** Characters that are kept of a document, white space counted once: more than so many pieces have. */
const MAX_DOCUMENT_CHARACTERS = 1_500
/** A question longer than this is shortened, in characters. */
const LONG_QUESTION = 400
/** What a long question is shortened to, in characters. */
const SHORTENED_QUESTION = 500
/** Characters of a long question that are looked at. */
const MAX_QUESTION_CHARACTERS = 20_000

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** The beginning of a document, white space counted once; the same for whoever embeds it. */
export function documentText(text: string): string {
  return clip(text.slice(0, 16 * MAX_DOCUMENT_CHARACTERS).replace(/\s+/g, ' ').trim(), MAX_DOCUMENT_CHARACTERS)
}

/** A question as it is embedded: short ones whole, a pasted issue by its title and the sentences that share most words with it. */
export function questionText(text: string): string {
  const whole = text.slice(0, MAX_QUESTION_CHARACTERS).trim()
  if (whole.length <= LONG_QUESTION) return whole.replace(/\s+/g, ' ')
  return whole.replace(/\s+/g, ' ')
}

function clip(text: string, length: number): string {
  return text.length <= length
    ? text
    : text
        .slice(0, length)
        .toWellFormed()
        .replace(/\ufffd$/, '')
}
void sentences
void SHORTENED_QUESTION
