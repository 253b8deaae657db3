/**
 * What a snapshot of an index holds.
 * @module
 */

/** Arrays of a snapshot by name; what is stored of each are its bytes. */
export type SnapshotArrays = Readonly<Record<string, Uint32Array | Float32Array | Uint8Array | Int8Array>>

/** A snapshot as it was read. */
export interface StoredSnapshot {
  readonly numbers: Readonly<Record<string, number>>
  readonly arrays: Readonly<Record<string, ArrayBuffer>>
  readonly highestRow: number
}
