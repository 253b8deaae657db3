/**
 * Keyword search inside a collection's Durable Object: SQLite FTS5 over our own terms finds candidates, a list of each
 * item's terms scores them exactly.
 * @module
 */
import { createFullTextTable, deleteFullText, searchFullText, writeFullText } from '../../text/full-text-table.ts'
import { documentColumns, queryTerms } from '../../text/index-terms.ts'
import { type KeywordEvidence, type KeywordPlan, keywordEvidence, planKeywordSearch } from '../../text/keyword-plan.ts'
import { documentLength, termList } from '../../text/term-list.ts'

const TABLE = 'item_terms'
/** Rows that FTS5 returns for scoring. */
const CANDIDATES = 300

/** A condition on row numbers in SQL, beginning with AND; empty: all rows. */
export interface RowCondition {
  readonly sql: string
  readonly parameters: readonly string[]
}

export class KeywordIndex {
  readonly #sql: SqlStorage
  /** Number of items and sum of their lengths; null: to be read from the tables. */
  #totals: { items: number; length: number } | null = null

  constructor(sql: SqlStorage) {
    this.#sql = sql
    const [exists] = sql.exec('SELECT 1 FROM sqlite_master WHERE name = ?', TABLE).toArray()
    if (exists) return
    for (const statement of createFullTextTable(TABLE)) sql.exec(statement)
    sql.exec('CREATE TABLE term_lists (row INTEGER PRIMARY KEY, length INTEGER NOT NULL, list BLOB NOT NULL)')
  }

  /** Forgets what is held in memory, after a rollback. */
  reset(): void {
    this.#totals = null
  }

  /** Indexes an item under its row number; the row must not be indexed. */
  add(row: number, title: string, body: string): void {
    const columns = documentColumns({ title, body })
    const list = termList(columns)
    const length = documentLength(list)
    this.#sql.exec(writeFullText(TABLE), row, columns.title, columns.body, columns.identifiers)
    this.#sql.exec('INSERT INTO term_lists (row, length, list) VALUES (?, ?, ?)', row, length, list.buffer)
    if (!this.#totals) return
    this.#totals.items++
    this.#totals.length += length
  }

  remove(row: number): void {
    const [removed] = this.#sql
      .exec<{ length: number }>('DELETE FROM term_lists WHERE row = ? RETURNING length', row)
      .toArray()
    if (!removed) return
    this.#sql.exec(deleteFullText(TABLE), row)
    if (!this.#totals) return
    this.#totals.items--
    this.#totals.length -= removed.length
  }

  /** How a text is asked of this index: its terms, weighed by how rare they are here. */
  plan(text: string): KeywordPlan {
    const { items, length } = this.#readTotals()
    const terms = queryTerms(text)
    const documentFrequencies = new Map<string, number>()
    for (const { term } of terms) {
      const [row] = this.#sql.exec<{ doc: number }>(`SELECT doc FROM ${TABLE}_terms WHERE term = ?`, term).toArray()
      if (row) documentFrequencies.set(term, row.doc)
    }
    return planKeywordSearch(terms, { items, averageLength: items === 0 ? 0 : length / items, documentFrequencies })
  }

  /** Rows that hold the plan's telling terms, best first, at most 300. */
  candidates(plan: KeywordPlan, condition: (column: string) => RowCondition): number[] {
    if (plan.expression === null) return []
    const { sql, parameters } = condition('rowid')
    const statement = searchFullText(TABLE).replace(' ORDER BY', `${sql} ORDER BY`)
    return [...this.#sql.exec<{ rowid: number }>(statement, plan.expression, ...parameters, CANDIDATES)].map(
      ({ rowid }) => rowid,
    )
  }

  /** The exact evidence of each row, by row. */
  evidence(plan: KeywordPlan, rows: readonly number[]): Map<number, KeywordEvidence> {
    const evidence = new Map<number, KeywordEvidence>()
    for (const { row, list } of this.#sql.exec<{ row: number; list: ArrayBuffer }>(
      'SELECT row, list FROM term_lists WHERE row IN (SELECT value FROM json_each(?))',
      JSON.stringify(rows),
    )) {
      evidence.set(row, keywordEvidence(plan, new Uint8Array(list)))
    }
    return evidence
  }

  #readTotals(): { items: number; length: number } {
    this.#totals ??= this.#sql
      .exec<{ items: number; length: number }>(
        'SELECT count(*) AS items, coalesce(sum(length), 0) AS length FROM term_lists',
      )
      .one()
    return this.#totals
  }
}
