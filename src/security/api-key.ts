/**
 * API keys created by the coordinator: their format, and the stored parts.
 * @module
 */

import { toBase64 } from '../encoding.ts'

/** Prefix of every key, so that keys can be recognised in code and logs. */
export const KEY_MARK = 'hck_'

/** Random bytes in a key: 256 bits, so that a plain digest is sufficient and no slow hash is needed. */
const KEY_BYTES = 32
/** Number of displayed characters of a key, including its mark: enough to tell keys apart, far too few to guess one. */
const PREFIX_LENGTH = KEY_MARK.length + 6

const FORM = new RegExp(`^${KEY_MARK}[A-Za-z0-9_-]{43}$`)

/** A new key: the mark and 256 random bits in base64url (RFC 4648, section 5). */
export function newApiKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const text = toBase64(bytes)
  return KEY_MARK + text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Whether a text has the format of the coordinator's keys. */
export function isApiKey(text: string): boolean {
  return FORM.test(text)
}

/** The part of a key that may be displayed. */
export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_LENGTH)
}

/** SHA-256 of a key's UTF-8 bytes. */
export function digestOf(key: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
}

/** Decodes hexadecimal digits. */
export function fromHex(digits: string): ArrayBuffer {
  const bytes = new Uint8Array(digits.length / 2)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16)
  return bytes.buffer
}
