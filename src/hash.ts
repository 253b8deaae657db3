/**
 * Hash functions: a fast one for tables and folds, and SHA-256 for comparisons across machines.
 * @module
 */
import { toHex } from './encoding.ts'

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * FNV-1a over UTF-16 code units, 32 bits (Fowler, Noll and Vo, draft-eastlake-fnv, section 2). Stable across machines.
 * Not secure against forgery.
 */
export function fnv1a(text: string): number {
  return fnv1aOfRange(text, 0, text.length)
}

/** {@link fnv1a} of text[from, to). */
export function fnv1aOfRange(text: string, from: number, to: number): number {
  let hash = FNV_OFFSET
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash >>> 0
}

/** FNV-1a over 32-bit words, as a checksum of binary data. */
export function fnv1aOfWords(words: Uint32Array): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ (words[i] as number), FNV_PRIME)
  return hash >>> 0
}

/** The 32-bit finaliser of MurmurHash3 (Appleby, public domain): after it, low and high bits are independent. */
export function mix32(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** SHA-256 of a text's UTF-8 bytes, as 64 hexadecimal digits. */
export async function sha256(content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return toHex(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}
