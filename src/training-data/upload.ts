/**
 * Uploads of datasets that can be cut off anywhere and go on where they were.
 * @module
 */

import { beginUpload, endUpload, findUpload, notePart, uploadsOf } from '../database/queries/uploads.ts'
import type { UploadedPart } from '../database/schema.ts'
import type { Services } from '../services.ts'
import { DAY_MS } from '../time.ts'
import { HashingSink, MultipartSink } from './sink.ts'

/** R2 gives up an upload that is 7 days old; one that is nearly so is not gone on with. */
const MAX_MS = 6 * DAY_MS

export const UPLOAD_OPTIONS = { httpMetadata: { contentType: 'application/x-ndjson' } }

interface Bytes {
  write(chunk: Uint8Array): Promise<void>
}

/**
 * Uploads what `stream` writes. An earlier upload to the same key is continued: the parts that it sent are not sent again.
 * @param expected SHA-256 that the content must have; the key names it
 * @returns false, and nothing is stored, when the content has another hash
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
    // Whoever uploads the same beside us may have ended it, and R2 may have given it up; otherwise the parts wait for the next run.
    const finished = (await services.datasets.head(key)) !== null
    if (finished || isGone(error)) await endUpload(services.database, key)
    if (!finished) throw error
    return true
  }
  await endUpload(services.database, key)
  return true
}

/** Gives up what has begun and not ended: its parts are copies of rows. Returns how many uploads there were. */
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
  // Of two that begin at once the first one's upload is used by both.
  const begun = await beginUpload(database, { key, project, uploadId: upload.uploadId, startedAt: services.now() })
  if (begun.uploadId === upload.uploadId) return { upload, parts: begun.parts }
  await upload.abort().catch(() => undefined)
  return { upload: datasets.resumeMultipartUpload(key, begun.uploadId), parts: begun.parts }
}

/** One that is gone already counts as given up. */
async function giveUp(services: Services, key: string, uploadId: string): Promise<void> {
  await services.datasets
    .resumeMultipartUpload(key, uploadId)
    .abort()
    .catch((error: unknown) => {
      if (!isGone(error)) throw error
    })
  await endUpload(services.database, key)
}

/** Whether R2 says that there is no such upload: error 10024. */
function isGone(error: unknown): boolean {
  return error instanceof Error && error.message.includes('(10024)')
}
