/**
 * The list of what a dataset came from: a file beside it with one id a line, in the order of its rows. It is read a page at a time,
 * since that of a large dataset is larger than what an invocation should hold.
 * @module
 */
import type { Dataset } from '../database/queries/exports.ts'
import { companionKeys } from './datasheet.ts'

/** Bytes of a line: a UUID and the end of the line. */
export const LINE_BYTES = 37
/** Ids of a page; as one JSON parameter they stay below half of the 2 MB that D1 takes. */
export const LINEAGE_PAGE = 20_000

/** A page of a dataset's lineage. */
export interface LineagePage {
  readonly ids: readonly string[]
  /** Where the next page begins, in rows; null: this is the last one. */
  readonly next: number | null
}

/**
 * Reads the ids from a row on.
 * @param from number of the first row, from 0
 * @returns null when the lineage is no longer stored
 */
export async function lineagePage(
  bucket: R2Bucket,
  { key, rows }: Pick<Dataset, 'key' | 'rows'>,
  from: number,
): Promise<LineagePage | null> {
  const { lineage } = companionKeys(key)
  if (from >= rows) return (await bucket.head(lineage)) ? { ids: [], next: null } : null
  const range = { offset: from * LINE_BYTES, length: Math.min(LINEAGE_PAGE, rows - from) * LINE_BYTES }
  const file = await bucket.get(lineage, { range })
  if (!file) return null
  const ids = (await file.text()).split('\n').filter((id) => id !== '')
  const next = from + LINEAGE_PAGE
  return { ids, next: next < rows ? next : null }
}
