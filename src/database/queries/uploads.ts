/**
 * Unfinished uploads of datasets.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { exportUploads, type UploadedPart } from '../schema.ts'

export type Upload = typeof exportUploads.$inferSelect

/** The unfinished upload to a key; null if there is none. */
export async function findUpload(database: Database, key: string): Promise<Upload | null> {
  const [row] = await database.select().from(exportUploads).where(eq(exportUploads.key, key))
  return row ?? null
}

/**
 * Records the start of an upload. Returns the upload recorded for the key, which is a different one if that started
 * first.
 */
export async function beginUpload(database: Database, upload: Omit<Upload, 'parts'>): Promise<Upload> {
  await database.insert(exportUploads).values(upload).onConflictDoNothing()
  return (await findUpload(database, upload.key)) ?? { ...upload, parts: {} }
}

/** Records an uploaded part. */
export async function notePart(
  database: Database,
  key: string,
  uploadId: string,
  number: number,
  part: UploadedPart,
): Promise<void> {
  await execute(
    database,
    sql`UPDATE export_uploads SET parts = json_set(parts, ${`$."${number}"`}, json(${JSON.stringify(part)}))
        WHERE key = ${key} AND upload_id = ${uploadId}`,
  )
}

/** Deletes a finished upload. */
export async function endUpload(database: Database, key: string): Promise<void> {
  await database.delete(exportUploads).where(eq(exportUploads.key, key))
}

/** Unfinished uploads of a project, or of all projects. */
export function uploadsOf(database: Database, project: string | null): Promise<Pick<Upload, 'key' | 'uploadId'>[]> {
  return database
    .select({ key: exportUploads.key, uploadId: exportUploads.uploadId })
    .from(exportUploads)
    .where(project === null ? undefined : eq(exportUploads.project, project))
}
