/**
 * WordPiece for uncased BERT models (Devlin et al. 2019; greedy longest match of Wu et al. 2016). Gives the same ids as
 * the reference tokenizer, except that special tokens like `[SEP]` in a text are treated as text.
 * @module
 */
import { WordList } from '../word-list.ts'

/** Longer words become one unknown piece, in characters. */
const LONGEST_WORD = 100
/** UTF-16 code units read per allowed piece: far more than real text has. */
const CODE_UNITS_PER_PIECE = 32

/** Characters that the reference removes: control and format characters and private use, except tabs and line ends. */
const REMOVED = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu
const IDEOGRAPH =
  '\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b81f}\\u{2b820}-\\u{2ceaf}\\u{2f800}-\\u{2fa1f}'
const PUNCTUATION = '!-\\/:-@\\[-`{-~\\p{P}'
/** A punctuation mark, an ideograph, or a run of anything else but white space. */
const WORD = new RegExp(`[${PUNCTUATION}]|[${IDEOGRAPH}]|[^\\s${PUNCTUATION}${IDEOGRAPH}]+`, 'gu')

/** Prefix of a piece that continues a word. No word of a text contains it, because it is punctuation. */
const CONTINUED = '##'

export class WordPieces {
  readonly #pieces: WordList
  readonly #first: number
  readonly #last: number
  /** Id of a word that can't be composed of pieces. */
  readonly unknown: number

  /**
   * @param vocabulary the pieces, one per line; the line number is the id
   * @throws Error if `[CLS]`, `[SEP]` or `[UNK]` is missing
   */
  constructor(vocabulary: string) {
    this.#pieces = new WordList(vocabulary)
    const special = (piece: string): number => {
      const id = this.#pieces.rowOf(piece)
      if (id === undefined) throw new Error(`The vocabulary has no ${piece}`)
      return id
    }
    this.#first = special('[CLS]')
    this.#last = special('[SEP]')
    this.unknown = special('[UNK]')
  }

  /** Number of pieces. */
  get length(): number {
    return this.#pieces.length
  }

  /**
   * The ids of a text, between `[CLS]` and `[SEP]`.
   * @param limit maximum number of ids, including these two; the rest of the text is ignored
   */
  ids(text: string, limit: number): number[] {
    const found = [this.#first]
    for (const [word] of normalise(text, limit * CODE_UNITS_PER_PIECE).matchAll(WORD)) {
      if (found.length >= limit - 1) break
      this.#add(word, found)
    }
    found.length = Math.min(found.length, limit - 1)
    found.push(this.#last)
    return found
  }

  /** Adds the pieces of a word. A word that can't be composed of pieces is one unknown piece. */
  #add(word: string, found: number[]): void {
    const before = found.length
    let start = 0
    if (word.length <= LONGEST_WORD || Array.from(word).length <= LONGEST_WORD) {
      while (start < word.length) {
        const mark = start === 0 ? '' : CONTINUED
        let end = word.length
        let id: number | undefined
        while (end > start) {
          id = this.#pieces.rowOf(`${mark}${word.slice(start, end)}`)
          if (id !== undefined) break
          end--
        }
        if (id === undefined) break
        found.push(id)
        start = end
      }
      if (start === word.length) return
    }
    found.length = before
    found.push(this.unknown)
  }
}

/** Lower case without accents. As in the reference, a capital sigma never becomes a final sigma. */
function normalise(text: string, longest: number): string {
  return text
    .slice(0, longest)
    .toWellFormed()
    .replace(REMOVED, '')
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .replaceAll('Σ', 'σ')
    .toLowerCase()
}
