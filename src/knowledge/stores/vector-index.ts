/**
 * The vectors of one collection in its Durable Object: those of the searched space, and those of the space being
 * prepared. The two are never mixed.
 * @module
 */
import { type EmbeddingSpace, sameSpace } from '../../inference/embedding/embedder.ts'
import { currentScale, type MeasuredScale, SCALE_SAMPLE, scaleOf } from './cosine-scale.ts'
import type { IndexSnapshot } from './index-snapshot.ts'
import type { CosineScale } from './store.ts'
import type { SnapshotArrays } from './stored-snapshot.ts'
import { quantize, VectorTable } from './vectors/vector-table.ts'

/** Name of the property with the space of each table. */
const TABLES = { vectors: 'space', next_vectors: 'next_space' } as const

/** Name of the property with the scale of the searched space, and the number of items it was measured on. */
const SCALE = 'scale'

/** `vectors`: the searched space; `next_vectors`: the space being prepared. */
export type VectorTableName = keyof typeof TABLES

export class VectorIndex {
  readonly #sql: SqlStorage
  /** Mirrors the table; null: not read yet. */
  #vectors: VectorTable | null = null
  /** The space of each table, mirroring its property. Missing: not read yet. */
  readonly #spaces = new Map<VectorTableName, EmbeddingSpace | null>()
  /** Mirrors the table. */
  #embedded: number | null = null
  /** Mirrors its property; undefined: not read yet. */
  #scale: MeasuredScale | null | undefined

  readonly #snapshot: IndexSnapshot

  constructor(sql: SqlStorage, snapshot: IndexSnapshot) {
    this.#sql = sql
    this.#snapshot = snapshot
  }

  /** Clears the state in memory after a rollback. */
  reset(): void {
    this.#vectors = null
    this.#spaces.clear()
    this.#embedded = null
    this.#scale = undefined
  }

  /** The searched space; null before the first write. */
  get space(): EmbeddingSpace | null {
    return this.#spaceOf('vectors')
  }

  /** Number of items with a vector. */
  get size(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM vectors WHERE length(codes) > 0').one().n
  }

  /** Number of items embedded in the searched space, including those without a vector. */
  get embedded(): number {
    this.#embedded ??= this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM vectors').one().n
    return this.#embedded
  }

