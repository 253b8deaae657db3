/**
 * A compact list of a document's distinct terms. It is the stored form of the document's words, and the inverted index
 * is built from it.
 *
 * Layout, little-endian: u32 length of the document in terms; n × u32 hashes, ascending; n × u8 frequencies in halves.
 * @module
 */

import { fnv1a } from '../hash.ts'
import type { DocumentColumns } from './index-terms.ts'

const HEADER_BYTES = 4
const HASH_BYTES = 4
/** Frequencies are counted in halves, so that terms of the identifiers column count half. */
const HALVES = 2
const FREQUENCY_LIMIT = 255

/** FNV-1a over UTF-16 code units, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
export function hashTerm(term: string): number {
  return fnv1a(term)
}

/**
 * Maximum number of distinct terms of one document. Ordinary text of 300,000 characters has fewer than half as many.
 */
export const MAX_DISTINCT_TERMS = 16_384

/**
 * The term list of a document, from its columns. Five bytes per distinct term, for the first 16,384 of them: title,
 * then body, then identifiers. Further terms count in the length, but can't be found.
 */
export function termList(columns: DocumentColumns): Uint8Array {
  const halves = new Map<number, number>()
  let length = 0
  const add = (column: string, weight: number) => {
    if (column === '') return
    for (const term of column.split(' ')) {
      const hash = hashTerm(term)
      length++
      const known = halves.get(hash)
      if (known !== undefined || halves.size < MAX_DISTINCT_TERMS) halves.set(hash, (known ?? 0) + weight)
    }
  }
  add(columns.title, HALVES)
  add(columns.body, HALVES)
  add(columns.identifiers, 1)
  const hashes = Uint32Array.from(halves.keys()).sort()
  const bytes = new Uint8Array(HEADER_BYTES + hashes.length * (HASH_BYTES + 1))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length, true)
  const frequencies = HEADER_BYTES + hashes.length * HASH_BYTES
  hashes.forEach((hash, i) => {
    view.setUint32(HEADER_BYTES + i * HASH_BYTES, hash, true)
    bytes[frequencies + i] = Math.min(FREQUENCY_LIMIT, halves.get(hash) ?? 0)
  })
  return bytes
}

/** Length of a document in terms, as {@link termList} recorded it; 0 for an empty list. */
export function documentLength(list: Uint8Array): number {
  return list.length < HEADER_BYTES ? 0 : new DataView(list.buffer, list.byteOffset).getUint32(0, true)
}

/** Frequencies in a term list are multiples of this. */
export const FREQUENCY_UNIT = 1 / HALVES

/** The parts of a term list: length in terms, ascending hashes, and the frequency of each in units of FREQUENCY_UNIT. */
export function readTermList(list: Uint8Array): { length: number; hashes: Uint32Array; frequencies: Uint8Array } {
  const aligned = list.byteOffset % HASH_BYTES === 0 ? list : list.slice()
  const size = Math.max(0, Math.floor((aligned.byteLength - HEADER_BYTES) / (HASH_BYTES + 1)))
  const start = aligned.byteOffset + HEADER_BYTES
  return {
    length: documentLength(aligned),
    hashes: size === 0 ? new Uint32Array(0) : new Uint32Array(aligned.buffer, start, size),
    frequencies: size === 0 ? new Uint8Array(0) : new Uint8Array(aligned.buffer, start + size * HASH_BYTES, size),
  }
}

/** A reader of one term list; found frequencies are in whole terms. */
export class TermListReader {
  readonly length: number
  readonly #view: DataView
  readonly #size: number

  constructor(list: Uint8Array) {
    this.#view = new DataView(list.buffer, list.byteOffset, list.byteLength)
    this.#size = Math.max(0, Math.floor((list.byteLength - HEADER_BYTES) / (HASH_BYTES + 1)))
    this.length = documentLength(list)
  }

  /** Frequency of the term with this hash in the document; 0 if it doesn't occur. Binary search. */
  frequency(hash: number): number {
    let low = 0
    let high = this.#size - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const found = this.#view.getUint32(HEADER_BYTES + middle * HASH_BYTES, true)
      if (found === hash) return this.#view.getUint8(HEADER_BYTES + this.#size * HASH_BYTES + middle) / HALVES
      if (found < hash) low = middle + 1
      else high = middle - 1
    }
    return 0
  }
}
