/**
 * The tables of one collection in its Durable Object, and the conversion of rows to items.
 * @module
 */
import { COLLECTIONS, type CollectionName } from '../collections.ts'
import { indexedText } from '../prepare.ts'
import type { Provenance } from '../provenance.ts'
import { type FieldFilter, isRange, type Passage, type PreparedItem, type StoredItem } from './store.ts'

/** Longer texts can't be used in filters, only searched. */
export const MAX_FACET_LENGTH = 200

/** Filter name for the provenance. No collection has a field with this name. */
export const PROVENANCE_FACET = 'provenance'

/** One idempotent statement each, executed in order. */
export const TABLES = [
  `CREATE TABLE IF NOT EXISTS items (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, source TEXT, path TEXT,
    fields TEXT NOT NULL, hash TEXT NOT NULL, passages TEXT NOT NULL,
    successes INTEGER NOT NULL DEFAULT 0, partials INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
    credit_version INTEGER NOT NULL DEFAULT 0, provenance TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS items_document ON items (source, path) WHERE source IS NOT NULL',
  `CREATE INDEX IF NOT EXISTS items_credited ON items (credit_version, successes, partials, failures)
    WHERE credit_version > 0`,
  `CREATE TABLE IF NOT EXISTS facets (field TEXT NOT NULL, value TEXT NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (field, value, row)) WITHOUT ROWID`,
  'CREATE INDEX IF NOT EXISTS facets_row ON facets (row)',
  // Empty codes: the embedder knows none of the item's words. next_vectors: the space being prepared.
  'CREATE TABLE IF NOT EXISTS vectors (row INTEGER PRIMARY KEY, scale REAL NOT NULL, codes BLOB NOT NULL)',
  'CREATE TABLE IF NOT EXISTS next_vectors (row INTEGER PRIMARY KEY, scale REAL NOT NULL, codes BLOB NOT NULL)',
  `CREATE TABLE IF NOT EXISTS documents (source TEXT NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL,
    items INTEGER NOT NULL, PRIMARY KEY (source, path)) WITHOUT ROWID`,
  'CREATE TABLE IF NOT EXISTS properties (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
] as const

/** A row of `items`. */
export type ItemRow = {
  row: number
  id: string
  key: string
  source: string | null
  path: string | null
  provenance: Provenance
  fields: string
  hash: string
  passages: string
  successes: number
  partials: number
  failures: number
  created_at: number
  updated_at: number
}

export const ITEM_COLUMNS =
  'row, id, key, source, path, provenance, fields, hash, passages, successes, partials, failures, created_at, updated_at'

/** Converts a row to an item. */
export function toStoredItem(collection: CollectionName, row: ItemRow): StoredItem {
  const fields = JSON.parse(row.fields) as Record<string, unknown>
  return {
    id: row.id,
    collection,
    key: row.key,
    fields,
    provenance: row.provenance,
    ...indexedText(collection, fields),
    passages: decodePassages(row.passages),
    source: row.source,
    path: row.path,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    credit: { successes: row.successes, partials: row.partials, failures: row.failures },
  }
}

/**
 * Like toStoredItem, but returns null for a damaged row: its JSON can't be parsed, or isn't an item of the collection.
 */
export function readStoredItem(collection: CollectionName, row: ItemRow): StoredItem | null {
  try {
    return toStoredItem(collection, row)
  } catch {
    return null
  }
}

/**
 * Passages as a flat JSON array: length and tokens of each. Offsets are not needed, because passages are contiguous.
 */
export function encodePassages(passages: readonly Passage[]): string {
  return JSON.stringify(passages.flatMap(({ start, end, tokens }) => [end - start, tokens]))
}

/** Decodes an array of passages; see {@link encodePassages}. */
export function decodePassages(text: string): Passage[] {
  const numbers = JSON.parse(text) as number[]
  const passages: Passage[] = []
  let start = 0
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const end = start + (numbers[i] ?? 0)
    passages.push({ start, end, tokens: numbers[i + 1] ?? 0 })
    start = end
  }
  return passages
}

/**
 * The values by which an item can be filtered: its provenance, short texts, numbers, booleans, and elements of arrays
 * of these.
 */
export function facetsOf(
  collection: CollectionName,
  item: Pick<PreparedItem, 'fields' | 'provenance'>,
): [field: string, value: string][] {
  const facets: [string, string][] = [[PROVENANCE_FACET, item.provenance]]
  for (const field of Object.keys(COLLECTIONS[collection].schema.shape)) {
    const value = item.fields[field]
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined || one === null || typeof one === 'object') continue
      const text = String(one)
      if (text.length <= MAX_FACET_LENGTH) facets.push([field, text])
    }
  }
  return facets
}

/**
 * Converts a filter to SQL conditions on a column with row numbers.
 * @returns conditions that start with AND, and their parameters; empty without a filter
 */
export function filterConditions(
  filter: FieldFilter | undefined,
  column: string,
): { sql: string; parameters: (string | number)[] } {
  let sql = ''
  const parameters: (string | number)[] = []
  for (const [field, value] of Object.entries(filter ?? {})) {
    if (isRange(value)) {
      sql += ` AND ${column} IN (SELECT row FROM facets WHERE field = ? AND CAST(value AS REAL) BETWEEN ? AND ?)`
      parameters.push(field, value.min ?? -Number.MAX_VALUE, value.max ?? Number.MAX_VALUE)
      continue
    }
    const values = (Array.isArray(value) ? value : [value]).map(String)
    sql += ` AND ${column} IN (SELECT row FROM facets WHERE field = ? AND value IN (SELECT value FROM json_each(?)))`
    parameters.push(field, JSON.stringify(values))
  }
  return { sql, parameters }
}
