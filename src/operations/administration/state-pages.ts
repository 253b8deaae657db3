/**
 * Pages of a backup: compressed JSON, as texts that an input may contain. Whoever keeps a page need not understand it.
 * @module
 */
import * as z from 'zod'
import { fromBase64, toBase64 } from '../../encoding.ts'
import { invalidInput } from '../../errors.ts'
import { collectionName, conversationId, project } from '../fields.ts'

/** Bytes of one text of a page, below MAX_FIELD_CHARACTERS as base64. */
const PART = 300_000

/** What a page is about. */
export const subject = {
  what: z.enum(['items', 'documents', 'conversation']),
  project,
  collection: collectionName.optional().describe('Of items and documents.'),
  conversation_id: conversationId.optional().describe('Of a conversation.'),
}

export const page = z.array(z.string()).max(20).describe('Compressed JSON as base64, to be sent back as it is.')

/** Packs a value. Float32Arrays become base64. */
export async function pack(value: unknown): Promise<string[]> {
  const json = JSON.stringify(value, (_, field: unknown) =>
    field instanceof Float32Array ? toBase64(new Uint8Array(field.buffer, field.byteOffset, field.byteLength)) : field,
  )
  const bytes = await through(new Blob([json]), new CompressionStream('gzip'))
  const parts: string[] = []
  for (let at = 0; at < bytes.length; at += PART) parts.push(toBase64(bytes.subarray(at, at + PART)))
  return parts
}

/**
 * Unpacks a page.
 * @throws CoordinatorError `invalid_input` if it is damaged
 */
export async function unpack<T>(parts: readonly string[]): Promise<T> {
  try {
    const bytes = await through(new Blob(parts.map(bytesOf)), new DecompressionStream('gzip'))
    return JSON.parse(new TextDecoder().decode(bytes)) as T
  } catch {
    throw invalidInput('page', 'This page is damaged.', { hint: 'Send it as export_state returned it.' })
  }
}

/** The vector of an unpacked item. */
export function vectorOf(text: string | null): Float32Array | null {
  return text === null ? null : new Float32Array(bytesOf(text).slice().buffer)
}

function bytesOf(text: string): Uint8Array {
  const bytes = fromBase64(text)
  if (!bytes) throw new Error('not base64')
  return bytes
}

async function through(blob: Blob, stream: CompressionStream | DecompressionStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(stream)).arrayBuffer())
}
