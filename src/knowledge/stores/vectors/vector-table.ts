/**
 * All vectors of one collection in memory as int8. Searches them by brute force with WebAssembly SIMD.
 * @module
 */
import { TopK } from '../top-k.ts'
import kernelModule from './compare.wasm'

interface Kernel {
  readonly memory: WebAssembly.Memory
  /** See compare.wat. */
  compare(
    query: number,
    vectors: number,
    scales: number,
    count: number,
    dimensions: number,
    floor: number,
    scores: number,
    found: number,
  ): number
}

/** An int8 vector and its scale factor: `value ≈ code × scale`. */
export interface QuantizedVector {
  readonly codes: Int8Array
  readonly scale: number
}

const PAGE = 65_536
/**
 * Number of vectors that the kernel handles at once. It always reads that many vectors and writes that many scores,
 * even if fewer are left.
 */
const AT_ONCE = 4
const wholeSteps = (count: number) => Math.ceil(count / AT_ONCE) * AT_ONCE
/** Number of vectors per kernel call. The floor rises from one call to the next. */
const BLOCK = 4096

/**
 * Symmetric int8 quantisation: the largest magnitude becomes ±127. The codes are padded with zeros to a multiple of 16.
 * @param vector finite values, not all zero
 */
export function quantize(vector: Float32Array): QuantizedVector {
  let peak = 0
  for (const value of vector) peak = Math.max(peak, Math.abs(value))
  const codes = new Int8Array(Math.ceil(vector.length / 16) * 16)
  if (peak === 0) return { codes, scale: 0 }
  for (let i = 0; i < vector.length; i++) codes[i] = Math.round(((vector[i] ?? 0) / peak) * 127)
  return { codes, scale: peak / 127 }
}

/**
 * A growing table of quantised vectors, addressed by the item's row number. The last vector fills the slot of a removed
 * row, so that the scan stays dense.
 */
export class VectorTable {
  readonly #width: number
  readonly #kernel: Kernel
  #rows: number[] = []
  #scales = new Float32Array(256)
  readonly #slots = new Map<number, number>()

  /** @param dimensions of the vectors to be added */
  constructor(dimensions: number) {
    this.#width = Math.ceil(dimensions / 16) * 16
    this.#kernel = new WebAssembly.Instance(kernelModule).exports as unknown as Kernel
  }

