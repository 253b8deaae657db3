/**
 * The file format of the static word table: parsing and validation.
 *
 * All numbers are little-endian. A header of 40 bytes, then the sections in this order, without gaps:
 *
 * | offset | type | what |
 * |---|---|---|
 * | 0 | 4 bytes | magic `HCWT` |
 * | 4 | u16 | format version, 1 |
 * | 6 | u16 | dimensions |
 * | 8 | u32 | number of words |
 * | 12 | u16 | subspaces; each codes `dimensions / subspaces` consecutive dimensions in one byte |
 * | 14 | u16 | reserved, 0 |
 * | 16 | u32 | length of the vocabulary section in bytes |
 * | 20 | f32, f32 | lowest natural logarithm of a row's norm, and the step of its byte |
 * | 28 | f32, f32 | lowest inverse document frequency, and the step of its byte |
 * | 36 | u32 | checksum of everything after the header |
 *
 * Sections: the scale of each subspace's codebook (f32 × subspaces); the codebooks (i8, subspaces × 256 × width);
 * norm bytes (one a word); inverse document frequency bytes (one a word); codes (subspaces bytes a word, stored subspace
 * by subspace); the vocabulary: words in code unit order, front coded as one byte (length shared with the word before,
 * in UTF-8 bytes), one byte (length of the rest), the rest.
 * @module
 */

/** A word table as it lies in memory; the codes stay packed. */
export interface WordTable {
  readonly dimensions: number
  /** Row number of every word. */
  readonly rows: ReadonlyMap<string, number>
  /** Codebooks with their scales applied: subspace × 256 × width numbers. */
  readonly codebooks: Float32Array
  /** One byte for each subspace and word, subspace by subspace. */
  readonly codes: Uint8Array
  /** Weight of each row: its norm before coding. */
  readonly norms: Float32Array
  /** Inverse document frequency of each row, in nats. */
  readonly idf: Float32Array
  /** The highest inverse document frequency of the table, which an unknown word gets too. */
  readonly highestIdf: number
}

/** The table's bytes are not a table that this version can read. */
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

/** 32-bit FNV-1a over little-endian words of four bytes (the last one padded with zeros), as in its public description. */
function checksum(bytes: Uint8Array): number {
  const padded = bytes.byteLength % 4 === 0 && bytes.byteOffset % 4 === 0
  const copy = padded ? bytes : new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4)
  if (!padded) copy.set(bytes)
  const words = new Uint32Array(copy.buffer, copy.byteOffset, Math.ceil(bytes.byteLength / 4))
  let hash = 0x811c9dc5
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193)
  return hash >>> 0
}

function readVocabulary(bytes: Uint8Array, count: number): Map<string, number> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const rows = new Map<string, number>()
  const buffer = new Uint8Array(512)
  let at = 0
  let previousLength = 0
  for (let row = 0; row < count; row++) {
    const shared = bytes[at] ?? 0
    const rest = bytes[at + 1] ?? 0
    requireThat(at + 2 + rest <= bytes.length && shared <= previousLength, `its vocabulary breaks off at word ${row}`)
    buffer.set(bytes.subarray(at + 2, at + 2 + rest), shared)
    previousLength = shared + rest
    rows.set(decodeWord(decoder, buffer, previousLength, row), row)
    at += 2 + rest
  }
  requireThat(at === bytes.length && rows.size === count, `its vocabulary does not hold the ${count} words it names`)
  return rows
}

function decodeWord(decoder: TextDecoder, buffer: Uint8Array, length: number, row: number): string {
  let word = ''
  for (let index = 0; index < length; index++) {
    const byte = buffer[index] ?? 0
    if (byte < 128) {
      word += String.fromCharCode(byte)
      continue
    }
    try {
      return decoder.decode(buffer.subarray(0, length))
    } catch {
      throw new WordTableError(`The word table cannot be read: word ${row} is not UTF-8`)
    }
  }
  return word
}

/** Bytes to numbers: lowest + step × byte. */
function dequantise(bytes: Uint8Array, lowest: number, step: number): Float32Array {
  return Float32Array.from(bytes, (byte) => lowest + step * byte)
}

/**
 * Parses and validates a word table. Takes some milliseconds; done once per isolate.
 * @throws WordTableError that says what is wrong: too short, another format, another version, damaged
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
  requireThat(count > 0 && subspaces > 0 && dimensions % subspaces === 0, 'its header names impossible sizes')
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
  const codebookSection = new Int8Array(section(codebookBytes).slice().buffer)
  const perSubspace = codebookBytes / subspaces
  const codebooks = Float32Array.from(codebookSection, (value, index) => {
    return value * (scales[Math.floor(index / perSubspace)] ?? 0)
  })
  const norms = dequantise(section(count), view.getFloat32(20, true), view.getFloat32(24, true)).map(Math.exp)
  const idf = dequantise(section(count), view.getFloat32(28, true), view.getFloat32(32, true))
  const codes = section(subspaces * count)
  const rows = readVocabulary(section(vocabularyBytes), count)
  const highestIdf = idf.reduce((highest, value) => Math.max(highest, value), 0)
  requireThat(
    codebooks.every(Number.isFinite) && norms.every(Number.isFinite) && Number.isFinite(highestIdf),
    'it holds numbers that are not finite',
  )
  return { dimensions, rows, codebooks, codes, norms, idf, highestIdf }
}
