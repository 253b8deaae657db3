/**
 * D1 with drizzle. D1 errors contain SQL and parameters, so the surfaces catch them and never return them.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { meterDatabase } from '../metering.ts'

export type Database = DrizzleD1Database & { readonly $client: D1Database }

const opened = new WeakMap<D1Database, Database>()

/**
 * Opens the database of a binding. Created once, because it holds no request state. Its statements count against the
 * budget.
 */
export function openDatabase(binding: D1Database): Database {
  const known = opened.get(binding)
  if (known) return known
  const database = drizzle(meterDatabase(binding))
  opened.set(binding, database)
  return database
}
