/**
 * The SQL of the full-text table that holds {@link documentColumns}. Contentless: terms are indexed, text is not stored
 * a second time (https://www.sqlite.org/fts5.html, sections 4.4.1 and 4.4.2).
 * @module
 */

/** Weights of title, body and identifiers in `bm25()` (FTS5 fixes k1 = 1.2 and b = 0.75). */
const COLUMN_WEIGHTS = '1.0, 1.0, 0.5'

/** Names of tables and columns are put into SQL as they are, so only plain ones are taken. */
function plainName(name: string): string {
  if (!/^[a-z_][a-z0-9_]*$/i.test(name)) throw new RangeError(`not a plain SQL name: ${JSON.stringify(name)}`)
  return name
}

/**
 * Creates the table and its `<table>_terms` vocabulary (columns `term`, `doc` = documents with the term, `cnt`).
 * @throws RangeError when the name is not a plain SQL name
 */
export function createFullTextTable(table: string): string[] {
  const name = plainName(table)
  return [
    `CREATE VIRTUAL TABLE IF NOT EXISTS ${name} USING fts5(title, body, identifiers, content='', contentless_delete=1, tokenize='ascii')`,
    `INSERT INTO ${name}(${name}, rank) VALUES ('rank', 'bm25(${COLUMN_WEIGHTS})')`,
    `CREATE VIRTUAL TABLE IF NOT EXISTS ${name}_terms USING fts5vocab('${name}', 'row')`,
  ]
}

/** Adds or replaces a document. Parameters: rowid, title, body, identifiers. */
export function writeFullText(table: string): string {
  return `INSERT OR REPLACE INTO ${plainName(table)}(rowid, title, body, identifiers) VALUES (?, ?, ?, ?)`
}

/** Removes a document. Parameter: rowid. */
export function deleteFullText(table: string): string {
  return `DELETE FROM ${plainName(table)} WHERE rowid = ?`
}

/**
 * The best documents for an expression as `rowid` and `score` (BM25, positive, more is better), best first.
 * Parameters: MATCH expression, greatest number of rows.
 */
export function searchFullText(table: string): string {
  const name = plainName(table)
  return `SELECT rowid, -rank AS score FROM ${name} WHERE ${name} MATCH ? ORDER BY rank LIMIT ?`
}