  /**
   * Restores the table from a snapshot.
   * @returns null if its arrays are inconsistent or have another width
   */
  static restore(dimensions: number, arrays: Readonly<Record<string, ArrayBuffer>>): VectorTable | null {
    const table = new VectorTable(dimensions)
    const rows = new Uint32Array(arrays.vectorRows ?? new ArrayBuffer(0))
    const scales = new Float32Array(arrays.scales ?? new ArrayBuffer(0))
    const codes = new Uint8Array(arrays.codes ?? new ArrayBuffer(0))
    if (scales.length !== rows.length || codes.length !== rows.length * table.#width) return null
    table.#reserve(rows.length)
    table.#scales.set(scales)
    new Uint8Array(table.#kernel.memory.buffer, table.#offset(0), codes.length).set(codes)
    table.#rows = Array.from(rows)
    for (const [slot, row] of rows.entries()) table.#slots.set(row, slot)
    return table
  }

  /** The table in the format of a snapshot. Valid until the next write. */
  get snapshot(): { vectorRows: Uint32Array; scales: Float32Array; codes: Uint8Array } {
    const size = this.#rows.length
    return {
      vectorRows: Uint32Array.from(this.#rows),
      scales: this.#scales.subarray(0, size),
      codes: new Uint8Array(this.#kernel.memory.buffer, this.#offset(0), size * this.#width),
    }
  }

  get size(): number {
    return this.#rows.length
  }

  /** Bytes of memory for the vectors and for searches. */
  get bytes(): number {
    return this.#kernel.memory.buffer.byteLength + this.#scales.byteLength
  }

  /** Adds or replaces the vector of a row. */
  set(row: number, vector: QuantizedVector): void {
    let slot = this.#slots.get(row)
    if (slot === undefined) {
      slot = this.#rows.length
      this.#reserve(slot + 1)
      this.#rows.push(row)
      this.#slots.set(row, slot)
    }
    new Int8Array(this.#kernel.memory.buffer, this.#offset(slot), this.#width).set(
      vector.codes.subarray(0, this.#width),
    )
    this.#scales[slot] = vector.scale
  }

  /** Removes the vector of a row, if there is one. */
  delete(row: number): void {
    const slot = this.#slots.get(row)
    if (slot === undefined) return
    const last = this.#rows.length - 1
    const lastRow = this.#rows[last] ?? row
    if (slot !== last) {
      new Uint8Array(this.#kernel.memory.buffer).copyWithin(
        this.#offset(slot),
        this.#offset(last),
        this.#offset(last) + this.#width,
      )
      this.#scales[slot] = this.#scales[last] ?? 0
      this.#rows[slot] = lastRow
      this.#slots.set(lastRow, slot)
    }
    this.#rows.pop()
    this.#slots.delete(row)
  }

  /**
   * The rows most similar to a query.
   * @param query unit vector
   * @param limit maximum number of rows
   * @param allowed only these rows; undefined: all
   * @returns rows by decreasing cosine
   */
  nearest(query: Float32Array, limit: number, allowed?: ReadonlySet<number>): { row: number; cosine: number }[] {
    const { codes, scale } = quantize(query)
    const count = this.#rows.length
    // Memory layout: the query, the vectors, their scales; then, for one block, the scores and the numbers of the
    // groups of four with a score above the floor.
    const scales = this.#offset(wholeSteps(count))
    const scores = scales + 4 * wholeSteps(count)
    const found = scores + 4 * BLOCK
    const { buffer } = this.#kernel.memory
    new Int16Array(buffer, 0, this.#width).set(codes.subarray(0, this.#width))
    new Float32Array(buffer, scales, count).set(this.#scales.subarray(0, count))
    const ofBlock = new Float32Array(buffer, scores, BLOCK)
    const fours = new Uint32Array(buffer, found, BLOCK / AT_ONCE)
    const best = new TopK(limit)
    for (let start = 0; start < count; start += BLOCK) {
      const size = Math.min(BLOCK, count - start)
      const vectors = this.#offset(start)
      const end = this.#kernel.compare(0, vectors, scales + 4 * start, size, this.#width, best.floor, scores, found)
      for (let i = 0; i < (end - found) / 4; i++) {
        const first = AT_ONCE * (fours[i] as number)
        for (let at = first; at < Math.min(first + AT_ONCE, size); at++) {
          const score = ofBlock[at] as number
          if (score <= best.floor) continue
          const row = this.#rows[start + at] as number
          if (!allowed || allowed.has(row)) best.add(row, score)
        }
      }
    }
    const similarities = best.scores
    return best.rows.map((row, i) => ({ row, cosine: (similarities[i] as number) * scale }))
  }

  /** Cosine of a query with each given row, in order; null for a row without a vector. */
  cosines(query: Float32Array, rows: readonly number[]): (number | null)[] {
    const { codes, scale } = quantize(query)
    const bytes = new Int8Array(this.#kernel.memory.buffer)
    return rows.map((row) => {
      const slot = this.#slots.get(row)
      if (slot === undefined) return null
      const offset = this.#offset(slot)
      let sum = 0
      for (let i = 0; i < this.#width; i++) sum += (codes[i] ?? 0) * (bytes[offset + i] ?? 0)
      return sum * scale * (this.#scales[slot] ?? 0)
    })
  }

  #offset(slot: number): number {
    return 2 * this.#width + slot * this.#width
  }

  #reserve(slots: number): void {
    this.#grow(this.#offset(wholeSteps(slots)) + 4 * wholeSteps(slots) + (4 + 4 / AT_ONCE) * BLOCK)
    if (slots <= this.#scales.length) return
    const scales = new Float32Array(Math.max(slots, this.#scales.length * 2))
    scales.set(this.#scales)
    this.#scales = scales
  }

  #grow(bytes: number): void {
    const memory = this.#kernel.memory
    const missing = bytes - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(Math.max(missing, memory.buffer.byteLength / 4) / PAGE))
  }
}
