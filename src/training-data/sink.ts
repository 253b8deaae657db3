/**
 * Destinations for the bytes of a dataset: only a hash, or R2 in parts.
 * @module
 */

import type { UploadedPart } from '../database/schema.ts'
import { toHex } from '../encoding.ts'

/** Size of a part in bytes. R2 requires at least 5 MiB, and equal sizes except for the last part. */
export const PART_BYTES = 8 * 1024 * 1024

/** Hash and size of a stream of bytes. */
export class HashingSink {
  readonly #stream = new crypto.DigestStream('SHA-256')
  readonly #writer = this.#stream.getWriter()
  bytes = 0

  async write(chunk: Uint8Array): Promise<void> {
    this.bytes += chunk.length
    await this.#writer.write(chunk)
  }

  /** SHA-256 as hex. */
  async finish(): Promise<string> {
    await this.#writer.close()
    return toHex(await this.#stream.digest)
  }
}

/**
 * Uploads a stream of bytes in equal parts, with one part in memory at a time. A part that was already uploaded with
 * the same bytes is not sent again.
 */
export class MultipartSink {
  readonly #upload: R2MultipartUpload
  readonly #known: Readonly<Record<string, UploadedPart>>
  readonly #note: (number: number, part: UploadedPart) => Promise<void>
  readonly #parts: R2UploadedPart[] = []
  #buffer = new Uint8Array(PART_BYTES)
  #filled = 0

  /**
   * @param known parts of an earlier run, by number
   * @param note called for each part that was sent
   */
  constructor(
    upload: R2MultipartUpload,
    known: Readonly<Record<string, UploadedPart>>,
    note: (number: number, part: UploadedPart) => Promise<void>,
  ) {
    this.#upload = upload
    this.#known = known
    this.#note = note
  }

  async write(chunk: Uint8Array): Promise<void> {
    let offset = 0
    while (offset < chunk.length) {
      const taken = Math.min(chunk.length - offset, PART_BYTES - this.#filled)
      this.#buffer.set(chunk.subarray(offset, offset + taken), this.#filled)
      this.#filled += taken
      offset += taken
      if (this.#filled === PART_BYTES) await this.#flush()
    }
  }

  /** Completes the upload. Before that, the key doesn't exist. */
  async finish(): Promise<void> {
    if (this.#filled > 0) await this.#flush()
    await this.#upload.complete(this.#parts)
  }

  async #flush(): Promise<void> {
    const number = this.#parts.length + 1
    const bytes = this.#buffer.slice(0, this.#filled)
    this.#filled = 0
    const sha256 = toHex(await crypto.subtle.digest('SHA-256', bytes))
    const known = this.#known[number]
    if (known?.sha256 === sha256) {
      this.#parts.push({ partNumber: number, etag: known.etag })
      return
    }
    const part = await this.#upload.uploadPart(number, bytes)
    this.#parts.push(part)
    await this.#note(number, { etag: part.etag, sha256 })
  }
}

/** Concatenates chunks of bytes with a total of `length` bytes. */
export function concatenated(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}
