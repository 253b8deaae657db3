/**
 * D1 behind drizzle. Errors of D1 carry SQL and parameters, so they are caught at the surfaces and never shown.
 * @module
 */
import { drizzle } from 'drizzle-orm/d1'
import * as schema from './schema.ts'

export type Database = ReturnType<typeof openDatabase>

/** Opens the database of one invocation. */
export function openDatabase(binding: D1Database) {
  return drizzle(binding, { schema })
}
