/**
 * Counts tokens with a real tokenizer. Its table (1 MB) is loaded when first needed, so that a cold start doesn't pay for it.
 * @module
 */

/** The encoding that every `tokens` figure of the coordinator is counted in. */
export const TOKENIZER = 'cl100k_base'

export type TokenCounter = (text: string) => number

let counter: Promise<TokenCounter> | null = null

/** The token counter; special tokens in a text are counted as ordinary characters. */
export function tokenCounter(): Promise<TokenCounter> {
  counter ??= import('gpt-tokenizer/encoding/cl100k_base').then(({ countTokens }) => {
    const count = (text: string) => countTokens(text, { disallowedSpecial: new Set() })
    return (text: string) => piecesOf(text).reduce((sum, piece) => sum + count(piece), 0)
  })
  return counter
}

/** Merging the bytes of one run takes time that grows with its square, so a longer one is counted in pieces. */
const MAX_RUN_LENGTH = 200
const LONG_RUN = /\S{201,}|\s{201,}/g

/**
 * A text in pieces that are counted apart: as it is, unless it holds an unbroken run of more than 200 characters or of as much
 * white space, which no text in words has. The sum is then at least what the whole would count.
 */
export function piecesOf(text: string): string[] {
  const pieces: string[] = []
  let from = 0
  for (const { index, 0: run } of text.matchAll(LONG_RUN)) {
    if (index > from) pieces.push(text.slice(from, index))
    for (let at = 0; at < run.length; at += MAX_RUN_LENGTH) pieces.push(run.slice(at, at + MAX_RUN_LENGTH))
    from = index + run.length
  }
  if (from === 0) return [text]
  if (from < text.length) pieces.push(text.slice(from))
  return pieces
}
