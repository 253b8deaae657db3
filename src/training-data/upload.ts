/**
 * Uploads of datasets that can be interrupted at any point and continue where they stopped.
 * @module
 */

import { beginUpload, endUpload, findUpload, notePart, uploadsOf } from '../database/queries/uploads.ts'
import type { UploadedPart } from '../database/schema.ts'
import type { Services } from '../services.ts'
import { DAY_MS } from '../time.ts'
import { HashingSink, MultipartSink } from './sink.ts'

/** R2 aborts uploads after 7 days. Older uploads than this are not continued. */
const MAX_MS = 6 * DAY_MS

export const UPLOAD_OPTIONS = { httpMetadata: { contentType: 'application/x-ndjson' } }

interface Bytes {
  write(chunk: Uint8Array): Promise<void>
}

/**
 * Uploads what `stream` writes. Continues an earlier upload to the same key, without sending its parts again.
 * @param expected SHA-256 of the content, which is part of the key
 * @returns false, without storing anything, if the content has another hash
 */
export async function uploadInParts(
  services: Services,
  { project, key, expected }: { readonly project: string; readonly key: string; readonly expected: string },
  stream: (sink: Bytes) => Promise<unknown>,
): Promise<boolean> {
  const { upload, parts } = await openUpload(services, project, key)
  try {
    const note = (number: number, part: UploadedPart) => notePart(services.database, key, upload.uploadId, number, part)
    const sending = new MultipartSink(upload, parts, note)
    const hash = new HashingSink()
    await stream({
      write: async (chunk) => {
        await hash.write(chunk)
        await sending.write(chunk)
      },
    })
    if ((await hash.finish()) !== expected) {
      await upload.abort()
      await endUpload(services.database, key)
      return false
    }
    await sending.finish()
  } catch (error) {
    // A concurrent upload of the same content may have completed it, or R2 may have aborted it. Otherwise, the parts
    // wait for the next run.
    const finished = (await services.datasets.head(key)) !== null
    if (finished || isGone(error)) await endUpload(services.database, key)
    if (!finished) throw error
    return true
  }
  await endUpload(services.database, key)
  return true
}

/** Aborts unfinished uploads, because their parts are copies of rows. Returns the number of uploads. */
export async function abortUploads(services: Services, project: string | null): Promise<number> {
  const uploads = await uploadsOf(services.database, project)
  for (const { key, uploadId } of uploads) await giveUp(services, key, uploadId)
  return uploads.length
}

async function openUpload(
  services: Services,
  project: string,
  key: string,
): Promise<{ upload: R2MultipartUpload; parts: Readonly<Record<string, UploadedPart>> }> {
  const { database, datasets } = services
  const earlier = await findUpload(database, key)
  if (earlier && services.now() - earlier.startedAt < MAX_MS) {
    return { upload: datasets.resumeMultipartUpload(key, earlier.uploadId), parts: earlier.parts }
  }
  if (earlier) await giveUp(services, key, earlier.uploadId)
  const upload = await datasets.createMultipartUpload(key, UPLOAD_OPTIONS)
  // Of two concurrent starts, both use the first one's upload.
  const begun = await beginUpload(database, { key, project, uploadId: upload.uploadId, startedAt: services.now() })
  if (begun.uploadId === upload.uploadId) return { upload, parts: begun.parts }
  await upload.abort().catch(() => undefined)
  return { upload: datasets.resumeMultipartUpload(key, begun.uploadId), parts: begun.parts }
}

/** An upload that no longer exists counts as aborted. */
async function giveUp(services: Services, key: string, uploadId: string): Promise<void> {
  await services.datasets
    .resumeMultipartUpload(key, uploadId)
    .abort()
    .catch((error: unknown) => {
      if (!isGone(error)) throw error
    })
  await endUpload(services.database, key)
}

/** Whether R2 reports that the upload doesn't exist: error 10024. */
function isGone(error: unknown): boolean {
  return error instanceof Error && error.message.includes('(10024)')
}
