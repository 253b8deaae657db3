/**
 * The Durable Object behind the embedded store: one collection of one project in SQLite, with an inverted index and a
 * table of vectors in memory. It stores a snapshot of both.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import { type CollectionName, contextId } from '../collections.ts'
import { DocumentTable } from './document-table.ts'
import { IndexSnapshot, SNAPSHOT_TABLES } from './index-snapshot.ts'
import { readStoredItem, TABLES } from './item-rows.ts'
import { ItemTable, type Origin } from './item-table.ts'
import { KeywordIndex } from './keyword-index.ts'
import { type Evidence, preselect } from './preselect.ts'
import { addProvenance } from './provenance-column.ts'
import type {
  Candidate,
  CollectionScope,
  CosineScale,
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
  TransferStore,
  WriteStatus,
} from './store.ts'
import { VectorIndex } from './vector-index.ts'

interface RowEvidence extends Evidence {
  readonly row: number
}

/**
 * Rows written before a new snapshot is due, and their minimum share of all rows. Indexing that many rows takes about
 * 10 ms.
 */
const SNAPSHOT_ROWS = 500
const SNAPSHOT_SHARE = 0.05
/** Delay between a write and its snapshot, so that further writes can be included, in milliseconds. */
const SNAPSHOT_DELAY_MS = 10_000

/** The tables of one collection, and their cached state. */
interface Tables {
  readonly snapshot: IndexSnapshot
  readonly keywords: KeywordIndex
  readonly vectors: VectorIndex
  readonly items: ItemTable
  readonly documents: DocumentTable
}

function openTables(sql: SqlStorage): Tables {
  for (const statement of TABLES) sql.exec(statement)
  addProvenance(sql)
  const snapshot = new IndexSnapshot(sql)
  const keywords = new KeywordIndex(sql, snapshot)
  for (const statement of SNAPSHOT_TABLES) sql.exec(statement)
  const vectors = new VectorIndex(sql, snapshot)
  const items = new ItemTable(sql, keywords, vectors)
  return { snapshot, keywords, vectors, items, documents: new DocumentTable(sql, items) }
}

/** Rolls back a transaction and carries its result. */
class Undo<T> extends Error {
  readonly result: T

  constructor(result: T) {
    super('undone')
    this.result = result
  }
}

/** The methods of a store as implemented by its Durable Object: synchronous methods need not return a promise. */
type Served<S> = {
  [M in keyof S]: NonNullable<S[M]> extends (...parameters: infer P) => Promise<infer R>
    ? (...parameters: P) => R | Promise<R>
    : S[M]
}

/**
 * One collection of one project. Like in every store, methods take the scope as the first parameter. Each scope has its
 * own object.
 */
