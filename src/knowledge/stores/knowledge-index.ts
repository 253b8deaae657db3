/**
 * The Durable Object behind the embedded store: one collection of one project in SQLite, with an inverted
 * in-memory table for vectors.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import { type CollectionName, contextId } from '../collections.ts'
import { DocumentTable } from './document-table.ts'
import { readStoredItem, TABLES, toStoredItem } from './item-rows.ts'
import { ItemTable, type Origin } from './item-table.ts'
import { KeywordIndex } from './keyword-index.ts'
import { type Evidence, preselect } from './preselect.ts'
import { addProvenance } from './provenance-column.ts'
import type {
  Candidate,
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
  WriteStatus,
} from './store.ts'
import { VectorIndex } from './vector-index.ts'

interface RowEvidence extends Evidence {
  readonly row: number
}

/** The tables of one collection, and what is held of them in memory. */
interface Tables {
  readonly keywords: KeywordIndex
  readonly vectors: VectorIndex
  readonly items: ItemTable
  readonly documents: DocumentTable
}

function openTables(sql: SqlStorage): Tables {
  for (const statement of TABLES) sql.exec(statement)
  addProvenance(sql)
  const keywords = new KeywordIndex(sql)
  const vectors = new VectorIndex(sql)
  const items = new ItemTable(sql, keywords, vectors)
  return { keywords, vectors, items, documents: new DocumentTable(sql, items) }
}

export class KnowledgeIndex extends DurableObject<object> {
  readonly #sql: SqlStorage
  #tables: Tables

  constructor(state: DurableObjectState, env: object) {
    super(state, env)
    this.#sql = state.storage.sql
    this.#tables = openTables(this.#sql)
  }

  upsert(collection: CollectionName, items: readonly PreparedItem[], space: EmbeddingSpace): WriteStatus[] {
    return this.#transaction((tables) => {
      const table = tables.vectors.tableFor(space)
      return items.map((item) => tables.items.write(collection, item, null, table))
    })
  }

  get(collection: CollectionName, ids: readonly string[]): (StoredItem | null)[] {
    return this.#tables.items.get(collection, ids)
  }

  list(
    collection: CollectionName,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Page<StoredItem> {
    return this.#tables.items.list(collection, options)
  }

  delete(ids: readonly string[]): number {
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
    collection: CollectionName,
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

  listDocuments(source: string, options: { cursor?: string; limit: number }): Page<DocumentEntry> {
    return this.#tables.documents.list(source, options)
  }

  deleteDocuments(source: string, paths: readonly string[]): { documents: number; items: number } {
    return this.#transaction(({ documents }) => documents.delete(source, paths))
  }

  /** Deletes the whole storage of the object and starts again. */
  async clear(): Promise<{ documents: number; items: number }> {
    const had = { documents: this.#tables.documents.count, items: this.#tables.items.count }
    await this.ctx.blockConcurrencyWhile(async () => {
      await this.ctx.storage.deleteAll()
      this.#tables = openTables(this.#sql)
    })
    return had
  }

  search(collection: CollectionName, request: SearchRequest): SearchResponse {
    const { keywords, items } = this.#tables
    const plan = keywords.plan(request.text)
    const vectors = request.vector ? this.#tables.vectors.searchable(request.space) : null
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
      scale: usable ? this.#tables.vectors.scale : null,
      pending: this.#tables.vectors.embedded < items.count,
    }
  }

  measureScale(space: EmbeddingSpace, unrelated: readonly Float32Array[]): CosineScale | null {
    return this.#tables.vectors.measureScale(space, unrelated)
  }

  documentTokens(documents: readonly Origin[]): number {
    return this.#tables.documents.tokens(documents)
  }

  statistics(): StoreStatistics {
    const { items, documents, vectors } = this.#tables
    const pending = vectors.space ? Math.max(0, items.count - vectors.embedded) : 0
    return { items: items.count, documents: documents.count, withVector: vectors.size, pending, space: vectors.space }
  }

  setCredit(updates: readonly CreditUpdate[]): void {
    this.#tables.items.setCredit(updates)
  }

  itemsWithoutVector(
    collection: CollectionName,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Page<PendingItem> {
    const missing = { sql: ` AND ${this.#tables.vectors.missing(space)}`, parameters: [] }
    const { rows, nextCursor } = this.#tables.items.page(options, missing)
    const entries = rows.flatMap((row) => {
      const item = readStoredItem(collection, row)
      if (!item) return []
      const { id, title, body, fields } = item
      return [{ id, hash: row.hash, title, body, fields }]
    })
    return { entries, nextCursor }
  }

  addVectors(space: EmbeddingSpace, added: readonly ItemVector[]): void {
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

  serveSpace(space: EmbeddingSpace): boolean {
    return this.#transaction(({ vectors }) => {
      const [missing] = this.#sql.exec(`SELECT 1 FROM items WHERE ${vectors.missing(space)} LIMIT 1`).toArray()
      if (missing) return false
      vectors.serve(space)
      return true
    })
  }

  exportItems(collection: CollectionName, options: { cursor?: string; limit: number }): Page<TransferItem> {
    const { rows, nextCursor } = this.#tables.items.page(options)
    const vectors = this.#tables.vectors.read(rows.map(({ row }) => row))
    const entries = rows.map(
      (row): TransferItem => ({
        ...toStoredItem(collection, row),
        hash: row.hash,
        vector: vectors.get(row.row) ?? null,
        creditVersion: row.credit_version,
      }),
    )
    return { entries, nextCursor }
  }

  importItems(collection: CollectionName, transferred: readonly TransferItem[], space: EmbeddingSpace | null): void {
    this.#transaction(({ items, vectors }) => {
      const table = space ? vectors.tableFor(space) : null
      for (const item of transferred) items.restore(collection, item, table)
    })
  }

  exportDocuments(
    after: readonly [source: string, path: string] | null,
    limit: number,
  ): { entries: StoredDocument[]; next: [source: string, path: string] | null } {
    return this.#tables.documents.export(after, limit)
  }

  importDocuments(stored: readonly StoredDocument[]): void {
    this.#transaction(({ documents }) => {
      for (const document of stored) documents.remember(document)
    })
  }

  /** All or nothing; what is held in memory is read again after a rollback. */
  #transaction<T>(work: (tables: Tables) => T): T {
    try {
      return this.ctx.storage.transactionSync(() => work(this.#tables))
    } catch (error) {
      this.#tables.vectors.reset()
      this.#tables.items.reset()
      this.#tables.keywords.reset()
      throw error
    }
  }

  #candidates(collection: CollectionName, chosen: readonly RowEvidence[], withLists: boolean) {
    const rows = chosen.map(({ row }) => row)
    const lists = withLists ? this.#tables.keywords.lists(rows) : null
    const { items, damaged } = this.#tables.items.byRow(collection, rows)
    const candidates = chosen.flatMap(({ row, keyword, cosine }): Candidate[] => {
      const item = items.get(row)
      if (!item) return []
      const list = lists?.get(row)
      return [{ item, keyword, cosine, ...(list && { list }) }]
    })
    return { candidates, damaged }
  }
}
