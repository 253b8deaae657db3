/**
 * The Durable Object behind the embedded store: one collection of one project in SQLite, with an inverted
 * in-memory table for vectors.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { EmbeddingSpace } from '../../inference/embedder.ts'
import type { CollectionName } from '../collections.ts'
import {
  encodePassages,
  facetsOf,
  filterConditions,
  ITEM_COLUMNS,
  type ItemRow,
  TABLES,
  toStoredItem,
} from './item-rows.ts'
import { KeywordIndex } from './keyword-index.ts'
import { type Evidence, preselect } from './preselect.ts'
import { addProvenance } from './provenance-column.ts'
import type {
  Candidate,
  Credit,
  CreditUpdate,
  DocumentEntry,
  DocumentResult,
  FieldFilter,
  ItemVector,
  Page,
  PendingItem,
  PreparedDocument,
  PreparedItem,
  SearchRequest,
  SearchResponse,
  StoredDocument,
  StoredItem,
  StoreStatistics,
  TransferItem,
  WriteStatus,
} from './store.ts'
import { VectorIndex, type VectorTableName } from './vector-index.ts'

interface RowEvidence extends Evidence {
  readonly row: number
}

interface Origin {
  readonly source: string
  readonly path: string
}

export class KnowledgeIndex extends DurableObject<object> {
  readonly #sql: SqlStorage
  #keywords: KeywordIndex
  #vectors: VectorIndex
  /** Both follow the tables; null: to be read from them. */
  #items: number | null = null
  #credit: Credit | null = null

  constructor(state: DurableObjectState, env: object) {
    super(state, env)
    this.#sql = state.storage.sql
    for (const statement of TABLES) this.#sql.exec(statement)
    addProvenance(this.#sql)
    this.#keywords = new KeywordIndex(this.#sql)
    this.#vectors = new VectorIndex(this.#sql)
  }

  upsert(collection: CollectionName, items: readonly PreparedItem[], space: EmbeddingSpace): WriteStatus[] {
    return this.#transaction(() => {
      const table = this.#vectors.tableFor(space)
      return items.map((item) => this.#write(collection, item, null, table))
    })
  }

  get(collection: CollectionName, ids: readonly string[]): (StoredItem | null)[] {
    const found = new Map<string, StoredItem>()
    const rows = this.#sql.exec<ItemRow>(
      `SELECT ${ITEM_COLUMNS} FROM items WHERE id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(ids),
    )
    for (const row of rows) found.set(row.id, toStoredItem(collection, row))
    return ids.map((id) => found.get(id) ?? null)
  }

  list(
    collection: CollectionName,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Page<StoredItem> {
    const { sql, parameters } = filterConditions(options.filter, 'row')
    const rows = this.#sql
      .exec<ItemRow>(
        `SELECT ${ITEM_COLUMNS} FROM items WHERE id > ?${sql} ORDER BY id LIMIT ?`,
        options.cursor ?? '',
        ...parameters,
        options.limit + 1,
      )
      .toArray()
    const entries = rows.slice(0, options.limit).map((row) => toStoredItem(collection, row))
    return { entries, nextCursor: rows.length > options.limit ? (entries.at(-1)?.id ?? null) : null }
  }

  delete(ids: readonly string[]): number {
    return this.#transaction(() => {
      let deleted = 0
      const list = JSON.stringify(ids)
      const rows = this.#sql
        .exec<{ row: number; source: string | null; path: string | null }>(
          'SELECT row, source, path FROM items WHERE id IN (SELECT value FROM json_each(?))',
          list,
        )
        .toArray()
      for (const { row, source, path } of rows) {
        this.#remove(row)
        deleted++
        // The document no longer holds what its hash says: the next ingestion has to write it again.
        if (source !== null && path !== null) {
          this.#sql.exec(
            "UPDATE documents SET items = items - 1, hash = '' WHERE source = ? AND path = ?",
            source,
            path,
          )
        }
      }
      return deleted
    })
  }

  replaceDocuments(
    collection: CollectionName,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): DocumentResult[] {
    return documents.map((document) =>
      this.#transaction(() => this.#replaceDocument(collection, source, document, this.#vectors.tableFor(space))),
    )
  }

  listDocuments(source: string, options: { cursor?: string; limit: number }): Page<DocumentEntry> {
    const rows = this.#sql
      .exec<{ path: string; hash: string; items: number }>(
        'SELECT path, hash, items FROM documents WHERE source = ? AND path > ? ORDER BY path LIMIT ?',
        source,
        options.cursor ?? '',
        options.limit + 1,
      )
      .toArray()
    const entries = rows.slice(0, options.limit)
    return { entries, nextCursor: rows.length > options.limit ? (entries.at(-1)?.path ?? null) : null }
  }

  deleteDocuments(source: string, paths: readonly string[]): { documents: number; items: number } {
    return this.#transaction(() => {
      let documents = 0
      let items = 0
      for (const path of paths) {
        for (const row of this.#documentRows(source, path)) {
          this.#remove(row.row)
          items++
        }
        documents += this.#sql
          .exec('DELETE FROM documents WHERE source = ? AND path = ? RETURNING 1', source, path)
          .toArray().length
      }
      return { documents, items }
    })
  }

  /** Deletes the whole storage of the object and begins anew. */
  async clear(): Promise<{ documents: number; items: number }> {
    const had = { documents: this.#count('documents'), items: this.#itemCount() }
    await this.ctx.blockConcurrencyWhile(async () => {
      await this.ctx.storage.deleteAll()
      for (const statement of TABLES) this.#sql.exec(statement)
      this.#keywords = new KeywordIndex(this.#sql)
      this.#vectors = new VectorIndex(this.#sql)
      this.#items = null
      this.#credit = null
    })
    return had
  }

  search(collection: CollectionName, request: SearchRequest): SearchResponse {
    const plan = this.#keywords.plan(request.text)
    const vectors = request.vector ? this.#vectors.searchable(request.space) : null
    const usable = vectors === 'other space' ? null : vectors
    const allowed = this.#allowed(request.filter)
    const keyword = request.keyword ? this.#keywords.search(plan, request.depth, allowed) : null
    const nearest = request.vector && usable ? usable.nearest(request.vector, request.depth, allowed) : []
    const rows = [...new Set([...(keyword?.rows ?? []), ...nearest.map(({ row }) => row)])]
    const cosines = request.vector && usable ? usable.cosines(request.vector, rows) : []
    const evidence = rows.map(
      (row, i): RowEvidence => ({
        row,
        keyword: keyword?.evidence(row) ?? null,
        cosine: cosines[i] ?? null,
      }),
    )
    return {
      candidates: this.#candidates(
        collection,
        preselect(evidence, request.limit, (a, b) => a.row - b.row),
        request.lists ?? false,
      ),
      items: this.#itemCount(),
      terms: plan.terms,
      totalIdf: plan.totalIdf,
      attainable: plan.attainable,
      averageLength: plan.averageLength,
      credit: this.#creditTotals(),
      degraded: vectors === 'other space' ? ['vectors'] : [],
    }
  }

  documentTokens(documents: readonly { readonly source: string; readonly path: string }[]): number {
    return this.#sql
      .exec<{ tokens: number }>(
        `SELECT coalesce(sum(passage.value), 0) AS tokens
         FROM json_each(?) AS wanted
         JOIN items ON items.source = wanted.value ->> 'source' AND items.path = wanted.value ->> 'path'
         JOIN json_each(items.passages) AS passage ON passage.key % 2 = 1`,
        JSON.stringify(documents.map(({ source, path }) => ({ source, path }))),
      )
      .one().tokens
  }

  statistics(): StoreStatistics {
    return {
      items: this.#itemCount(),
      documents: this.#count('documents'),
      withVector: this.#vectors.size,
      space: this.#vectors.space,
    }
  }

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

  itemsWithoutVector(
    collection: CollectionName,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Page<PendingItem> {
    const rows = this.#sql
      .exec<ItemRow>(
        `SELECT ${ITEM_COLUMNS} FROM items WHERE id > ? AND ${this.#vectors.missing(space)} ORDER BY id LIMIT ?`,
        options.cursor ?? '',
        options.limit + 1,
      )
      .toArray()
    const entries = rows.slice(0, options.limit).map((row) => {
      const { id, title, body } = toStoredItem(collection, row)
      return { id, hash: row.hash, title, body }
    })
    return { entries, nextCursor: rows.length > options.limit ? (entries.at(-1)?.id ?? null) : null }
  }

  addVectors(space: EmbeddingSpace, vectors: readonly ItemVector[]): void {
    this.#transaction(() => {
      const table = this.#vectors.prepare(space)
      for (const { id, hash, vector } of vectors) {
        const [item] = this.#sql
          .exec<{ row: number }>('SELECT row FROM items WHERE id = ? AND hash = ?', id, hash)
          .toArray()
        if (item) this.#vectors.set(table, item.row, vector)
      }
    })
  }

  serveSpace(space: EmbeddingSpace): boolean {
    return this.#transaction(() => {
      const [missing] = this.#sql.exec(`SELECT 1 FROM items WHERE ${this.#vectors.missing(space)} LIMIT 1`).toArray()
      if (missing) return false
      this.#vectors.serve(space)
      return true
    })
  }

  exportItems(collection: CollectionName, options: { cursor?: string; limit: number }): Page<TransferItem> {
    const rows = this.#sql
      .exec<ItemRow & { credit_version: number }>(
        `SELECT ${ITEM_COLUMNS}, credit_version FROM items WHERE id > ? ORDER BY id LIMIT ?`,
        options.cursor ?? '',
        options.limit + 1,
      )
      .toArray()
    const page = rows.slice(0, options.limit)
    const vectors = this.#vectors.read(page.map(({ row }) => row))
    const entries = page.map(
      (row): TransferItem => ({
        ...toStoredItem(collection, row),
        hash: row.hash,
        vector: vectors.get(row.row) ?? null,
        creditVersion: row.credit_version,
      }),
    )
    return { entries, nextCursor: rows.length > options.limit ? (entries.at(-1)?.id ?? null) : null }
  }

  importItems(collection: CollectionName, items: readonly TransferItem[], space: EmbeddingSpace | null): void {
    this.#transaction(() => {
      const table = space ? this.#vectors.tableFor(space) : null
      for (const item of items) {
        const { source, path, credit } = item
        this.#write(collection, item, source !== null && path !== null ? { source, path } : null, table)
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
      }
      this.#credit = null
    })
  }

  exportDocuments(
    after: readonly [source: string, path: string] | null,
    limit: number,
  ): { entries: StoredDocument[]; next: [source: string, path: string] | null } {
    const rows = this.#sql
      .exec<{ source: string; path: string; hash: string; items: number }>(
        `SELECT source, path, hash, items FROM documents WHERE (source, path) > (?, ?) ORDER BY source, path LIMIT ?`,
        after?.[0] ?? '',
        after?.[1] ?? '',
        limit + 1,
      )
      .toArray()
    const entries = rows.slice(0, limit)
    const last = entries.at(-1)
    return { entries, next: last && rows.length > limit ? [last.source, last.path] : null }
  }

  importDocuments(documents: readonly StoredDocument[]): void {
    this.#transaction(() => {
      for (const { source, path, hash, items } of documents) this.#rememberDocument(source, path, hash, items)
    })
  }

  #rememberDocument(source: string, path: string, hash: string, items: number): void {
    this.#sql.exec(
      `INSERT INTO documents (source, path, hash, items) VALUES (?, ?, ?, ?)
       ON CONFLICT (source, path) DO UPDATE SET hash = excluded.hash, items = excluded.items`,
      source,
      path,
      hash,
      items,
    )
  }

  /** Credit of all items together: what an item's own is compared with. */
  #creditTotals(): Credit {
    this.#credit ??= this.#sql
      .exec<{ successes: number; partials: number; failures: number }>(
        `SELECT coalesce(sum(successes), 0) AS successes, coalesce(sum(partials), 0) AS partials,
          coalesce(sum(failures), 0) AS failures FROM items WHERE credit_version > 0`,
      )
      .one()
    return this.#credit
  }

  /** All or nothing; what is held in memory is read anew after a rollback. */
  #transaction<T>(work: () => T): T {
    try {
      return this.ctx.storage.transactionSync(work)
    } catch (error) {
      this.#vectors.reset()
      this.#items = null
      this.#credit = null
      this.#keywords.reset()
      throw error
    }
  }

  #candidates(collection: CollectionName, chosen: readonly RowEvidence[], withLists: boolean): Candidate[] {
    const items = new Map<number, StoredItem>()
    const rows = this.#sql.exec<ItemRow>(
      `SELECT ${ITEM_COLUMNS} FROM items WHERE row IN (SELECT value FROM json_each(?))`,
      JSON.stringify(chosen.map(({ row }) => row)),
    )
    const lists = withLists ? this.#keywords.lists(chosen.map(({ row }) => row)) : null
    for (const row of rows) items.set(row.row, toStoredItem(collection, row))
    return chosen.flatMap(({ row, keyword, cosine }) => {
      const item = items.get(row)
      if (!item) return []
      const list = lists?.get(row)
      return [{ item, keyword, cosine, ...(list && { list }) }]
    })
  }

  #replaceDocument(
    collection: CollectionName,
    source: string,
    document: PreparedDocument,
    table: VectorTableName | null,
  ): DocumentResult {
    const { path, hash, items } = document
    const before = this.#documentRows(source, path)
    const keep = new Set(items.map(({ id }) => id))
    let removed = 0
    for (const { id, row } of before) {
      if (keep.has(id)) continue
      this.#remove(row)
      removed++
    }
    const counts = { indexed: 0, updated: 0, unchanged: 0 }
    for (const item of items) counts[this.#write(collection, item, { source, path }, table)]++
    this.#rememberDocument(source, path, hash, items.length)
    const changed = counts.indexed + counts.updated + removed > 0
    return {
      path,
      status: changed || before.length === 0 ? 'indexed' : 'unchanged',
      added: counts.indexed,
      updated: counts.updated,
      unchanged: counts.unchanged,
      removed,
    }
  }

  /** Writes one item and everything that is searched of it. `table`: where its vector belongs; null: nowhere. */
  #write(
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
    if (known?.hash === item.hash && known.provenance === item.provenance) {
      if (!table || !item.vector || this.#vectors.has(table, known.row)) return 'unchanged'
      this.#vectors.set(table, known.row, item.vector)
      return table === 'vectors' ? 'updated' : 'unchanged'
    }
    const now = Date.now()
    if (known) this.#unindex(known.row)
    const { row } = this.#sql
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
      .one()
    this.#keywords.add(row, item.title, item.body)
    this.#sql.exec(
      'INSERT OR IGNORE INTO facets (field, value, row) SELECT value ->> 0, value ->> 1, ? FROM json_each(?)',
      row,
      JSON.stringify(facetsOf(collection, item)),
    )
    if (table && item.vector) this.#vectors.set(table, row, item.vector)
    if (!known && this.#items !== null) this.#items++
    return known ? 'updated' : 'indexed'
  }

  #remove(row: number): void {
    this.#unindex(row)
    this.#sql.exec('DELETE FROM items WHERE row = ?', row)
    if (this.#items !== null) this.#items--
    this.#credit = null
  }

  #unindex(row: number): void {
    this.#keywords.remove(row)
    this.#sql.exec('DELETE FROM facets WHERE row = ?', row)
    this.#vectors.remove(row)
  }

  #documentRows(source: string, path: string): { id: string; row: number }[] {
    return this.#sql
      .exec<{ id: string; row: number }>('SELECT id, row FROM items WHERE source = ? AND path = ?', source, path)
      .toArray()
  }

  #allowed(filter: FieldFilter | undefined): Set<number> | undefined {
    if (!filter || Object.keys(filter).length === 0) return undefined
    const { sql, parameters } = filterConditions(filter, 'row')
    const rows = this.#sql.exec<{ row: number }>(`SELECT row FROM items WHERE 1${sql}`, ...parameters)
    return new Set([...rows].map(({ row }) => row))
  }

  #count(table: 'items' | 'documents'): number {
    return this.#sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n
  }

  #itemCount(): number {
    this.#items ??= this.#count('items')
    return this.#items
  }
}
