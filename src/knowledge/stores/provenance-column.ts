/**
 * One-time migration that adds the provenance to items of older embedded indexes.
 * @module
 */
import { inferredProvenance } from '../provenance.ts'
import { PROVENANCE_FACET } from './item-rows.ts'

/** Number of rows read at once. */
const PAGE = 1_000

/**
 * Adds the column, with the provenance derived from each item's fields and source. Does nothing if the column exists.
 */
export function addProvenance(sql: SqlStorage): void {
  if (sql.exec("SELECT 1 FROM pragma_table_info('items') WHERE name = 'provenance'").toArray().length > 0) return
  sql.exec("ALTER TABLE items ADD COLUMN provenance TEXT NOT NULL DEFAULT 'human'")
  for (let after = -1; ; ) {
    const rows = sql
      .exec<{ row: number; fields: string; source: string | null }>(
        'SELECT row, fields, source FROM items WHERE row > ? ORDER BY row LIMIT ?',
        after,
        PAGE,
      )
      .toArray()
    const last = rows.at(-1)
    if (!last) return
    after = last.row
    const found = JSON.stringify(
      rows.map(({ row, fields, source }) => [
        row,
        inferredProvenance(JSON.parse(fields) as Record<string, unknown>, source),
      ]),
    )
    sql.exec(
      'UPDATE items SET provenance = found.value ->> 1 FROM json_each(?) AS found WHERE items.row = found.value ->> 0',
      found,
    )
    sql.exec(
      `INSERT OR IGNORE INTO facets (field, value, row) SELECT ?, value ->> 1, value ->> 0 FROM json_each(?)`,
      PROVENANCE_FACET,
      found,
    )
  }
}
