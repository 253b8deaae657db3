/**
 * Several statements as one transaction. Drizzle's own batch can't bind parameters of `sql` templates on D1, and D1 has
 * no interactive transactions, so every atomic write uses this module.
 * @module
 */
import type { SQL } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import type { Database } from './database.ts'

const dialect = new SQLiteAsyncDialect()

/** The rows, and the number of changed rows, of one statement in a batch. */
export interface StatementResult {
  readonly rows: readonly Record<string, unknown>[]
  readonly changes: number
}

/**
 * Runs statements in order in one transaction: all take effect or none.
 * @throws D1's errors; their messages may contain SQL and are never returned to a caller
 */
export async function atomically(database: Database, statements: readonly SQL[]): Promise<StatementResult[]> {
  const results = await database.$client.batch<Record<string, unknown>>(
    statements.map((statement) => {
      const { sql, params } = dialect.sqlToQuery(statement)
      return database.$client.prepare(sql).bind(...params)
    }),
  )
  return results.map((result) => ({ rows: result.results ?? [], changes: result.meta.changes ?? 0 }))
}

/** Runs one statement; see {@link atomically}. */
export async function execute(database: Database, statement: SQL): Promise<StatementResult> {
  const [result] = await atomically(database, [statement])
  return result ?? { rows: [], changes: 0 }
}
