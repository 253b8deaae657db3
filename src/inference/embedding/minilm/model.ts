/**
 * all-MiniLM-L6-v2 in WebAssembly memory: reads the weights file as a stream, and encodes texts.
 *
 * File format, with little-endian numbers: a header of 64 bytes, then four contiguous sections (see kernel.c for their
 * content):
 *
 * | offset | type | what |
 * |---|---|---|
 * | 0 | 4 bytes | magic `HCML` |
 * | 4 | u32 | format version, 1 |
 * | 8 | u32 | word pieces |
 * | 12 | u32 | layers |
 * | 16 | u32 | dimensions of a vector |
 * | 20 | u32 × 4 | bytes of the sections: floats, packed word embeddings, vocabulary (UTF-8, a piece a line, padded with line feeds), packed matrices |
 * | 36 | u32 | FNV-1a over the sections, in words of four bytes |
 * | 40 | 24 bytes | name of the embedding space, padded with zeros |
 * @module
 */
import type { EmbeddingSpace } from '../embedder.ts'
import { WordPieces } from './word-pieces.ts'

/** The embedding space of this model with its projection; the weights file names it too. */
export const MINILM_SPACE: EmbeddingSpace = { name: 'minilm-l6-256-v1', dimensions: 256 }

/** Maximum word pieces read from a text, including the special tokens at both ends. */
export const MAX_PIECES = 256

/** Name of the weights file among the static assets, and under public/. */
export const WEIGHTS_PATH = '/models/minilm-l6-256-v1.bin'

const HEADER_BYTES = 64
const MAGIC = 'HCML'
const FORMAT_VERSION = 1
const HIDDEN = 384
const PAGE = 65_536
const FNV_OFFSET = 0x811c9dc5
/** Width and outputs of a layer's matrices, in the order of the file. */
const MATRICES = [
  { width: HIDDEN, outputs: 3 * HIDDEN },
  { width: HIDDEN, outputs: HIDDEN },
  { width: HIDDEN, outputs: 4 * HIDDEN },
  { width: 4 * HIDDEN, outputs: HIDDEN },
] as const
const EMBEDDING_ROW_BYTES = (HIDDEN / 32) * 2 + HIDDEN / 2
const packedRowBytes = (width: number) => (width / 64) * 2 + (width * 3) / 4

/** The functions of kernel.c. Addresses are in bytes. */
interface Kernel {
  readonly memory: WebAssembly.Memory
  base(): number
  ids(): number
  result(): number
  checksum(words: number, count: number, hash: number): number
  unpack(packed: number, codes: number, scales: number, rows: number, width: number): void
  encode(tokens: number, embeddings: number, floats: number, codes: number, layers: number, dimensions: number): void
}

/** The bytes are not weights that this version supports. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError'
}

function requireThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new WeightsError(`The weights of the sentence embedder cannot be read: ${problem}`)
}

/** The content of the header, validated for consistency. */
interface Layout {
  readonly layers: number
  readonly dimensions: number
  readonly floats: number
  readonly embeddings: number
  readonly vocabulary: number
  readonly matrices: number
  readonly checksum: number
  /** Size of the matrices as int8, in bytes. */
  readonly codes: number
}

function readHeader(header: Uint8Array): Layout {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES)
  requireThat(String.fromCharCode(...header.subarray(0, 4)) === MAGIC, 'they do not begin with their mark')
  const word = (index: number) => view.getUint32(4 * index, true)
  requireThat(word(1) === FORMAT_VERSION, `they have format version ${word(1)}, this code reads ${FORMAT_VERSION}`)
  const name = new TextDecoder().decode(header.subarray(40, 64)).replace(/\0+$/, '')
  const [pieces, layers, dimensions] = [word(2), word(3), word(4)]
  requireThat(
    name === MINILM_SPACE.name && dimensions === MINILM_SPACE.dimensions,
    `they are of the space ${name} with ${dimensions} dimensions, not of ${MINILM_SPACE.name}`,
  )
  const sum = (of: (matrix: (typeof MATRICES)[number]) => number) =>
    layers * MATRICES.reduce((total, matrix) => total + of(matrix), 0)
  const floats =
    4 *
    (MAX_PIECES * HIDDEN + 2 * HIDDEN + sum(({ outputs }) => 2 * outputs) + layers * 4 * HIDDEN + dimensions * HIDDEN)
  const possible =
    layers >= 1 &&
    layers <= 12 &&
    word(5) === floats &&
    word(6) === pieces * EMBEDDING_ROW_BYTES &&
    word(7) % 4 === 0 &&
    word(7) < 4_000_000 &&
    word(8) === sum(({ width, outputs }) => packedRowBytes(width) * outputs)
  requireThat(possible, 'their header names impossible sizes')
  return {
    layers,
    dimensions,
    floats,
    embeddings: word(6),
    vocabulary: word(7),
    matrices: word(8),
    checksum: word(9),
    codes: sum(({ width, outputs }) => width * outputs),
  }
}

export class MiniLm {
  readonly #kernel: Kernel
  readonly #layout: Layout
  readonly #floats: number
  readonly #embeddings: number
  readonly #codes: number
  readonly #pieces: WordPieces

  private constructor(kernel: Kernel, layout: Layout, floats: number, pieces: WordPieces) {
    this.#kernel = kernel
    this.#layout = layout
    this.#floats = floats
    this.#embeddings = floats + layout.floats
    this.#codes = this.#embeddings + layout.embeddings
    this.#pieces = pieces
  }

