/**
 * The items of one collection in SQLite, with their search data: written, read, counted and removed together.
 * @module
 */
import type { CollectionName } from '../collections.ts'
import { encodePassages, facetsOf, filterConditions, ITEM_COLUMNS, type ItemRow, readStoredItem } from './item-rows.ts'
import type { KeywordIndex } from './keyword-index.ts'
import type {
  Credit,
  CreditUpdate,
  FieldFilter,
  Page,
  PreparedItem,
  StoredItem,
  TransferItem,
  WriteStatus,
} from './store.ts'
import type { VectorIndex, VectorTableName } from './vector-index.ts'

/** The document that an item belongs to. */
export interface Origin {
  readonly source: string
  readonly path: string
}

/** A page of rows in the order of their ids. */
export interface RowPage<Row> {
  readonly rows: Row[]
  readonly nextCursor: string | null
}

export class ItemTable {
  readonly #sql: SqlStorage
  readonly #keywords: KeywordIndex
  readonly #vectors: VectorIndex
  /** Cached values of the table; null: not read yet. */
  #count: number | null = null
  #credit: Credit | null = null

  constructor(sql: SqlStorage, keywords: KeywordIndex, vectors: VectorIndex) {
    this.#sql = sql
    this.#keywords = keywords
    this.#vectors = vectors
  }

  /** Clears the cache after a failed transaction. */
  reset(): void {
    this.#count = null
    this.#credit = null
  }

  get count(): number {
    this.#count ??= this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM items').one().n
    return this.#count
  }

  /** Total credit of all items, for comparison with an item's own credit. */
  get credit(): Credit {
    this.#credit ??= this.#sql
      .exec<{ successes: number; partials: number; failures: number }>(
        `SELECT coalesce(sum(successes), 0) AS successes, coalesce(sum(partials), 0) AS partials,
          coalesce(sum(failures), 0) AS failures FROM items WHERE credit_version > 0`,
      )
      .one()
    return this.#credit
  }

