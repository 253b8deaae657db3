/**
 * The workspace of an export in R2, used between its runs: numbered pieces of intermediate results. They are stored
 * with the project's datasets, so that a deletion of the project finds them, and deleted when the dataset is complete.
 * @module
 */

/** The kinds of pieces in a workspace. */
export const PIECES = ['rows', 'lineage', 'seen', 'groups', 'sides'] as const
export type Piece = (typeof PIECES)[number]
export type PieceCounts = Readonly<Record<Piece, number>>

export const NO_PIECES: PieceCounts = { rows: 0, lineage: 0, seen: 0, groups: 0, sides: 0 }

/** Number of keys that R2 lists and deletes in one request. */
const KEYS = 1_000

export class Workspace {
  readonly #bucket: R2Bucket
  readonly #prefix: string
  readonly #counts: Record<Piece, number>

  /** @param counts number of pieces written by earlier runs, by kind */
  constructor(bucket: R2Bucket, prefix: string, counts: PieceCounts) {
    this.#bucket = bucket
    this.#prefix = prefix
    this.#counts = { ...counts }
  }

  get counts(): PieceCounts {
    return { ...this.#counts }
  }

  /** Adds a piece, unless it is empty. Replaces a piece with the same number from a run that died. */
  async write(piece: Piece, bytes: Uint8Array | Uint32Array): Promise<void> {
    if (bytes.byteLength === 0) return
    await this.#bucket.put(this.#key(piece, this.#counts[piece]), bytes)
    this.#counts[piece]++
  }

  /** The pieces in order. @throws Error if one is missing */
  async *read(piece: Piece): AsyncGenerator<ArrayBuffer> {
    for (let number = 0; number < this.#counts[piece]; number++) {
      const stored = await this.#bucket.get(this.#key(piece, number))
      if (!stored) throw new Error(`A piece of the export is missing: ${piece} ${number}.`)
      yield await stored.arrayBuffer()
    }
  }

  /** Discards the pieces of a kind. They are replaced or cleared later. */
  restart(piece: Piece): void {
    this.#counts[piece] = 0
  }

  /** Deletes all pieces of the workspace. */
  async clear(): Promise<void> {
    for (;;) {
      const { objects, truncated } = await this.#bucket.list({ prefix: this.#prefix, limit: KEYS })
      if (objects.length > 0) await this.#bucket.delete(objects.map(({ key }) => key))
      if (!truncated) return
    }
  }

  #key(piece: Piece, number: number): string {
    return `${this.#prefix}${piece}.${String(number).padStart(6, '0')}`
  }
}
