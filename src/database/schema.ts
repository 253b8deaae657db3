/**
 * Every table of D1. Times are milliseconds since 1970; JSON columns contain exactly the declared type. drizzle-kit
 * generates migrations/ from these files.
 * @module
 */
export * from './schema/administration.ts'
export * from './schema/decisions.ts'
export * from './schema/interactions.ts'
export * from './schema/learning.ts'
export * from './schema/rollups.ts'
