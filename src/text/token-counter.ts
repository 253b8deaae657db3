/**
 * Counts tokens with a real tokenizer. Its table (1 MB) is parsed when the Worker starts, some 100 ms that no request waits for: start-up
 * has a second of CPU of its own (developers.cloudflare.com/workers/platform/limits, "Worker startup time").
 * @module
 */
import { clearMergeCache, countTokens, setMergeCacheSize } from 'gpt-tokenizer/encoding/cl100k_base'

/** The encoding that every `tokens` figure of the coordinator is counted in. */
export const TOKENIZER = 'cl100k_base'

export type TokenCounter = (text: string) => number

/** Characters of the texts whose words the tokenizer's cache may hold. */
const MAX_CACHED_LENGTH = 200_000

let cached = 0
// Once the cache is full, each new word costs a walk over all words that have left it: it is emptied before that.
setMergeCacheSize(Number.POSITIVE_INFINITY)

function countPiece(text: string): number {
  if (cached > MAX_CACHED_LENGTH) {
    clearMergeCache()
    cached = 0
  }
  cached += text.length
  return countTokens(text, { disallowedSpecial: new Set() })
}

const counter: TokenCounter = (text) => piecesOf(text).reduce((sum, piece) => sum + countPiece(piece), 0)

/** The token counter; special tokens in a text are counted as ordinary characters. */
export async function tokenCounter(): Promise<TokenCounter> {
  return counter
}

/** Characters that one token can stand for at most, roughly: a longer beginning need not be counted. */
const MAX_TOKEN_LENGTH = 64
/** The same of a usual token: where the search begins. */
const USUAL_TOKEN_LENGTH = 4
/** Guesses by the text's own characters per token; whatever they have left open is halved. */
const MAX_GUESSES = 4

/**
 * The end of a beginning of a text that has all of so many tokens and no more, at white space where there is some in its second half;
 * never within a surrogate pair.
 * @returns an offset in UTF-16 units; the length of the text when all of it fits
 */
export function longestPrefix(text: string, most: number, countTokens: TokenCounter): number {
  if (most <= 0) return 0
  let low = 0
  let high = Math.min(text.length, most * MAX_TOKEN_LENGTH)
  let guess = most * USUAL_TOKEN_LENGTH
  // Counting is what costs: a short text is first tried whole.
  if (text.length <= 2 * guess) guess = text.length
  for (let step = 0; low < high; step++) {
    const middle =
      step < MAX_GUESSES ? Math.min(high, Math.max(low + 1, Math.round(guess))) : Math.ceil((low + high) / 2)
    const tokens = countTokens(text.slice(0, middle))
    if (tokens <= most) low = middle
    else high = middle - 1
    if (tokens === most) break
    guess = (middle * most) / tokens
  }
  // A beginning may end inside the last token.
  const rest = text.length - low
  if (rest === 0 || (rest < MAX_TOKEN_LENGTH && countTokens(text) <= most)) return text.length
  const space = Math.max(text.lastIndexOf(' ', low), text.lastIndexOf('\n', low))
  if (space > low / 2) return space
  return low - (text.slice(0, low).isWellFormed() ? 0 : 1)
}

/** Merging the bytes of one run takes time that grows with its square, so a longer one is counted in pieces. */
const MAX_RUN_LENGTH = 200
/** The same of a run that isn't ASCII: a character takes up to three bytes. */
const MAX_WIDE_RUN_LENGTH = 64
const ASCII = /^\p{ASCII}*$/u
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
    const length = ASCII.test(run) ? MAX_RUN_LENGTH : MAX_WIDE_RUN_LENGTH
    for (let at = 0; at < run.length; at += length) pieces.push(run.slice(at, at + length))
    from = index + run.length
  }
  if (from === 0) return [text]
  if (from < text.length) pieces.push(text.slice(from))
  return pieces
}
