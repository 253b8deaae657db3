/**
 * API keys that the coordinator makes: their form, and what is stored of them.
 * @module
 */

import { toBase64 } from '../encoding.ts'

/** Begins every key, so that it is recognised as one in code and logs. */
export const KEY_MARK = 'hck_'

/** Random bytes in a key: 256 bits, so that a plain digest is enough and no slow hash is needed. */
const KEY_BYTES = 32
/** Characters that are shown of a key, its mark included: enough to tell keys apart, far from enough to guess one. */
const PREFIX_LENGTH = KEY_MARK.length + 6

const FORM = new RegExp(`^${KEY_MARK}[A-Za-z0-9_-]{43}$`)

/** A new key: the mark and 256 random bits in base64url (RFC 4648, section 5). */
export function newApiKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const text = toBase64(bytes)
  return KEY_MARK + text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Whether a text has the form of a key that the coordinator makes. */
export function isApiKey(text: string): boolean {
  return FORM.test(text)
}

/** The part of a key that may be shown. */
export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_LENGTH)
}

/** SHA-256 of a key's UTF-8 bytes. */
export function digestOf(key: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
}

/** The bytes that hexadecimal digits stand for. */
export function fromHex(digits: string): ArrayBuffer {
  const bytes = new Uint8Array(digits.length / 2)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16)
  return bytes.buffer
}
