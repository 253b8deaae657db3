/**
 * The ingested documents of one collection: the items of each, and the hash that detects changes.
 * @module
 */
import type { CollectionName } from '../collections.ts'
import type { ItemTable, Origin } from './item-table.ts'
import type { DocumentEntry, DocumentResult, Page, PreparedDocument, StoredDocument } from './store.ts'
import type { VectorTableName } from './vector-index.ts'

type DocumentKey = [source: string, path: string]

export class DocumentTable {
  readonly #sql: SqlStorage
  readonly #items: ItemTable

  constructor(sql: SqlStorage, items: ItemTable) {
    this.#sql = sql
    this.#items = items
  }

  get count(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM documents').one().n
  }

  /** Replaces a document's items with exactly the given ones. */
  replace(
    collection: CollectionName,
    source: string,
    { path, hash, items }: PreparedDocument,
    table: VectorTableName | null,
  ): DocumentResult {
    const origin = { source, path }
    const before = this.#items.ofDocument(origin)
    const keep = new Set(items.map(({ id }) => id))
    const gone = before.filter(({ id }) => !keep.has(id))
    for (const { row } of gone) this.#items.remove(row)
    const counts = { indexed: 0, updated: 0, unchanged: 0, conflict: 0 }
    for (const item of items) counts[this.#items.write(collection, item, origin, table)]++
    this.remember({ source, path, hash, items: items.length })
    const changed = counts.indexed + counts.updated + gone.length > 0
    return {
      path,
      status: changed || before.length === 0 ? 'indexed' : 'unchanged',
      added: counts.indexed,
      updated: counts.updated,
      unchanged: counts.unchanged,
      removed: gone.length,
    }
  }

  remember({ source, path, hash, items }: StoredDocument): void {
    this.#sql.exec(
      `INSERT INTO documents (source, path, hash, items) VALUES (?, ?, ?, ?)
       ON CONFLICT (source, path) DO UPDATE SET hash = excluded.hash, items = excluded.items`,
      source,
      path,
      hash,
      items,
    )
  }

  /**
   * One of the document's items was removed. The document no longer matches its hash, so the next ingestion must write
   * it again.
   */
  lose({ source, path }: Origin): void {
    this.#sql.exec("UPDATE documents SET items = items - 1, hash = '' WHERE source = ? AND path = ?", source, path)
  }

  delete(source: string, paths: readonly string[]): { documents: number; items: number } {
    let documents = 0
    let items = 0
    for (const path of paths) {
      for (const { row } of this.#items.ofDocument({ source, path })) {
        this.#items.remove(row)
        items++
      }
      documents += this.#sql
        .exec('DELETE FROM documents WHERE source = ? AND path = ? RETURNING 1', source, path)
        .toArray().length
    }
    return { documents, items }
  }

  list(source: string, { cursor = '', limit }: { cursor?: string; limit: number }): Page<DocumentEntry> {
    const rows = this.#sql
      .exec<{ path: string; hash: string; items: number }>(
        'SELECT path, hash, items FROM documents WHERE source = ? AND path > ? ORDER BY path LIMIT ?',
        source,
        cursor,
        limit + 1,
      )
      .toArray()
    const entries = rows.slice(0, limit)
    return { entries, nextCursor: rows.length > limit ? (entries.at(-1)?.path ?? null) : null }
  }

  /** A page of documents from all sources. */
  export(after: Readonly<DocumentKey> | null, limit: number): { entries: StoredDocument[]; next: DocumentKey | null } {
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

  /** Tokens of all passages of the documents' items. */
  tokens(documents: readonly Origin[]): number {
    return this.#sql
      .exec<{ tokens: number }>(
        `SELECT coalesce(sum(passage.value), 0) AS tokens
         FROM json_each(?) AS wanted
         JOIN items ON items.source = wanted.value ->> 'source' AND items.path = wanted.value ->> 'path'
         JOIN json_each(CASE WHEN json_valid(items.passages) THEN items.passages ELSE '[]' END) AS passage ON passage.key % 2 = 1`,
        JSON.stringify(documents.map(({ source, path }) => ({ source, path }))),
      )
      .one().tokens
  }
}
