/**
 * What an export keeps in R2 between its runs: numbered pieces of what it has made so far. They lie beside the project's datasets, so that
 * a deletion of the project finds them, and go when the dataset is there.
 * @module
 */

/** What a workspace holds pieces of. */
export const PIECES = ['rows', 'lineage', 'seen', 'groups', 'sides'] as const
export type Piece = (typeof PIECES)[number]
export type PieceCounts = Readonly<Record<Piece, number>>

export const NO_PIECES: PieceCounts = { rows: 0, lineage: 0, seen: 0, groups: 0, sides: 0 }

/** Keys that R2 lists and deletes at once. */
const KEYS = 1_000

export class Workspace {
  readonly #bucket: R2Bucket
  readonly #prefix: string
  readonly #counts: Record<Piece, number>

  /** @param counts of the pieces that earlier runs have written */
  constructor(bucket: R2Bucket, prefix: string, counts: PieceCounts) {
    this.#bucket = bucket
    this.#prefix = prefix
    this.#counts = { ...counts }
  }

  get counts(): PieceCounts {
    return { ...this.#counts }
  }

  /** Adds a piece; one without bytes is left out. What a run that died has left under the same number is replaced. */
  async write(piece: Piece, bytes: Uint8Array | Uint32Array): Promise<void> {
    if (bytes.byteLength === 0) return
    await this.#bucket.put(this.#key(piece, this.#counts[piece]), bytes)
    this.#counts[piece]++
  }

  /** The pieces in order. @throws Error when one is missing */
  async *read(piece: Piece): AsyncGenerator<ArrayBuffer> {
    for (let number = 0; number < this.#counts[piece]; number++) {
      const stored = await this.#bucket.get(this.#key(piece, number))
      if (!stored) throw new Error(`A piece of the export is missing: ${piece} ${number}.`)
      yield await stored.arrayBuffer()
    }
  }

  /** Forgets the pieces of a kind; they are replaced or cleared later. */
  restart(piece: Piece): void {
    this.#counts[piece] = 0
  }

  /** Deletes everything that lies here. */
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
