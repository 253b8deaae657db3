/**
 * The log of what augmentation showed.
 * @module
 */
import { redact } from '../../security/redact.ts'
import type { Database } from '../database.ts'
import { retrievals } from '../schema.ts'

/** Writes one entry. */
export async function recordRetrieval(database: Database, entry: typeof retrievals.$inferInsert): Promise<void> {
  await database.insert(retrievals).values({ ...entry, query: redact(entry.query) })
}
