/**
 * Keyword search inside a collection's Durable Object: SQLite FTS5 over our own terms.
 * @module
 */
import { createFullTextTable, deleteFullText, searchFullText, writeFullText } from '../../text/full-text-table.ts'
import { documentColumns, queryExpression, queryTerms } from '../../text/index-terms.ts'

const TABLE = 'item_terms'

export interface KeywordMatches {
  /** By falling BM25. */
  readonly matches: { row: number; score: number }[]
  readonly documentFrequencies: Record<string, number>
}

export class KeywordIndex {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    const [exists] = sql.exec('SELECT 1 FROM sqlite_master WHERE name = ?', TABLE).toArray()
    if (!exists) for (const statement of createFullTextTable(TABLE)) sql.exec(statement)
  }

  /** Indexes an item under its row number; replaces what was there. */
  add(row: number, title: string, body: string): void {
    const columns = documentColumns({ title, body })
    this.#sql.exec(writeFullText(TABLE), row, columns.title, columns.body, columns.identifiers)
  }

  remove(row: number): void {
    this.#sql.exec(deleteFullText(TABLE), row)
  }

  /**
   * The best items for a text that hold any of its terms.
   * @param filter SQL conditions over the row number, beginning with AND
   */
  search(text: string, limit: number, filter: { sql: string; parameters: string[] }): KeywordMatches {
    const expression = queryExpression(text)
    if (expression === null) return { matches: [], documentFrequencies: {} }
    const sql = searchFullText(TABLE).replace(' ORDER BY', `${filter.sql} ORDER BY`)
    const rows = this.#sql.exec<{ rowid: number; score: number }>(sql, expression, ...filter.parameters, limit)
    const matches = [...rows].map(({ rowid, score }) => ({ row: rowid, score }))
    return { matches, documentFrequencies: this.#frequencies(text) }
  }

  #frequencies(text: string): Record<string, number> {
    const terms = queryTerms(text).map(({ term }) => term)
    const frequencies: Record<string, number> = Object.fromEntries(terms.map((term) => [term, 0]))
    for (const term of terms) {
      const [row] = this.#sql.exec<{ doc: number }>(`SELECT doc FROM ${TABLE}_terms WHERE term = ?`, term).toArray()
      frequencies[term] = row?.doc ?? 0
    }
    return frequencies
  }
}
