/**
 * A dataset, as returned to callers.
 * @module
 */
import type { Dataset } from '../database/queries/exports.ts'

/** Converts a row to the field names of the API. */
export function presentDataset(row: Dataset) {
  return {
    dataset_id: row.id,
    dataset_path: row.key,
    download_url: `/learning/datasets/${row.id}/download`,
    format: row.format,
    rows: row.rows,
    bytes: row.bytes,
    sha256: row.sha256,
    filters: row.filters,
    skipped: row.skipped,
    sheet: row.sheet,
    created_at: row.createdAt,
  }
}
