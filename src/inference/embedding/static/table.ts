/**
 * The file format of the static word table: parsing and validation.
 *
 * All numbers are little-endian. A header of 40 bytes, then the sections in this order, contiguously:
 *
 * | offset | type | what |
 * |---|---|---|
 * | 0 | 4 bytes | magic `HCWT` |
 * | 4 | u16 | format version, 1 |
 * | 6 | u16 | dimensions |
 * | 8 | u32 | number of words |
 * | 12 | u16 | subspaces S; each codes its share of the D dimensions in one byte: number s has those from ⌊sD/S⌋ on |
 * | 14 | u16 | reserved, 0 |
 * | 16 | u32 | length of the vocabulary section in bytes |
 * | 20 | f32, f32 | lowest natural logarithm of a row's norm, and the step of its byte |
 * | 28 | f32, f32 | lowest inverse document frequency, and the step of its byte |
 * | 36 | u32 | checksum of everything after the header |
 *
 * Sections: the scale of each subspace's codebook (f32 × subspaces); the codebooks (i8, subspaces × 256 × width), by
 * product quantisation (Jégou, Douze and Schmid 2011, section II); norm bytes (one per word); inverse document
 * frequency bytes (one per word); codes (one byte per subspace and word, stored subspace by subspace); the vocabulary:
 * the words in row order, in UTF-8 with a line feed between two.
 * @module
 */
import { checksum, dequantise, scaledCodebooks } from '../packed.ts'
import { WordList } from '../word-list.ts'

/** A word table in memory. The codes stay packed. */
export interface WordTable {
  readonly dimensions: number
  /** First dimension of each subspace, followed by `dimensions`. */
  readonly starts: readonly number[]
  /** The words in row order. */
  readonly words: WordList
  /** Codebooks with scales applied: subspace × 256 × width numbers. */
  readonly codebooks: Float32Array
  /** One byte per subspace and word, subspace by subspace. */
  readonly codes: Uint8Array
  /** Weight of each row: its norm before coding. */
  readonly norms: Float32Array
  /** Inverse document frequency of each row, in nats. */
  readonly idf: Float32Array
  /** The highest inverse document frequency in the table. Unknown words get it too. */
  readonly highestIdf: number
}

/** The bytes are not a word table that this version supports. */
export class WordTableError extends Error {
  override readonly name = 'WordTableError'
}

const HEADER_BYTES = 40
const MAGIC = 'HCWT'
const FORMAT_VERSION = 1
const CENTROIDS = 256

function requireThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new WordTableError(`The word table cannot be read: ${problem}`)
}

function readVocabulary(bytes: Uint8Array, count: number): WordList {
  let text = ''
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new WordTableError('The word table cannot be read: its vocabulary is not UTF-8')
  }
  const words = new WordList(text)
  requireThat(words.length === count && words.distinct, `its vocabulary does not hold the ${count} words it names`)
  return words
}

/**
 * Parses and validates a word table. Takes a few milliseconds, once per isolate.
 * @throws WordTableError with the reason: too short, another format, another version, damaged
 */
export function parseWordTable(table: ArrayBuffer): WordTable {
  requireThat(table.byteLength >= HEADER_BYTES, `it has ${table.byteLength} bytes, fewer than its header`)
  const view = new DataView(table)
  const magic = String.fromCharCode(...new Uint8Array(table, 0, 4))
  requireThat(magic === MAGIC, 'it does not begin with the mark of a word table')
  const version = view.getUint16(4, true)
  requireThat(version === FORMAT_VERSION, `it has format version ${version}, this code reads ${FORMAT_VERSION}`)
  const dimensions = view.getUint16(6, true)
  const count = view.getUint32(8, true)
  const subspaces = view.getUint16(12, true)
  const vocabularyBytes = view.getUint32(16, true)
  requireThat(count > 0 && subspaces > 0 && subspaces <= dimensions, 'its header names impossible sizes')
  const codebookBytes = CENTROIDS * dimensions
  const expected = HEADER_BYTES + 4 * subspaces + codebookBytes + count * (2 + subspaces) + vocabularyBytes
  requireThat(table.byteLength === expected, `it has ${table.byteLength} bytes where its header names ${expected}`)
  const found = checksum(new Uint8Array(table, HEADER_BYTES))
  requireThat(found === view.getUint32(36, true), 'its checksum does not match, so it is damaged')

  let at = HEADER_BYTES
  const section = (length: number): Uint8Array => {
    at += length
    return new Uint8Array(table, at - length, length)
  }
  const scales = Array.from({ length: subspaces }, (_, subspace) => view.getFloat32(at + 4 * subspace, true))
  at += 4 * subspaces
  const starts = Array.from({ length: subspaces + 1 }, (_, subspace) => Math.floor((subspace * dimensions) / subspaces))
  const ends = starts.slice(1).map((start) => CENTROIDS * start)
  const codebooks = scaledCodebooks(section(codebookBytes), scales, ends)
  const norms = dequantise(section(count), view.getFloat32(20, true), view.getFloat32(24, true), Math.exp)
  const idf = dequantise(section(count), view.getFloat32(28, true), view.getFloat32(32, true))
  requireThat(codebooks !== null && norms !== null && idf !== null, 'it holds numbers that are not finite')
  const codes = section(subspaces * count)
  const words = readVocabulary(section(vocabularyBytes), count)
  const highestIdf = idf.reduce((highest, value) => Math.max(highest, value), 0)
  return { dimensions, starts, words, codebooks, codes, norms, idf, highestIdf }
}
