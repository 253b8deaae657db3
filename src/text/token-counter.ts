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
  counter ??= import('gpt-tokenizer/encoding/cl100k_base').then(
    (encoding) => (text: string) => encoding.countTokens(text, { disallowedSpecial: new Set() }),
  )
  return counter
}
