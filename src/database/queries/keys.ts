/**
 * API keys, stored and found by their digests.
 * @module
 */
import { and, desc, eq, isNull, lt, or } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { keys } from '../schema.ts'

export type KeyRow = typeof keys.$inferSelect

/** Stores a new key. */
export async function insertKey(database: Database, row: KeyRow): Promise<void> {
  await database.insert(keys).values(row)
}

/** The key with this digest, in any state; null if it doesn't exist. */
export async function findKeyByHash(database: Database, hash: string): Promise<KeyRow | null> {
  const [row] = await database.select().from(keys).where(eq(keys.hash, hash)).limit(1)
  return row ?? null
}

/** The key with this id, in any state; null if it doesn't exist. */
export async function findKeyById(database: Database, id: string): Promise<KeyRow | null> {
  const [row] = await database.select().from(keys).where(eq(keys.id, id)).limit(1)
  return row ?? null
}

/** Newest first, after the given id. Reads one row more than `limit`, to detect a next page. */
export function listKeys(database: Database, onlyProject: string | null, after: string | null, limit: number) {
  return database
    .select()
    .from(keys)
    .where(
      and(
        onlyProject === null ? undefined : eq(keys.project, onlyProject),
        after === null ? undefined : lt(keys.id, after),
      ),
    )
    .orderBy(desc(keys.id))
    .limit(limit + 1)
}

/**
 * Revokes a key permanently. Revoking it again keeps the first time.
 * @returns the key, or null if it doesn't exist or isn't bound to the only project that the caller may change
 */
export async function revokeKey(
  database: Database,
  id: string,
  onlyProject: string | null,
  now: number,
): Promise<KeyRow | null> {
  const mine = and(eq(keys.id, id), onlyProject === null ? undefined : eq(keys.project, onlyProject))
  const [, rows] = await database.batch([
    database
      .update(keys)
      .set({ revokedAt: now })
      .where(and(mine, isNull(keys.revokedAt))),
    database.select().from(keys).where(mine).limit(1),
  ])
  return rows[0] ?? null
}

/** Records the use of a key, unless one was recorded after `staleBefore`. */
export async function touchKey(database: Database, id: string, now: number, staleBefore: number): Promise<void> {
  await database
    .update(keys)
    .set({ lastUsedAt: now })
    .where(and(eq(keys.id, id), or(isNull(keys.lastUsedAt), lt(keys.lastUsedAt, staleBefore))))
}
