/**
 * Chat messages as OpenAI clients send and get them. Pure.
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

/** A request as far as the coordinator reads it; everything else is passed on. */
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
 * The text of the person's latest message as it is searched for and kept: without secrets and private spans, cut to what a query
 * may hold. Null when there is none.
 * @param counts grows by what was taken out, by kind
 */
export function askedText(messages: readonly Message[], counts: RedactionCounts = {}): string | null {
  const content = messages.findLast(({ role }) => role === 'user')?.content
  const text = typeof content === 'string' ? content : (content ?? []).flatMap(({ text }) => text ?? []).join('\n')
  const clean = redact(text.replaceAll('\0', ' ').toWellFormed(), counts)
  const asked = clean.trim().slice(0, MAX_QUERY).toWellFormed()
  return asked === '' ? null : asked
}

/** The texts of messages, under the names that an error can tell; not images and whatever else is passed on unread. */
export function textsOf(messages: readonly Message[]): object {
  return {
    messages: messages.map(({ content }) => ({
      content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => ({ text })),
    })),
  }
}

/** The messages with context below the person's latest one; the others are the same objects. */
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

const toolCall = z.looseObject({
  index: z.int().min(0).max(127).optional(),
  id: z.string().optional(),
  function: z.looseObject({ name: z.string().optional(), arguments: z.string().optional() }).optional(),
})

const delta = z.looseObject({ content: z.string().nullish(), tool_calls: z.array(toolCall).nullish() })
const usage = z.looseObject({ total_tokens: z.int().optional() })

const completion = z.looseObject({
  model: z.string().optional(),
  choices: z.array(z.looseObject({ message: delta.optional(), finish_reason: z.string().nullish() })),
  usage: usage.nullish(),
})

const chunk = z.looseObject({
  model: z.string().optional(),
  choices: z.array(z.looseObject({ delta: delta.nullish(), finish_reason: z.string().nullish() })).default([]),
  usage: usage.nullish(),
})

/** What an answer came to, as it is tracked. */
export class AnswerSoFar {
  model: string | null = null
  tokens = 0
  finished = false
  #content = ''
  readonly #tools = new Map<number, { id: string; name: string; arguments: string }>()

  /** A whole completion; false when it is none. */
  readCompletion(body: unknown): body is Record<string, unknown> {
    const parsed = completion.safeParse(body)
    const [choice] = parsed.data?.choices ?? []
    if (!parsed.success || !choice?.message) return false
    this.#add(choice.message)
    this.model = parsed.data.model ?? null
    this.tokens = parsed.data.usage?.total_tokens ?? 0
    this.finished = true
    return true
  }

  /** One event of a stream; null when it is no chunk of one. */
  readChunk(data: string): z.output<typeof chunk> | null {
    const parsed = chunk.safeParse(parseJson(data))
    if (!parsed.success || parsed.data.error !== undefined) return null
    const [choice] = parsed.data.choices
    if (choice?.delta) this.#add(choice.delta)
    if (choice?.finish_reason) this.finished = true
    this.model ??= parsed.data.model ?? null
    this.tokens = parsed.data.usage?.total_tokens ?? this.tokens
    return parsed.data
  }

  /** The answer as text: what was said, and the tools that were called as JSON. */
  get text(): string {
    if (this.#tools.size === 0) return this.#content
    const calls = [...this.#tools].sort(([a], [b]) => a - b).map(([, call]) => call)
    return [this.#content, JSON.stringify({ tool_calls: calls })].filter((text) => text !== '').join('\n')
  }

  get calledTools(): boolean {
    return this.#tools.size > 0
  }

  #add({ content, tool_calls }: z.output<typeof delta>): void {
    this.#content += content ?? ''
    for (const [i, call] of (tool_calls ?? []).entries()) {
      const at = call.index ?? i
      const known = this.#tools.get(at) ?? { id: '', name: '', arguments: '' }
      this.#tools.set(at, {
        id: known.id || (call.id ?? ''),
        name: known.name + (call.function?.name ?? ''),
        arguments: known.arguments + (call.function?.arguments ?? ''),
      })
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
