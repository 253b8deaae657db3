/**
 * The hash that detects changes of a file.
 * @module
 */
import { createHash } from 'node:crypto'

/** Part of every hash: changing it after a change of reading or splitting causes all files to be sent again. */
export const CHUNKER_VERSION = 'chunker-5'

/**
 * SHA-256, hex, of everything that determines a file's items.
 * @param bytes - the file as stored on disk
 * @param framework - from the manifest
 */
export function contentHash(bytes: Buffer, framework: string | undefined): string {
  return createHash('sha256')
    .update(`${CHUNKER_VERSION}\n${framework ?? ''}\n`)
    .update(bytes)
    .digest('hex')
}
