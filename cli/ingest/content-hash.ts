/**
 * The hash by which a file is known to be unchanged.
 * @module
 */
import { createHash } from 'node:crypto'

/** Part of every hash: a change of the way files are read or cut makes all of them be sent again. */
export const CHUNKER_VERSION = 'chunker-5'

/**
 * SHA-256, hex, of everything a file's items depend on.
 * @param bytes - the file as on disk
 * @param framework - from the manifest
 */
export function contentHash(bytes: Buffer, framework: string | undefined): string {
  return createHash('sha256')
    .update(`${CHUNKER_VERSION}\n${framework ?? ''}\n`)
    .update(bytes)
    .digest('hex')
}
