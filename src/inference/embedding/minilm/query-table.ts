/**
 * The query table: embeds a question into the space of all-MiniLM-L6-v2 without running the model. A question's vector
 * is the sum of the rows of its word pieces and of its frequent pairs of adjacent pieces, scaled to unit length. The
 * rows are trained so that the sum has the same direction as the model's own vector. See MODEL_CARD.md in this folder
 * for its quality.
 *
 * File format, with little-endian numbers: a header of 40 bytes, then the sections in this order, contiguously:
 *
 * | offset | type | what |
 * |---|---|---|
 * | 0 | 4 bytes | magic `HCQT` |
 * | 4 | u16 | format version, 1 |
 * | 6 | u16 | dimensions D |
 * | 8 | u32 | number of pieces |
 * | 12 | u32 | number of pairs |
 * | 16 | u16 | subspaces S, a divisor of D; subspace s holds the dimensions s, s + S, s + 2S … |
 * | 18 | u16 | reserved, 0 |
 * | 20 | u32 | length of the vocabulary section in bytes |
 * | 24 | f32, f32 | lowest natural logarithm of a row's norm, and the step of its byte |
 * | 32 | u32 | checksum of everything after the header |
 * | 36 | u32 | reserved, 0 |
 *
 * Sections: the scale of each subspace's codebook (f32 × S); the codebooks (i8, S × 256 × D/S), by product quantisation
 * (Jégou, Douze and Schmid 2011, section II); the pairs (two u16 row numbers of pieces each, ascending); norm bytes
 * (one per row: pieces first, then pairs); codes (S bytes per row, stored subspace by subspace); the pieces in row
 * order, in UTF-8 with a line feed between two.
 * @module
 */
import { CoordinatorError } from '../../../errors.ts'
import type { Embedder, Embedding } from '../embedder.ts'
import { checksum, dequantise, scaledCodebooks } from '../packed.ts'
import { MINILM_SPACE } from './model.ts'
import { MAX_QUESTION_PIECES } from './texts.ts'
import { WordPieces } from './word-pieces.ts'

/** Path of the table in the static assets. */
export const QUERY_TABLE_PATH = '/models/minilm-l6-256-v1-queries.bin'

/** The bytes are not a query table that this version supports. */
export class QueryTableError extends Error {
  override readonly name = 'QueryTableError'
}

const HEADER_BYTES = 40
const FORMAT_VERSION = 1
const CENTROIDS = 256

/** Shorter vectors have cancelled out and carry no information. */
const MIN_NORM = 1e-6

function requireThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new QueryTableError(`The query table cannot be read: ${problem}`)
}

/** A query table in memory. The codes stay packed. */
interface PackedTable {
  readonly dimensions: number
  readonly subspaces: number
  readonly wordPieces: WordPieces
  readonly pieces: number
  /** Row number by left piece × 65,536 + right piece. */
  readonly pairs: ReadonlyMap<number, number>
  /** Codebooks with scales applied: subspace × 256 × width numbers. */
  readonly codebooks: Float32Array
  /** One byte per subspace and row, subspace by subspace. */
  readonly codes: Uint8Array
  readonly norms: Float32Array
}

function pairKey(left: number, right: number): number {
  return left * 65536 + right
}

/**
 * Parses and validates a query table.
 * @throws QueryTableError with the reason: too short, another format, another version, damaged
 */
function parse(table: ArrayBuffer): PackedTable {
  requireThat(table.byteLength >= HEADER_BYTES, `it has ${table.byteLength} bytes, fewer than its header`)
  const view = new DataView(table)
  requireThat(view.getUint32(0) === 0x48435154, 'it does not begin with the mark of a query table')
  const version = view.getUint16(4, true)
  requireThat(version === FORMAT_VERSION, `it has format version ${version}, this code reads ${FORMAT_VERSION}`)
  const dimensions = view.getUint16(6, true)
  const pieces = view.getUint32(8, true)
  const pairCount = view.getUint32(12, true)
  const subspaces = view.getUint16(16, true)
  const vocabularyBytes = view.getUint32(20, true)
  requireThat(pieces > 0 && subspaces > 0 && dimensions % subspaces === 0, 'its header names impossible sizes')
  const rows = pieces + pairCount
  const expected =
    HEADER_BYTES + 4 * subspaces + CENTROIDS * dimensions + 4 * pairCount + rows * (1 + subspaces) + vocabularyBytes
  requireThat(table.byteLength === expected, `it has ${table.byteLength} bytes where its header names ${expected}`)
  const found = checksum(new Uint8Array(table, HEADER_BYTES))
  requireThat(found === view.getUint32(32, true), 'its checksum does not match, so it is damaged')

  let at = HEADER_BYTES
  const section = (length: number): Uint8Array => {
    at += length
    return new Uint8Array(table, at - length, length)
  }
  const width = dimensions / subspaces
  const scales = Array.from({ length: subspaces }, (_, subspace) => view.getFloat32(at + 4 * subspace, true))
  at += 4 * subspaces
  const ends = scales.map((_, subspace) => CENTROIDS * width * (subspace + 1))
  const codebooks = scaledCodebooks(section(CENTROIDS * dimensions), scales, ends)
  const pairs = new Map<number, number>()
  for (let pair = 0; pair < pairCount; pair++, at += 4) {
    pairs.set(pairKey(view.getUint16(at, true), view.getUint16(at + 2, true)), pieces + pair)
  }
  const norms = dequantise(section(rows), view.getFloat32(24, true), view.getFloat32(28, true), Math.exp)
  requireThat(codebooks !== null && norms !== null, 'it holds numbers that are not finite')
  const codes = section(subspaces * rows)
  const wordPieces = new WordPieces(new TextDecoder().decode(section(vocabularyBytes)))
  requireThat(wordPieces.length === pieces, `its vocabulary does not hold the ${pieces} pieces it names`)
  return { dimensions, subspaces, wordPieces, pieces, pairs, codebooks, codes, norms }
}

