/**
 * The lineage of a dataset: a companion file with the id of each row's source, one per line, in row order. It is read
 * page by page, because the lineage of a large dataset doesn't fit in an invocation's memory.
 * @module
 */
import type { Dataset } from '../database/queries/exports.ts'
import { companionKeys } from './datasheet.ts'

/** Bytes of a line: a UUID and the line end. */
export const LINE_BYTES = 37
/** Number of ids per page. As one JSON parameter, they stay below half of D1's limit of 2 MB. */
export const LINEAGE_PAGE = 20_000

/** A page of a dataset's lineage. */
export interface LineagePage {
  readonly ids: readonly string[]
  /** First row of the next page; null: this is the last one. */
  readonly next: number | null
}

/**
 * Reads a page of ids, starting at a row.
 * @param from number of the first row, from 0
 * @returns null if the lineage is no longer stored
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
