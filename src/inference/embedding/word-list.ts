/**
 * A list of words that is searched in place, without a string or map entry per word. A list of 50,000 words is ready in
 * a few milliseconds. This matters because the first request after a start waits for it.
 * @module
 */
import { fnv1aOfRange, mix32 } from '../../hash.ts'

const EMPTY = 0
/** Slots per word: with half of them empty, a search checks one or two. */
const SLOTS_PER_WORD = 2

export class WordList {
  /** Number of words, including empty and repeated ones. */
  readonly length: number
  /** Whether all words are non-empty and distinct. */
  readonly distinct: boolean
  readonly #text: string
  /** Start of each word, followed by the position after the last one's separator. */
  readonly #starts: Uint32Array
  /** Row number + 1 by hash; open addressing with linear probing (Knuth, The Art of Computer Programming 3, 6.4, algorithm L). */
  readonly #slots: Int32Array

  /** @param text the words in row order, separated by line feeds */
  constructor(text: string) {
    this.#text = text
    const starts = [0]
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
    this.length = starts.length
    starts.push(text.length + 1)
    this.#starts = Uint32Array.from(starts)
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(SLOTS_PER_WORD * this.length)))
    let distinct = true
    for (let row = 0; row < this.length; row++) {
      const [from, to] = [this.#starts[row] ?? 0, (this.#starts[row + 1] ?? 0) - 1]
      const slot = this.#slotOf(text, from, to)
      if (from === to || this.#slots[slot] !== EMPTY) distinct = false
      else this.#slots[slot] = row + 1
    }
    this.distinct = distinct
  }

  /** Row number of a word (of the first one if it is repeated); undefined if it isn't in the list. */
  rowOf(word: string): number | undefined {
    const row = (this.#slots[this.#slotOf(word, 0, word.length)] ?? EMPTY) - 1
    return row < 0 ? undefined : row
  }

  /** The slot of text[from, to), or the empty slot where it belongs. */
  #slotOf(text: string, from: number, to: number): number {
    const mask = this.#slots.length - 1
    let slot = mix32(fnv1aOfRange(text, from, to)) & mask
    for (;;) {
      const row = (this.#slots[slot] ?? EMPTY) - 1
      if (row < 0 || this.#isAt(row, text, from, to)) return slot
      slot = (slot + 1) & mask
    }
  }

  #isAt(row: number, text: string, from: number, to: number): boolean {
    const start = this.#starts[row] ?? 0
    if ((this.#starts[row + 1] ?? 0) - 1 - start !== to - from) return false
    for (let i = 0; i < to - from; i++) {
      if (this.#text.charCodeAt(start + i) !== text.charCodeAt(from + i)) return false
    }
    return true
  }
}