  /** The scale of the searched space; null: not measured, or measured at a different collection size. */
  get scale(): CosineScale | null {
    if (this.#scale === undefined) {
      const [row] = this.#sql.exec<{ value: string }>('SELECT value FROM properties WHERE name = ?', SCALE).toArray()
      this.#scale = row ? (JSON.parse(row.value) as MeasuredScale) : null
    }
    return currentScale(this.#scale, this.space?.name, this.embedded)
  }

  /**
   * Measures the scale of the searched space on a sample of its vectors and stores it. Returns null without vectors.
   */
  measureScale(space: EmbeddingSpace, unrelated: readonly Float32Array[]): CosineScale | null {
    const table = this.searchable(space)
    if (table === null || table === 'other space' || table.size === 0 || unrelated.length === 0) return null
    const rows = this.#sampleRows()
    const scale = scaleOf(
      unrelated.flatMap((vector) => table.cosines(vector, rows).filter((cosine) => cosine !== null)),
    )
    if (!scale) return null
    this.#scale = { space: space.name, ...scale, items: this.embedded }
    this.#sql.exec('INSERT OR REPLACE INTO properties (name, value) VALUES (?, ?)', SCALE, JSON.stringify(this.#scale))
    return scale
  }

  /** Up to 1,000 rows with vectors, spread evenly over the table. */
  #sampleRows(): number[] {
    const step = Math.max(1, Math.floor(this.size / SCALE_SAMPLE))
    const sample = this.#sql.exec<{ row: number }>(
      'SELECT row FROM vectors WHERE length(codes) > 0 AND row % ? = 0 ORDER BY row LIMIT ?',
      step,
      SCALE_SAMPLE,
    )
    return [...sample].map(({ row }) => row)
  }

  /** The table for vectors of a space. The first space that is written becomes the searched one. Null: none (yet). */
  tableFor(space: EmbeddingSpace): VectorTableName | null {
    if (!this.space) this.#setSpace('vectors', space)
    if (sameSpace(this.space, space)) return 'vectors'
    return sameSpace(this.#spaceOf('next_vectors'), space) ? 'next_vectors' : null
  }

  /** Like {@link tableFor}, but a new space replaces the one being prepared. */
  prepare(space: EmbeddingSpace): VectorTableName {
    const table = this.tableFor(space)
    if (table) return table
    this.#sql.exec('DELETE FROM next_vectors')
    this.#setSpace('next_vectors', space)
    return 'next_vectors'
  }

  /** Whether a row has a vector in a table. */
  has(table: VectorTableName, row: number): boolean {
    return this.#sql.exec(`SELECT 1 FROM ${table} WHERE row = ? AND length(codes) > 0`, row).toArray().length > 0
  }

  /** Adds or replaces a row's vector; null: embedded, but without a vector. */
  set(table: VectorTableName, row: number, vector: Float32Array | null): void {
    const { scale, codes } = vector ? quantize(vector) : { scale: 0, codes: new Int8Array(0) }
    const known = table === 'vectors' && this.#embedded !== null && this.#isIn(table, row)
    this.#sql.exec(`INSERT OR REPLACE INTO ${table} (row, scale, codes) VALUES (?, ?, ?)`, row, scale, codes.buffer)
    if (table !== 'vectors') return
    if (!known && this.#embedded !== null) this.#embedded++
    if (vector) this.#vectors?.set(row, { scale, codes })
    else this.#vectors?.delete(row)
  }

  /** Removes a row's vectors. */
  remove(row: number): void {
    if (this.#embedded !== null && this.#isIn('vectors', row)) this.#embedded--
    for (const table of Object.keys(TABLES)) this.#sql.exec(`DELETE FROM ${table} WHERE row = ?`, row)
    this.#vectors?.delete(row)
  }

  /** Vectors of rows, by row. Storing one again gives the same codes and scale. */
  read(rows: readonly number[]): Map<number, Float32Array> {
    const dimensions = this.space?.dimensions ?? 0
    const found = this.#sql.exec<{ row: number; scale: number; codes: ArrayBuffer }>(
      'SELECT row, scale, codes FROM vectors WHERE length(codes) > 0 AND row IN (SELECT value FROM json_each(?))',
      JSON.stringify(rows),
    )
    const vectorOf = (codes: ArrayBuffer, scale: number) =>
      Float32Array.from(new Int8Array(codes).subarray(0, dimensions), (code) => code * scale)
    return new Map([...found].map(({ row, scale, codes }) => [row, vectorOf(codes, scale)]))
  }

  /** SQL condition on `items.row`: not yet embedded in a space. */
  missing(space: EmbeddingSpace): string {
    const table = this.tableFor(space)
    return table ? `items.row NOT IN (SELECT row FROM ${table})` : '1'
  }

  /** Switches searches to the prepared space. */
  serve(space: EmbeddingSpace): void {
    if (this.tableFor(space) !== 'next_vectors') return
    this.#sql.exec('DELETE FROM vectors')
    this.#sql.exec('INSERT INTO vectors (row, scale, codes) SELECT row, scale, codes FROM next_vectors')
    this.#sql.exec('DELETE FROM next_vectors')
    this.#sql.exec("DELETE FROM properties WHERE name = 'next_space'")
    this.#setSpace('vectors', space)
    this.reset()
  }

  /** The vectors to search with a query of a space; null: none. */
  searchable(space: EmbeddingSpace): VectorTable | 'other space' | null {
    const known = this.space
    if (!known) return null
    if (!sameSpace(known, space)) return 'other space'
    return this.#open(known)
  }

  /** The searched vectors in the format of a snapshot; none without a space. */
  snapshot(): SnapshotArrays {
    const known = this.space
    return known ? this.#open(known).snapshot : {}
  }

  /** Reads the snapshot and later writes, or the whole table. */
  #open({ dimensions }: EmbeddingSpace): VectorTable {
    if (this.#vectors) return this.#vectors
    const stored = this.#snapshot.load(['vectorRows', 'scales', 'codes'])
    const restored = stored && VectorTable.restore(dimensions, stored.arrays)
    const table = restored ?? new VectorTable(dimensions)
    const since = restored ? stored.highestRow : 0
    if (restored) for (const row of this.#snapshot.changed()) table.delete(row)
    // Two statements: for one with OR, SQLite reads the whole table.
    for (const condition of ['row IN (SELECT row FROM snapshot_changes WHERE row <= ?)', 'row > ?']) {
      const rows = this.#sql
        .exec(`SELECT row, scale, codes FROM vectors WHERE ${condition} AND length(codes) > 0 ORDER BY row`, since)
        .raw<[row: number, scale: number, codes: ArrayBuffer]>()
      for (const [row, scale, codes] of rows) table.set(row, { scale, codes: new Int8Array(codes) })
    }
    this.#vectors = table
    return table
  }

  #isIn(table: VectorTableName, row: number): boolean {
    return this.#sql.exec(`SELECT 1 FROM ${table} WHERE row = ?`, row).toArray().length > 0
  }

  #spaceOf(table: VectorTableName): EmbeddingSpace | null {
    const known = this.#spaces.get(table)
    if (known !== undefined) return known
    const [row] = this.#sql
      .exec<{ value: string }>('SELECT value FROM properties WHERE name = ?', TABLES[table])
      .toArray()
    const space = row ? (JSON.parse(row.value) as EmbeddingSpace) : null
    this.#spaces.set(table, space)
    return space
  }

  #setSpace(table: VectorTableName, space: EmbeddingSpace): void {
    const value = JSON.stringify({ name: space.name, dimensions: space.dimensions })
    this.#sql.exec('INSERT OR REPLACE INTO properties (name, value) VALUES (?, ?)', TABLES[table], value)
    this.#spaces.set(table, { name: space.name, dimensions: space.dimensions })
  }
}
