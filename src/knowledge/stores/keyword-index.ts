/**
 * Keyword search in a collection's Durable Object: the term list of each item is stored in SQLite, the inverted index
 * is kept in memory.
 * @module
 */
import { collectionTerms, documentColumns } from '../../text/index-terms.ts'
import { type KeywordEvidence, type KeywordPlan, planKeywordSearch } from '../../text/keyword-plan.ts'
import { hashTerm, termList } from '../../text/term-list.ts'
import type { IndexSnapshot } from './index-snapshot.ts'
import { TermIndex } from './term-index.ts'

export class KeywordIndex {
  readonly #sql: SqlStorage
  /** Mirrors the table; null: not built yet. */
  #index: TermIndex | null = null

  readonly #snapshot: IndexSnapshot

  constructor(sql: SqlStorage, snapshot: IndexSnapshot) {
    this.#sql = sql
    this.#snapshot = snapshot
    sql.exec('CREATE TABLE IF NOT EXISTS term_lists (row INTEGER PRIMARY KEY, list BLOB NOT NULL)')
  }

  /** Clears the state in memory after a rollback. */
  reset(): void {
    this.#index = null
  }

  /** Indexes an item under its row number. The row must not be indexed yet. */
  add(row: number, title: string, body: string): void {
    const list = termList(documentColumns({ title, body }))
    this.#sql.exec('INSERT INTO term_lists (row, list) VALUES (?, ?)', row, list.buffer)
    this.#index?.add(row, list)
  }

  remove(row: number): void {
    const [removed] = this.#sql
      .exec<{ list: ArrayBuffer }>('DELETE FROM term_lists WHERE row = ? RETURNING list', row)
      .toArray()
    if (removed) this.#index?.remove(row, new Uint8Array(removed.list))
  }

  /** Plans a search: the terms of a text, weighted by their rarity in this index. */
  plan(text: string): KeywordPlan {
    const index = this.#open()
    const frequencyOf = (term: string) => index.documentFrequency(hashTerm(term))
    const terms = collectionTerms(text, frequencyOf)
    return planKeywordSearch(terms, {
      items: index.items,
      averageLength: index.averageLength,
      documentFrequencies: new Map(terms.map(({ term }) => [term, frequencyOf(term)])),
    })
  }

  /** The best rows for a plan by exact BM25, and a function for the evidence of these and any other rows. */
  search(
    plan: KeywordPlan,
    limit: number,
    allowed?: ReadonlySet<number>,
  ): { rows: number[]; evidence: (rows: readonly number[]) => KeywordEvidence[] } {
    const index = this.#open()
    return { rows: index.search(plan, limit, allowed), evidence: (rows) => index.evidence(plan, rows) }
  }

  /** The term lists of some rows, by row. */
  lists(rows: readonly number[]): Map<number, Uint8Array> {
    const found = this.#sql.exec<{ row: number; list: ArrayBuffer }>(
      'SELECT row, list FROM term_lists WHERE row IN (SELECT value FROM json_each(?))',
      JSON.stringify(rows),
    )
    return new Map([...found].map(({ row, list }) => [row, new Uint8Array(list)]))
  }

  /** The index in the format of a snapshot. */
  snapshot(): ReturnType<TermIndex['snapshot']> {
    const rows = this.#sql.exec('SELECT row FROM items').raw<[number]>()
    return this.#open().snapshot(flat(rows))
  }

  #open(): TermIndex {
    this.#index ??= this.#restored() ?? TermIndex.build(this.#lists('SELECT row, list FROM term_lists ORDER BY row'))
    return this.#index
  }

  /** The index restored from the snapshot and later writes; null without a readable snapshot. */
  #restored(): TermIndex | null {
    const stored = this.#snapshot.load(['hashes', 'offsets', 'rows', 'frequencies', 'lengths'])
    if (!stored) return null
    try {
      return TermIndex.restore(stored, this.#since(stored.highestRow))
    } catch {
      return null
    }
  }

  *#since(highestRow: number): Generator<{ row: number; list: Uint8Array | null }> {
    for (const row of this.#snapshot.changed()) yield { row, list: null }
    // Two statements: for one with OR, SQLite reads the whole table.
    yield* this.#lists(
      'SELECT row, list FROM term_lists WHERE row IN (SELECT row FROM snapshot_changes WHERE row <= ?) ORDER BY row',
      highestRow,
    )
    yield* this.#lists('SELECT row, list FROM term_lists WHERE row > ? ORDER BY row', highestRow)
  }

  *#lists(statement: string, ...parameters: number[]): Generator<{ row: number; list: Uint8Array }> {
    for (const [row, list] of this.#sql.exec(statement, ...parameters).raw<[row: number, list: ArrayBuffer]>()) {
      yield { row, list: new Uint8Array(list) }
    }
  }
}

function* flat(rows: Iterable<[number]>): Generator<number> {
  for (const [row] of rows) yield row
}
