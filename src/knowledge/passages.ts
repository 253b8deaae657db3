/**
 * Splits the body of an item into passages: the smallest parts that are readable on their own.
 * @module
 */
import type { TokenCounter } from '../text/token-counter.ts'
import type { Passage } from './stores/store.ts'

/** A part of an item's body: offsets in UTF-16 code units, `end` exclusive. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** Shorter pieces are joined with a neighbour, in characters. */
const SHORTEST = 40
/** Maximum number of code lines in one passage. */
const MAX_LINES = 12
/** Maximum length of a passage, in characters. */
const LONGEST = 1600

const sentences = new Intl.Segmenter('und', { granularity: 'sentence' })

/**
 * Splits a body into contiguous passages: sentences in prose, up to 12 lines between blank lines in code.
 * @param countTokens counts the tokens of one passage
 */
export function splitPassages(body: string, countTokens: TokenCounter): Passage[] {
  const cuts = [0]
  let blockStart = 0
  for (const blank of body.matchAll(/\n[^\S\n]*\n\s*/g)) {
    const end = blank.index + blank[0].length
    cutBlock(body, blockStart, end, cuts)
    blockStart = end
  }
  cutBlock(body, blockStart, body.length, cuts)
  return joinShort(body, cuts).map(([start, end]) => ({ start, end, tokens: countTokens(body.slice(start, end)) }))
}

/** Adds the end of each piece of body[start, end) to `cuts`. */
function cutBlock(body: string, start: number, end: number, cuts: number[]): void {
  if (end <= start) return
  const block = body.slice(start, end)
  if (looksLikeProse(block)) {
    for (const { index, segment } of sentences.segment(block))
      cutLong(body, start + index, start + index + segment.length, cuts)
    return
  }
  let lines = 0
  let from = start
  for (let at = start; at < end; at++) {
    if (body[at] !== '\n') continue
    lines++
    if (lines < MAX_LINES) continue
    cutLong(body, from, at + 1, cuts)
    from = at + 1
    lines = 0
  }
  if (from < end) cutLong(body, from, end, cuts)
}

/** Splits long text at the last white space before the limit, never inside a surrogate pair. */
function cutLong(body: string, start: number, end: number, cuts: number[]): void {
  let from = start
  while (end - from > LONGEST) {
    let at = from + LONGEST
    const space = Math.max(body.lastIndexOf(' ', at), body.lastIndexOf('\n', at))
    if (space > from + LONGEST / 2) at = space + 1
    else if (isLowSurrogate(body.charCodeAt(at))) at--
    cuts.push(at)
    from = at
  }
  cuts.push(end)
}

/** Joins pieces that are too short with the next piece (the last one with the previous piece). */
function joinShort(body: string, cuts: readonly number[]): [number, number][] {
  const joined: [number, number][] = []
  let from = 0
  let read = 0
  // Start and end of the non-blank text in body[from, cut). Each piece is read once.
  let first = -1
  let last = -1
  for (const cut of cuts) {
    if (cut === from) continue
    const piece = body.slice(read, cut)
    const inked = piece.trimStart().length
    if (inked > 0) {
      if (first < 0) first = cut - inked
      last = read + piece.trimEnd().length
    }
    read = cut
    const short = first < 0 || last - first < SHORTEST
    if (short && cut < body.length) continue
    const before = joined.at(-1)
    if (before && short && cut - before[0] <= LONGEST) before[1] = cut
    else joined.push([from, cut])
    from = cut
    first = -1
  }
  return joined
}

/**
 * Two words, or a script or full stop that needs no spaces. The match begins at a word's last letter: starting at every
 * letter would take quadratic time.
 */
const TWO_WORDS = /\p{L}[\p{M}',-]{0,8}\s+\p{L}|[。！？؟।]|\p{Script=Han}/u

/** Few brackets, semicolons and operators relative to the length: sentences rather than code. */
function looksLikeProse(block: string): boolean {
  if (/^\s*(```|[#>|]|[-*+] |\d+[.)] )/.test(block)) return false
  const symbols = block.match(/[{}()[\];=<>$|\\`_]/g)?.length ?? 0
  return symbols / block.length < 0.02 && TWO_WORDS.test(block)
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}
