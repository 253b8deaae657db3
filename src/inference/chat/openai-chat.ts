/**
 * Chat models with OpenAI's chat completions API, over any transport: llama-server, any compatible server, Workers AI.
 * @module
 */
import * as z from 'zod'
import { type Engine, EngineFailure, isTimeout } from '../engine/resilience.ts'
import type { ChatMessage, ChatOptions, ChatPiece, ChatReply, StreamingChatModel } from './chat-model.ts'
import type { ChatTransport } from './transport.ts'

/** Token counts are optional: servers send null or omit them, and the answer is complete without them. */
const usage = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish().catch(null)

const completion = z.object({
  model: z.string().default('llama.cpp'),
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullable() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage,
})

const chunk = z.object({
  model: z.string().default('llama.cpp'),
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish() }).default({}),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage,
})

export class OpenAiChat implements StreamingChatModel {
  readonly name: string
  readonly #transport: ChatTransport
  readonly #engine: Engine
  readonly #model: string | undefined

  /** @param model name to request, if the server has several models */
  constructor(name: string, transport: ChatTransport, engine: Engine, model?: string) {
    this.name = name
    this.#transport = transport
    this.#engine = engine
    this.#model = model
  }

  complete(
    messages: readonly ChatMessage[],
    options: ChatOptions & { readonly maxTokens: number },
  ): Promise<ChatReply> {
    // A JSON fragment is useless, and not every server supports streaming with a schema.
    return options.schema ? this.#whole(messages, options) : this.#collected(messages, options)
  }

  /** Generation is never repeated: it costs the server's time, and the caller has a better fallback. */
  #whole(messages: readonly ChatMessage[], options: ChatOptions): Promise<ChatReply> {
    const { deadlineMs, signal } = options
    return this.#engine.call(
      async (ended) => {
        const body = { ...this.#request(messages, options), stream: false }
        const parsed = completion.safeParse(await this.#transport.ask(body, ended))
        if (!parsed.success) throw new EngineFailure('invalid', 'answered in a form that is not an OpenAI completion')
        const { model, choices, usage: counted } = parsed.data
        const content = choices[0]?.message.content ?? ''
        return {
          content,
          model,
          promptTokens: counted?.prompt_tokens ?? null,
          completionTokens: counted?.completion_tokens ?? null,
          finish: choices[0]?.finish_reason === 'length' ? 'length' : 'stop',
        }
      },
      { repeatable: false, deadlineMs, signal },
    )
  }

  /** Streams the answer, so that the part received before the deadline is kept. */
  async #collected(messages: readonly ChatMessage[], options: ChatOptions): Promise<ChatReply> {
    let content = ''
    let last: ChatPiece | null = null
    try {
      for await (const piece of this.stream(messages, options)) {
        content += piece.content
        last = piece
      }
    } catch (error) {
      if (!last || content.trim() === '' || !isTimeout(error)) throw error
      return { content, model: last.model, promptTokens: null, completionTokens: null, finish: 'deadline' }
    }
    return {
      content,
      model: last?.model ?? this.name,
      promptTokens: last?.promptTokens ?? null,
      completionTokens: last?.completionTokens ?? null,
      finish: last?.finish ?? 'stop',
    }
  }

  stream(messages: readonly ChatMessage[], options: ChatOptions = {}): AsyncGenerator<ChatPiece, void, void> {
    const body = { ...this.#request(messages, options), stream: true, stream_options: { include_usage: true } }
    const { deadlineMs, signal } = options
    return this.#engine.stream((ended) => chatPieces(this.#transport.events(body, ended)), { deadlineMs, signal })
  }

  #request(
    messages: readonly ChatMessage[],
    { model = this.#model, maxTokens, temperature, schema }: ChatOptions,
  ): Record<string, unknown> {
    return {
      messages,
      ...(model !== undefined && { model }),
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(schema && {
        response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
      }),
    }
  }
}

/**
 * Yields the parts of one answer. Ends normally only if the stream stated why the answer ended; not every server closes
 * with `[DONE]`.
 * @throws EngineFailure if the stream breaks off or contains something else
 */
async function* chatPieces(events: AsyncGenerator<string, void, void>): AsyncGenerator<ChatPiece, void, void> {
  let last: ChatPiece | null = null
  for await (const data of unbroken(events)) {
    if (data === '[DONE]') break
    const parsed = chunk.safeParse(parseJson(data))
    if (!parsed.success) throw new EngineFailure('invalid', 'sent a chunk that is not one of an OpenAI stream')
    const { model, choices, usage: counted } = parsed.data
    const [choice] = choices
    if (!last && choice?.delta.content) yield { content: choice.delta.content, model }
    if (choice?.finish_reason)
      last = { content: '', model, finish: choice.finish_reason === 'length' ? 'length' : 'stop' }
    if (last && counted) {
      last = { ...last, promptTokens: counted.prompt_tokens, completionTokens: counted.completion_tokens }
    }
  }
  if (!last) throw brokenOff()
  yield last
}

async function* unbroken(events: AsyncGenerator<string, void, void>): AsyncGenerator<string, void, void> {
  try {
    yield* events
  } catch (thrown) {
    throw thrown instanceof EngineFailure ? thrown : brokenOff()
  }
}

function brokenOff(): EngineFailure {
  return new EngineFailure('unreachable', 'broke off in the middle of its answer')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
