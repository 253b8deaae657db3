/**
 * D1 behind drizzle. Errors of D1 carry SQL and parameters, so they are caught at the surfaces and never shown.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { meterDatabase } from '../metering.ts'

export type Database = DrizzleD1Database & { readonly $client: D1Database }

const opened = new WeakMap<D1Database, Database>()

/** The database behind a binding; made once, as it holds nothing of a request. Its statements count against the budget. */
export function openDatabase(binding: D1Database): Database {
  const known = opened.get(binding)
  if (known) return known
  const database = drizzle(meterDatabase(binding))
  opened.set(binding, database)
  return database
}
