/**
 * The content of an index snapshot.
 * @module
 */

/** Arrays of a snapshot by name. They are stored as bytes. */
export type SnapshotArrays = Readonly<Record<string, Uint32Array | Float32Array | Uint8Array | Int8Array>>

/** A snapshot as read from storage. */
export interface StoredSnapshot {
  readonly numbers: Readonly<Record<string, number>>
  readonly arrays: Readonly<Record<string, ArrayBuffer>>
  readonly highestRow: number
}
