/**
 * JSON columns that tolerate damaged rows. One text that isn't JSON makes SQLite's JSON functions fail the whole
 * statement, and drizzle's JSON mode the whole result. The functions here don't fail.
 * @module
 */
import { type AnyColumn, type SQL, sql } from 'drizzle-orm'
import { customType } from 'drizzle-orm/sqlite-core'
import { log } from '../log.ts'

/**
 * A column of JSON objects or arrays.
 * @param damaged the value of a row whose text can't be parsed or has another type; the row is logged as `damaged_json`
 */
export function jsonText<T extends object>(name: string, damaged: T) {
  const column = customType<{ data: T; driverData: string }>({
    dataType: () => 'text',
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (text) => parsed(text, damaged) ?? logDamage(name, damaged),
  })
  return column(name)
}

/** The JSON in a text if it has the same type as `like`, an array or an object; otherwise null. */
export function parsed<T extends object>(text: string, like: T): T | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && Array.isArray(value) === Array.isArray(like)
      ? (value as T)
      : null
  } catch {
    return null
  }
}

function logDamage<T>(column: string, damaged: T): T {
  log('error', 'damaged_json', { column })
  return damaged
}

/** Whether the column contains JSON, as 1 or 0. NULL counts as JSON. */
export function holdsJson(column: AnyColumn | SQL): SQL {
  return sql`coalesce(json_valid(${column}), 1)`
}

/** Whether the column contains a JSON array, as 1 or 0. */
export function holdsArray(column: AnyColumn | SQL): SQL {
  return sql`CASE WHEN json_valid(${column}) THEN json_type(${column}) = 'array' ELSE 0 END`
}

/** The JSON array in a column, or an empty array if the column contains anything else. */
export function arrayIn(column: AnyColumn | SQL): SQL {
  return sql`CASE WHEN ${holdsArray(column)} THEN ${column} ELSE '[]' END`
}
