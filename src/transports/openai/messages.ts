/**
 * Chat messages as OpenAI clients send them. Pure.
 * @module
 */
import * as z from 'zod'
import { MAX_QUERY } from '../../knowledge/text-fields.ts'
import { type RedactionCounts, redact } from '../../security/redact.ts'

const part = z.looseObject({ type: z.string(), text: z.string().optional() })

const message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(part)]).nullish(),
})

/** The fields of a request that the coordinator reads. All other fields are passed on. */
export const chatRequest = z.looseObject({
  model: z.string().min(1).max(200).default('auto'),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
})

export type ChatRequest = z.output<typeof chatRequest>
type Message = z.output<typeof message>

/**
 * The text of the person's latest message for search and storage: without secrets and private spans, truncated to the
 * maximum length of a query, and whether it was truncated. Null if there is none.
 * @param counts increased by the number of redactions of each kind
 */
export function askedText(
  messages: readonly Message[],
  counts: RedactionCounts = {},
): { text: string; truncated: boolean } | null {
  const content = messages.findLast(({ role }) => role === 'user')?.content
  const text = typeof content === 'string' ? content : (content ?? []).flatMap(({ text }) => text ?? []).join('\n')
  const clean = redact(text.replaceAll('\0', ' ').toWellFormed(), counts)
  const asked = clean.trim()
  if (asked === '') return null
  return { text: asked.slice(0, MAX_QUERY).toWellFormed(), truncated: asked.length > MAX_QUERY }
}

/** The texts of messages, under field names for errors. Excludes images and other parts that are passed on unread. */
export function textsOf(messages: readonly Message[]): object {
  return {
    messages: messages.map(({ content }) => ({
      content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => ({ text })),
    })),
  }
}

/** The messages with context below the person's latest one. The other messages are the same objects. */
export function withContext(messages: readonly Message[], context: string): Message[] {
  const at = messages.findLastIndex(({ role }) => role === 'user')
  const found = messages[at]
  if (!found || context === '') return [...messages]
  const below = `\n\n---\n${context}`
  const content =
    typeof found.content === 'string'
      ? found.content + below
      : [...(found.content ?? []), { type: 'text', text: below.trimStart() }]
  return messages.with(at, { ...found, content })
}

/** Whether the person's latest message contains more than text: an image, audio, a file. */
export function hasMedia(messages: readonly Message[]): boolean {
  const content = messages.findLast(({ role }) => role === 'user')?.content
  return Array.isArray(content) && content.some(({ text }) => text === undefined)
}