export class KnowledgeIndex
  extends DurableObject<object>
  implements Served<Omit<TransferStore, 'name' | 'exportDocuments'>>
{
  readonly #sql: SqlStorage
  /** Null: nothing was ever written. Reading a collection that doesn't exist leaves no object behind. */
  #tables: Tables | null
  #alarmSet = false

  constructor(state: DurableObjectState, env: object) {
    super(state, env)
    this.#sql = state.storage.sql
    const written = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'items'").toArray().length > 0
    this.#tables = written ? openTables(this.#sql) : null
  }

  upsert({ collection }: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): WriteStatus[] {
    return this.#transaction((tables) => {
      const table = tables.vectors.tableFor(space)
      return items.map((item) => tables.items.write(collection, item, null, table))
    })
  }

  get({ collection }: CollectionScope, ids: readonly string[]): (StoredItem | null)[] {
    return this.#read(({ items }) => items.get(collection, ids))
  }

  list(
    { collection }: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Page<StoredItem> {
    return this.#read(({ items }) => items.list(collection, options))
  }

  delete(_: CollectionScope, ids: readonly string[]): number {
    if (!this.#tables) return 0
    return this.#transaction(({ items, documents }) => {
      const found = items.find(ids)
      for (const { row, source, path } of found) {
        items.remove(row)
        if (source !== null && path !== null) documents.lose({ source, path })
      }
      return found.length
    })
  }

  replaceDocuments(
    { collection }: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): DocumentResult[] {
    return documents.map((document) =>
      this.#transaction((tables) =>
        tables.documents.replace(collection, source, document, tables.vectors.tableFor(space)),
      ),
    )
  }

  listDocuments(_: CollectionScope, source: string, options: { cursor?: string; limit: number }): Page<DocumentEntry> {
    return this.#read(({ documents }) => documents.list(source, options))
  }

  deleteDocuments(_: CollectionScope, source: string, paths: readonly string[]): { documents: number; items: number } {
    return this.#transaction(({ documents }) => documents.delete(source, paths))
  }

  /** Deletes the whole storage of the object. */
  async clear(): Promise<{ documents: number; items: number }> {
    const had = this.#read(({ documents, items }) => ({ documents: documents.count, items: items.count }))
    await this.ctx.blockConcurrencyWhile(async () => {
      await this.ctx.storage.deleteAlarm()
      await this.ctx.storage.deleteAll()
      this.#tables = null
    })
    return had
  }

  search({ collection }: CollectionScope, request: SearchRequest): SearchResponse {
    return this.#read((tables) => this.#search(tables, collection, request))
  }

  #search(tables: Tables, collection: CollectionName, request: SearchRequest): SearchResponse {
    const { keywords, items } = tables
    const plan = keywords.plan(request.text)
    const vectors = request.vector ? tables.vectors.searchable(request.space) : null
    const usable = vectors === 'other space' ? null : vectors
    const allowed = items.allowed(request.filter)
    const keyword = request.keyword ? keywords.search(plan, request.depth, allowed) : null
    const nearest = request.vector && usable ? usable.nearest(request.vector, request.depth, allowed) : []
    const rows = [...new Set([...(keyword?.rows ?? []), ...nearest.map(({ row }) => row)])]
    const cosines = request.vector && usable ? usable.cosines(request.vector, rows) : []
    const keywordEvidence = keyword?.evidence(rows)
    const evidence = rows.map(
      (row, i): RowEvidence => ({ row, keyword: keywordEvidence?.[i] ?? null, cosine: cosines[i] ?? null }),
    )
    const { candidates, damaged } = this.#candidates(
      tables,
      collection,
      preselect(evidence, request.limit, (a, b) => a.row - b.row),
      request.lists ?? false,
    )
    return {
      candidates,
      items: items.count,
      terms: plan.terms.filter(({ kind }) => kind !== 'phrase'),
      totalIdf: plan.totalIdf,
      attainable: plan.attainable,
      averageLength: plan.averageLength,
      credit: items.credit,
      degraded: [
        ...(vectors === 'other space' ? ['vectors'] : []),
        ...damaged.map((id) => `item:${contextId(collection, id)}`),
      ],
      scale: usable ? tables.vectors.scale : null,
      pending: tables.vectors.embedded < items.count,
    }
  }

  measureScale(_: CollectionScope, space: EmbeddingSpace, unrelated: readonly Float32Array[]): CosineScale | null {
    return this.#read(({ vectors }) => vectors.measureScale(space, unrelated))
  }

  documentTokens(_: CollectionScope, documents: readonly Origin[]): number {
    return this.#read((tables) => tables.documents.tokens(documents))
  }

  statistics(): StoreStatistics {
    return this.#read(({ items, documents, vectors }) => ({
      items: items.count,
      documents: documents.count,
      withVector: vectors.size,
      pending: vectors.space ? Math.max(0, items.count - vectors.embedded) : 0,
      space: vectors.space,
    }))
  }

  setCredit(_: CollectionScope, updates: readonly CreditUpdate[]): void {
    this.#read(({ items }) => items.setCredit(updates))
  }

  itemsWithoutVector(
    { collection }: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Page<PendingItem> {
    const { rows, nextCursor } = this.#read(({ items, vectors }) =>
      items.page(options, { sql: ` AND ${vectors.missing(space)}`, parameters: [] }),
    )
    const entries = rows.flatMap((row) => {
      const item = readStoredItem(collection, row)
      if (!item) return []
      const { id, title, body, fields } = item
      return [{ id, hash: row.hash, title, body, fields }]
    })
    return { entries, nextCursor }
  }

  addVectors(_: CollectionScope, space: EmbeddingSpace, added: readonly ItemVector[]): void {
    this.#transaction(({ vectors }) => {
      const table = vectors.prepare(space)
      for (const { id, hash, vector } of added) {
        const [item] = this.#sql
          .exec<{ row: number }>('SELECT row FROM items WHERE id = ? AND hash = ?', id, hash)
          .toArray()
        if (item) vectors.set(table, item.row, vector)
      }
    })
  }

  serveSpace(_: CollectionScope, space: EmbeddingSpace): boolean {
    return this.#transaction(({ vectors }) => {
      const [missing] = this.#sql.exec(`SELECT 1 FROM items WHERE ${vectors.missing(space)} LIMIT 1`).toArray()
      if (missing) return false
      vectors.serve(space)
      return true
    })
  }

  exportItems({ collection }: CollectionScope, options: { cursor?: string; limit: number }): Page<TransferItem> {
    const { rows, nextCursor, vectors } = this.#read((tables) => {
      const page = tables.items.page(options)
      return { ...page, vectors: tables.vectors.read(page.rows.map(({ row }) => row)) }
    })
    const damaged: string[] = []
    const entries = rows.flatMap((row): TransferItem[] => {
      const item = readStoredItem(collection, row)
      if (!item) damaged.push(row.id)
      const vector = vectors.get(row.row) ?? null
      return item ? [{ ...item, hash: row.hash, vector, creditVersion: row.credit_version }] : []
    })
    return { entries, nextCursor, ...(damaged.length > 0 && { damaged }) }
  }

  importItems(
    { collection }: CollectionScope,
    transferred: readonly TransferItem[],
    space: EmbeddingSpace | null,
  ): void {
    this.#transaction(({ items, vectors }) => {
      const table = space ? vectors.tableFor(space) : null
      for (const item of transferred) items.restore(collection, item, table)
    })
  }

  exportDocuments(
    _: CollectionScope,
    after: readonly [source: string, path: string] | null,
    limit: number,
  ): { entries: StoredDocument[]; next: [source: string, path: string] | null } {
    return this.#read(({ documents }) => documents.export(after, limit))
  }

  importDocuments(_: CollectionScope, stored: readonly StoredDocument[]): void {
    this.#transaction(({ documents }) => {
      for (const document of stored) documents.remember(document)
    })
  }

  /** Stores a snapshot of the index if enough has changed since the last one. */
  override alarm(): void {
    this.#alarmSet = false
    const tables = this.#tables
    if (!tables || !this.#isSnapshotDue(tables)) return
    this.#transaction(({ snapshot, keywords, vectors }) => {
      const { numbers, arrays } = keywords.snapshot()
      snapshot.save(this.#highestRow(), numbers, { ...arrays, ...vectors.snapshot() })
    })
  }

  #highestRow(): number {
    return this.#sql.exec<{ row: number | null }>('SELECT max(row) AS row FROM items').one().row ?? 0
  }

  #isSnapshotDue({ snapshot, items }: Tables): boolean {
    const changed = this.#highestRow() - snapshot.highestRow + snapshot.changes
    return changed >= Math.max(SNAPSHOT_ROWS, SNAPSHOT_SHARE * items.count)
  }

  /** Reads the tables. If nothing was ever written, creates them temporarily and rolls back. */
  #read<T>(work: (tables: Tables) => T): T {
    if (this.#tables) return work(this.#tables)
    try {
      return this.ctx.storage.transactionSync((): T => {
        throw new Undo(work(openTables(this.#sql)))
      })
    } catch (error) {
      if (error instanceof Undo) return error.result as T
      throw error
    }
  }

  /** Runs work in a transaction. After a rollback, the cached state is cleared. */
  #transaction<T>(work: (tables: Tables) => T): T {
    const known = this.#tables
    try {
      const done = this.ctx.storage.transactionSync(() => {
        const tables = known ?? openTables(this.#sql)
        const result = work(tables)
        return { tables, result, due: this.#isSnapshotDue(tables) }
      })
      this.#tables = done.tables
      if (done.due && !this.#alarmSet) this.#setAlarm()
      return done.result
    } catch (error) {
      if (known) for (const part of [known.snapshot, known.vectors, known.items, known.keywords]) part.reset()
      throw error
    }
  }

  #setAlarm(): void {
    this.#alarmSet = true
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + SNAPSHOT_DELAY_MS))
  }

  #candidates(tables: Tables, collection: CollectionName, chosen: readonly RowEvidence[], withLists: boolean) {
    const rows = chosen.map(({ row }) => row)
    const lists = withLists ? tables.keywords.lists(rows) : null
    const { items, damaged } = tables.items.byRow(collection, rows)
    const candidates = chosen.flatMap(({ row, keyword, cosine }): Candidate[] => {
      const item = items.get(row)
      if (!item) return []
      const list = lists?.get(row)
      return [{ item, keyword, cosine, ...(list && { list }) }]
    })
    return { candidates, damaged }
  }
}
