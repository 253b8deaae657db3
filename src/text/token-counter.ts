/**
 * Counts tokens with a real tokenizer. Its table (1 MB) is parsed when the Worker starts. This takes about 100 ms, but
 * no request waits for it: start-up has its own CPU limit of one second
 * (developers.cloudflare.com/workers/platform/limits, "Worker startup time").
 * @module
 */
import { clearMergeCache, countTokens, setMergeCacheSize } from 'gpt-tokenizer/encoding/cl100k_base'
import { isAscii } from './words.ts'

/** The encoding for every `tokens` figure of the coordinator. */
export const TOKENIZER = 'cl100k_base'

export type TokenCounter = (text: string) => number

/** Maximum characters of texts whose words are in the tokenizer's cache: about 3 MB of memory for code. */
const MAX_CACHED_LENGTH = 1_000_000

let cached = 0
// Once the cache is full, each new word triggers a scan over all evicted words. So the cache is cleared before that.
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

/** The token counter. Special tokens in a text are counted as ordinary characters. */
export async function tokenCounter(): Promise<TokenCounter> {
  return counter
}

/** Approximate maximum number of characters per token: a longer prefix need not be counted. */
const MAX_TOKEN_LENGTH = 64
/** Typical number of characters per token: the start of the search. */
const USUAL_TOKEN_LENGTH = 4
/** A prefix with this share fewer tokens than allowed is long enough: each further guess counts the text again. */
const SLACK = 0.02
/** Number of guesses from the text's own characters per token; then the remaining range is bisected. */
const MAX_GUESSES = 4

/**
 * The end of a prefix of a text with at most `most` tokens, and at most 2 % fewer than the longest one has. Ends at white space if there is any in the
 * prefix's second half, and never inside a surrogate pair.
 * @returns an offset in UTF-16 code units; the length of the text if all of it fits
 */
export function longestPrefix(text: string, most: number, countTokens: TokenCounter): number {
  if (most <= 0) return 0
  let low = 0
  let high = Math.min(text.length, most * MAX_TOKEN_LENGTH)
  let guess = most * USUAL_TOKEN_LENGTH
  // Counting is expensive, so a short text is first tried as a whole.
  if (text.length <= 2 * guess) guess = text.length
  let unused = 0
  for (let step = 0; low < high; step++) {
    const middle =
      step < MAX_GUESSES ? Math.min(high, Math.max(low + 1, Math.round(guess))) : Math.ceil((low + high) / 2)
    const tokens = countTokens(text.slice(0, middle))
    if (tokens <= most) low = middle
    else high = middle - 1
    unused = most - tokens
    if (unused >= 0 && unused <= SLACK * most) break
    guess = (middle * most) / tokens
  }
  // The prefix may end inside the last token, and the rest may fit too.
  const rest = text.length - low
  const mayFit = rest < MAX_TOKEN_LENGTH * (1 + Math.max(0, unused))
  if (rest === 0 || (mayFit && countTokens(text) <= most)) return text.length
  const space = Math.max(text.lastIndexOf(' ', low), text.lastIndexOf('\n', low))
  if (space > low / 2) return space
  return low - (text.slice(0, low).isWellFormed() ? 0 : 1)
}

/** Merging the bytes of one run takes quadratic time, so a longer run is counted in pieces. */
const MAX_RUN_LENGTH = 200
/** The same for a run that isn't ASCII, whose characters take up to three bytes. */
const MAX_WIDE_RUN_LENGTH = 64
const LONG_RUN = /\S{201,}|\s{201,}/g

/**
 * Splits a text into pieces that are counted separately. Returns it unchanged unless it contains an unbroken run of
 * more than 200 characters, or as much white space, which ordinary text never has. The sum is then an upper bound of
 * the true count.
 */
export function piecesOf(text: string): string[] {
  const pieces: string[] = []
  let from = 0
  for (const { index, 0: run } of text.matchAll(LONG_RUN)) {
    if (index > from) pieces.push(text.slice(from, index))
    const length = isAscii(run) ? MAX_RUN_LENGTH : MAX_WIDE_RUN_LENGTH
    for (let at = 0; at < run.length; at += length) pieces.push(run.slice(at, at + length))
    from = index + run.length
  }
  if (from === 0) return [text]
  if (from < text.length) pieces.push(text.slice(from))
  return pieces
}
