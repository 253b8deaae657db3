/**
 * JSON columns in SQL. SQLite's JSON functions fail the whole statement on one text that isn't JSON; these expressions don't.
 * @module
 */
import { type AnyColumn, type SQL, sql } from 'drizzle-orm'

/** Whether the column holds JSON, as 1 or 0; NULL counts as JSON. */
export function holdsJson(column: AnyColumn | SQL): SQL {
  return sql`coalesce(json_valid(${column}), 1)`
}

/** Whether the column holds a JSON array, as 1 or 0. */
export function holdsArray(column: AnyColumn | SQL): SQL {
  return sql`CASE WHEN json_valid(${column}) THEN json_type(${column}) = 'array' ELSE 0 END`
}

/** The JSON array in a column; the empty array where the column holds anything else. */
export function arrayIn(column: AnyColumn | SQL): SQL {
  return sql`CASE WHEN ${holdsArray(column)} THEN ${column} ELSE '[]' END`
}
