/**
 * A snapshot of a collection's index in the object's storage, so that a starting object can read it instead of
 * rebuilding the index. Later writes are read from the tables and applied on top.
 *
 * A snapshot covers the rows up to its highest one. Higher rows are new. Changes to covered rows are recorded in a
 * table by triggers, so that they are recorded even by a version of the Worker without support for snapshots.
 * @module
 */

import type { SnapshotArrays, StoredSnapshot } from './stored-snapshot.ts'

/** The metadata needed to read a snapshot. */
interface Description {
  readonly format: number
  readonly numbers: Readonly<Record<string, number>>
  /** Names and sizes in bytes of the arrays, in storage order. */
  readonly arrays: readonly (readonly [name: string, bytes: number])[]
}

/** Version of the format. A snapshot of another format is not read. */
const FORMAT = 1
/** Bytes per row. Large rows are faster to read, and a row may have at most 2 MB. */
const PIECE = 1_000_000

const CHANGED_TABLES = ['term_lists', 'vectors'] as const
const CHANGES = { INSERT: 'NEW', UPDATE: 'NEW', DELETE: 'OLD' } as const

/**
 * The tables of snapshots, and the triggers on the tables that snapshots are built from. One idempotent statement each.
 */
export const SNAPSHOT_TABLES: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS snapshot_pieces (piece INTEGER PRIMARY KEY, bytes BLOB NOT NULL)',
  'CREATE TABLE IF NOT EXISTS snapshot_changes (row INTEGER PRIMARY KEY)',
  'CREATE TABLE IF NOT EXISTS snapshot (highest_row INTEGER NOT NULL, description TEXT NOT NULL)',
  ...CHANGED_TABLES.flatMap((table) =>
    Object.entries(CHANGES).map(
      ([event, row]) => `CREATE TRIGGER IF NOT EXISTS ${table}_${event.toLowerCase()} AFTER ${event} ON ${table}
        WHEN ${row}.row <= (SELECT highest_row FROM snapshot)
        BEGIN INSERT OR IGNORE INTO snapshot_changes (row) VALUES (${row}.row); END`,
    ),
  ),
]

export class IndexSnapshot {
  readonly #sql: SqlStorage
  /** Undefined: not read yet. */
  #read: { readonly highestRow: number; readonly description: Description } | null | undefined

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Clears the state in memory after a rollback. */
  reset(): void {
    this.#read = undefined
  }

  /** The highest row that the snapshot covers; 0 without one. */
  get highestRow(): number {
    return this.#stored()?.highestRow ?? 0
  }

  /** Number of covered rows that have changed since. */
  get changes(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM snapshot_changes').one().n
  }

  /** Covered rows that have changed since. */
  changed(): number[] {
    return [...this.#sql.exec<{ row: number }>('SELECT row FROM snapshot_changes')].map(({ row }) => row)
  }

  /** Replaces the snapshot with one of everything up to a row. Part of the caller's transaction. */
  save(highestRow: number, numbers: Readonly<Record<string, number>>, arrays: SnapshotArrays): void {
    for (const table of ['snapshot_pieces', 'snapshot_changes', 'snapshot']) this.#sql.exec(`DELETE FROM ${table}`)
    let piece = 0
    for (const { buffer, byteOffset, byteLength } of Object.values(arrays)) {
      for (let at = 0; at < byteLength; at += PIECE) {
        const bytes = new Uint8Array(buffer, byteOffset + at, Math.min(PIECE, byteLength - at))
        this.#sql.exec('INSERT INTO snapshot_pieces (piece, bytes) VALUES (?, ?)', piece++, bytes)
      }
    }
    const described = Object.entries(arrays).map(([name, { byteLength }]) => [name, byteLength] as const)
    const description: Description = { format: FORMAT, numbers, arrays: described }
    const text = JSON.stringify(description)
    this.#sql.exec('INSERT INTO snapshot (highest_row, description) VALUES (?, ?)', highestRow, text)
    this.#read = { highestRow, description }
  }

  /**
   * Reads some arrays of the snapshot.
   * @returns null if there is no snapshot, or if it is incomplete
   */
  load(names: readonly string[]): StoredSnapshot | null {
    const stored = this.#stored()
    if (!stored) return null
    const { description, highestRow } = stored
    const arrays: Record<string, ArrayBuffer> = {}
    let piece = 0
    for (const [name, length] of description.arrays) {
      const end = piece + Math.ceil(length / PIECE)
      if (names.includes(name)) {
        const bytes = this.#pieces(piece, end, length)
        if (!bytes) return null
        arrays[name] = bytes
      }
      piece = end
    }
    return names.every((name) => arrays[name]) ? { numbers: description.numbers, arrays, highestRow } : null
  }

  /** The bytes of some pieces, concatenated; null if their length is not `length`. */
  #pieces(from: number, to: number, length: number): ArrayBuffer | null {
    const whole = new Uint8Array(length)
    let at = 0
    const pieces = this.#sql
      .exec('SELECT bytes FROM snapshot_pieces WHERE piece >= ? AND piece < ? ORDER BY piece', from, to)
      .raw<[ArrayBuffer]>()
    for (const [bytes] of pieces) {
      if (at + bytes.byteLength > length) return null
      whole.set(new Uint8Array(bytes), at)
      at += bytes.byteLength
    }
    return at === length ? whole.buffer : null
  }

  #stored() {
    if (this.#read === undefined) {
      const [row] = this.#sql
        .exec<{ highest_row: number; description: string }>('SELECT highest_row, description FROM snapshot')
        .toArray()
      const description = row && (JSON.parse(row.description) as Description)
      this.#read = row && description?.format === FORMAT ? { highestRow: row.highest_row, description } : null
    }
    return this.#read
  }
}
