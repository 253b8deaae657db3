/**
 * The log of augmentations.
 * @module
 */
import { and, eq } from 'drizzle-orm'
import { redact } from '../../security/redact.ts'
import type { Database } from '../database.ts'
import { retrievals } from '../schema.ts'

/** Writes one entry. */
export async function recordRetrieval(database: Database, entry: typeof retrievals.$inferInsert): Promise<void> {
  await database.insert(retrievals).values({ ...entry, query: redact(entry.query) })
}

/** One entry of a project; null if it doesn't exist. */
export async function findRetrieval(
  database: Database,
  project: string,
  id: string,
): Promise<typeof retrievals.$inferSelect | null> {
  const [row] = await database
    .select()
    .from(retrievals)
    .where(and(eq(retrievals.id, id), eq(retrievals.project, project)))
  return row ?? null
}