  /** Items by id; null: missing or damaged. */
  get(collection: CollectionName, ids: readonly string[]): (StoredItem | null)[] {
    const found = new Map<string, StoredItem | null>()
    const rows = this.#sql.exec<ItemRow>(
      `SELECT ${ITEM_COLUMNS} FROM items WHERE id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(ids),
    )
    for (const row of rows) found.set(row.id, readStoredItem(collection, row))
    return ids.map((id) => found.get(id) ?? null)
  }

  /** Items by row number, and the ids of damaged ones. Unknown row numbers are ignored. */
  byRow(
    collection: CollectionName,
    rows: readonly number[],
  ): { items: Map<number, StoredItem>; damaged: readonly string[] } {
    const found = this.#sql
      .exec<ItemRow>(
        `SELECT ${ITEM_COLUMNS} FROM items WHERE row IN (SELECT value FROM json_each(?))`,
        JSON.stringify(rows),
      )
      .toArray()
    const items = new Map<number, StoredItem>()
    const damaged: string[] = []
    for (const row of found) {
      const item = readStoredItem(collection, row)
      if (item) items.set(row.row, item)
      else damaged.push(row.id)
    }
    return { items, damaged }
  }

  list(
    collection: CollectionName,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Page<StoredItem> {
    const { rows, nextCursor } = this.page(options, filterConditions(options.filter, 'row'))
    const items = rows.map((row) => readStoredItem(collection, row))
    const damaged = rows.filter((_, i) => items[i] === null).map(({ id }) => id)
    return { entries: items.filter((item) => item !== null), nextCursor, ...(damaged.length > 0 && { damaged }) }
  }

  /** Rows after a cursor that match the conditions, which start with AND. */
  page(
    { cursor = '', limit }: { cursor?: string; limit: number },
    { sql, parameters }: { sql: string; parameters: (string | number)[] } = { sql: '', parameters: [] },
  ): RowPage<ItemRow & { credit_version: number }> {
    const rows = this.#sql
      .exec<ItemRow & { credit_version: number }>(
        `SELECT ${ITEM_COLUMNS}, credit_version FROM items WHERE id > ?${sql} ORDER BY id LIMIT ?`,
        cursor,
        ...parameters,
        limit + 1,
      )
      .toArray()
    const page = rows.slice(0, limit)
    return { rows: page, nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
  }

  /** Rows of the items that match a filter; undefined without a filter: all. */
  allowed(filter: FieldFilter | undefined): Set<number> | undefined {
    if (!filter || Object.keys(filter).length === 0) return undefined
    const { sql, parameters } = filterConditions(filter, 'row')
    const rows = this.#sql.exec<{ row: number }>(`SELECT row FROM items WHERE 1${sql}`, ...parameters)
    return new Set([...rows].map(({ row }) => row))
  }

  find(ids: readonly string[]): { row: number; source: string | null; path: string | null }[] {
    return this.#sql
      .exec<{ row: number; source: string | null; path: string | null }>(
        'SELECT row, source, path FROM items WHERE id IN (SELECT value FROM json_each(?))',
        JSON.stringify(ids),
      )
      .toArray()
  }

  ofDocument({ source, path }: Origin): { id: string; row: number }[] {
    return this.#sql
      .exec<{ id: string; row: number }>('SELECT id, row FROM items WHERE source = ? AND path = ?', source, path)
      .toArray()
  }

  /** Writes one item and its search data. `table`: the table for its vector; null: none. */
  write(
    collection: CollectionName,
    item: PreparedItem,
    origin: Origin | null,
    table: VectorTableName | null,
  ): WriteStatus {
    const [known] = this.#sql
      .exec<{ row: number; hash: string; provenance: string }>(
        'SELECT row, hash, provenance FROM items WHERE id = ?',
        item.id,
      )
      .toArray()
    if (item.replaces !== undefined && known?.hash !== item.replaces) return 'conflict'
    if (known?.hash === item.hash && known.provenance === item.provenance) {
      if (!table || !item.vector || this.#vectors.has(table, known.row)) return 'unchanged'
      this.#vectors.set(table, known.row, item.vector)
      return table === 'vectors' ? 'updated' : 'unchanged'
    }
    if (known) this.#unindex(known.row)
    const row = this.#store(item, origin)
    this.#keywords.add(row, item.title, item.body)
    this.#sql.exec(
      'INSERT OR IGNORE INTO facets (field, value, row) SELECT value ->> 0, value ->> 1, ? FROM json_each(?)',
      row,
      JSON.stringify(facetsOf(collection, item)),
    )
    if (table && item.vector) this.#vectors.set(table, row, item.vector)
    if (!known && this.#count !== null) this.#count++
    return known ? 'updated' : 'indexed'
  }

  /** Writes an item from another store unchanged, including its times and credit. */
  restore(collection: CollectionName, item: TransferItem, table: VectorTableName | null): void {
    const { source, path, credit } = item
    this.write(collection, item, source !== null && path !== null ? { source, path } : null, table)
    this.#sql.exec(
      `UPDATE items SET source = ?, path = ?, created_at = ?, updated_at = ?, successes = ?, partials = ?, failures = ?,
         credit_version = ? WHERE id = ?`,
      source,
      path,
      item.createdAt,
      item.updatedAt,
      credit.successes,
      credit.partials,
      credit.failures,
      item.creditVersion,
      item.id,
    )
    this.#credit = null
  }

  /** Sets credit if its version is newer than the stored one. */
  setCredit(updates: readonly CreditUpdate[]): void {
    for (const { id, version, successes, partials, failures } of updates) {
      this.#sql.exec(
        `UPDATE items SET successes = ?, partials = ?, failures = ?, credit_version = ?
         WHERE id = ? AND credit_version < ?`,
        successes,
        partials,
        failures,
        version,
        id,
        version,
      )
    }
    this.#credit = null
  }

  remove(row: number): void {
    this.#unindex(row)
    this.#sql.exec('DELETE FROM items WHERE row = ?', row)
    if (this.#count !== null) this.#count--
    this.#credit = null
  }

  #store(item: PreparedItem, origin: Origin | null): number {
    const now = Date.now()
    return this.#sql
      .exec<{ row: number }>(
        `INSERT INTO items (id, key, source, path, provenance, fields, hash, passages, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET provenance = excluded.provenance, fields = excluded.fields,
           hash = excluded.hash, passages = excluded.passages, updated_at = excluded.updated_at
         RETURNING row`,
        item.id,
        item.key,
        origin?.source ?? null,
        origin?.path ?? null,
        item.provenance,
        JSON.stringify(item.fields),
        item.hash,
        encodePassages(item.passages),
        now,
        now,
      )
      .one().row
  }

  #unindex(row: number): void {
    this.#keywords.remove(row)
    this.#sql.exec('DELETE FROM facets WHERE row = ?', row)
    this.#vectors.remove(row)
  }
}