  /**
   * Reads the weights file into the memory of a new kernel instance, chunk by chunk, without a second copy.
   * @param kernel kernel.wasm, compiled
   * @throws WeightsError with the reason: too short, too long, another format, damaged
   */
  static async load(kernel: WebAssembly.Module, chunks: AsyncIterable<Uint8Array>): Promise<MiniLm> {
    const header = new Uint8Array(HEADER_BYTES)
    let loading: Loading | null = null
    let read = 0
    for await (const chunk of chunks) {
      let rest = chunk
      if (!loading) {
        const part = rest.subarray(0, HEADER_BYTES - read)
        header.set(part, read)
        rest = rest.subarray(part.length)
        if (read + part.length === HEADER_BYTES) loading = new Loading(kernel, readHeader(header))
      }
      loading?.add(rest)
      read += chunk.length
    }
    requireThat(loading !== null, `they have ${read} bytes, fewer than their header`)
    const { instance, layout, floats, pieces } = loading.finish()
    return new MiniLm(instance, layout, floats, pieces)
  }

  /** Size of the WebAssembly memory, in bytes. */
  get bytes(): number {
    return this.#kernel.memory.buffer.byteLength
  }

  /** Ids of a text's word pieces, including the special tokens at both ends. */
  ids(text: string, limit: number = MAX_PIECES): number[] {
    return this.#pieces.ids(text, Math.min(limit, MAX_PIECES))
  }

  /**
   * The unit vector of a text; null for a text without words.
   * @param limit maximum number of word pieces to read
   */
  embed(text: string, limit: number = MAX_PIECES): Float32Array | null {
    const ids = this.ids(text, limit)
    if (ids.length <= 2) return null
    const kernel = this.#kernel
    new Int32Array(kernel.memory.buffer, kernel.ids(), ids.length).set(ids)
    const { layers, dimensions } = this.#layout
    kernel.encode(ids.length, this.#embeddings, this.#floats, this.#codes, layers, dimensions)
    return new Float32Array(kernel.memory.buffer, kernel.result(), dimensions).slice()
  }
}

/** A partially loaded weights file. */
class Loading {
  readonly instance: Kernel
  readonly layout: Layout
  readonly floats: number
  /**
   * Address of the packed matrices: at the end of the area where they are unpacked, so that unpacking works in place.
   */
  readonly #packed: number
  readonly #vocabulary: number
  #read = 0

  constructor(kernel: WebAssembly.Module, layout: Layout) {
    this.instance = new WebAssembly.Instance(kernel).exports as unknown as Kernel
    this.layout = layout
    this.floats = this.instance.base()
    const codes = this.floats + layout.floats + layout.embeddings
    this.#packed = codes + layout.codes - layout.matrices
    this.#vocabulary = codes + layout.codes
    const missing = this.#vocabulary + layout.vocabulary - this.instance.memory.buffer.byteLength
    if (missing > 0) this.instance.memory.grow(Math.ceil(missing / PAGE))
  }

  add(chunk: Uint8Array): void {
    const { floats, embeddings, vocabulary, matrices } = this.layout
    const sections = [
      { address: this.floats, bytes: floats + embeddings },
      { address: this.#vocabulary, bytes: vocabulary },
      { address: this.#packed, bytes: matrices },
    ]
    let rest = chunk
    let start = 0
    for (const { address, bytes } of sections) {
      const at = this.#read - start
      if (rest.length > 0 && at < bytes) {
        const part = rest.subarray(0, bytes - at)
        new Uint8Array(this.instance.memory.buffer, address + at, part.length).set(part)
        rest = rest.subarray(part.length)
        this.#read += part.length
      }
      start += bytes
    }
    requireThat(rest.length === 0, 'they are longer than their header names')
  }

  finish(): Loading & { pieces: WordPieces } {
    const { floats, embeddings, vocabulary, matrices, checksum } = this.layout
    const expected = floats + embeddings + vocabulary + matrices
    requireThat(this.#read === expected, `they have ${this.#read} bytes where their header names ${expected}`)
    const { instance } = this
    let hash = instance.checksum(this.floats, (floats + embeddings) / 4, FNV_OFFSET)
    hash = instance.checksum(this.#vocabulary, vocabulary / 4, hash)
    hash = instance.checksum(this.#packed, matrices / 4, hash)
    requireThat(hash >>> 0 === checksum, 'their checksum does not match, so they are damaged')
    this.#unpack()
    const text = new TextDecoder().decode(new Uint8Array(instance.memory.buffer, this.#vocabulary, vocabulary))
    return Object.assign(this, { pieces: new WordPieces(text) })
  }

  #unpack(): void {
    let packed = this.#packed
    let codes = this.floats + this.layout.floats + this.layout.embeddings
    let scales = this.floats + 4 * (MAX_PIECES * HIDDEN + 2 * HIDDEN)
    for (let layer = 0; layer < this.layout.layers; layer++) {
      for (const { width, outputs } of MATRICES) {
        this.instance.unpack(packed, codes, scales, outputs, width)
        packed += outputs * packedRowBytes(width)
        codes += outputs * width
        scales += 4 * 2 * outputs
      }
      scales += 4 * 4 * HIDDEN
    }
  }
}