/**
 * Embeds questions synchronously in memory, in the space of the model's document vectors. Only for questions: documents
 * need the model.
 */
export class QueryTable implements Embedder {
  readonly space = MINILM_SPACE
  readonly #table: PackedTable

  /**
   * @param bytes the whole file; must not be modified afterwards
   * @throws QueryTableError if the bytes are not a readable table
   */
  constructor(bytes: ArrayBuffer) {
    this.#table = parse(bytes)
    requireThat(
      this.#table.dimensions === this.space.dimensions,
      `it has ${this.#table.dimensions} dimensions, its space ${this.space.dimensions}`,
    )
  }

  async embed(texts: readonly string[]): Promise<Embedding[]> {
    return texts.map((text) => this.embedQuestion(text))
  }

  /**
   * The vector of one question, null if it has no known piece. `coverage` is the share of its word pieces that are
   * known. Unknown pieces, and pieces after the first MAX_QUESTION_PIECES, are ignored.
   */
  embedQuestion(text: string): Embedding {
    const { wordPieces, pairs } = this.#table
    const ids = wordPieces.ids(text, MAX_QUESTION_PIECES).slice(1, -1)
    const sum = new Float32Array(this.#table.dimensions)
    let known = 0
    let previous = wordPieces.unknown
    for (const id of ids) {
      if (id !== wordPieces.unknown) {
        known++
        this.#add(sum, id)
        const pair = pairs.get(pairKey(previous, id))
        if (pair !== undefined) this.#add(sum, pair)
      }
      previous = id
    }
    const norm = Math.hypot(...sum)
    if (known === 0 || !(norm > MIN_NORM)) return { vector: null, coverage: 0 }
    return { vector: sum.map((value) => value / norm), coverage: known / ids.length }
  }

  /** Adds a row to `sum`, directly from its codes. */
  #add(sum: Float32Array, row: number): void {
    const { codebooks, codes, dimensions, norms, subspaces } = this.#table
    const width = dimensions / subspaces
    const norm = norms[row] ?? 0
    for (let subspace = 0; subspace < subspaces; subspace++) {
      const centroid = (subspace * CENTROIDS + (codes[subspace * norms.length + row] ?? 0)) * width
      for (let offset = 0; offset < width; offset++) {
        const dimension = subspace + offset * subspaces
        sum[dimension] = (sum[dimension] ?? 0) + norm * (codebooks[centroid + offset] ?? 0)
      }
    }
  }
}

/**
 * A query table that is read on the first question of an isolate. Requests that arrive during the read start their own
 * read: in a Worker, a request must not wait for the I/O of another.
 */
export class DeferredQueryTable implements Embedder {
  readonly space = MINILM_SPACE
  readonly #read: () => Promise<ArrayBuffer>
  #table: QueryTable | null = null

  /** @param read reads the whole file; rejects if it is missing */
  constructor(read: () => Promise<ArrayBuffer>) {
    this.#read = read
  }

  /** @throws CoordinatorError `engine_unavailable` if the table is missing or damaged; the next call reads it again */
  async embed(texts: readonly string[]): Promise<Embedding[]> {
    this.#table ??= await this.#open()
    return this.#table.embed(texts)
  }

  async #open(): Promise<QueryTable> {
    try {
      return new QueryTable(await this.#read())
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'it cannot be read'
      throw new CoordinatorError('engine_unavailable', `The query table is not loaded: ${problem}.`, {
        hint: 'Deploy the Worker with the whole folder public/, or set EMBEDDER=static.',
        retryAfter: 5,
      })
    }
  }
}
