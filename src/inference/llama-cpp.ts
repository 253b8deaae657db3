/**
 * A llama.cpp server (llama-server) as chat model, through its OpenAI-compatible API
 * (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md).
 * @module
 */
import * as z from 'zod'
import type { ChatMessage, ChatOptions, ChatPiece, ChatReply, StreamingChatModel } from './chat-model.ts'
import { askEngine, type EngineEndpoint, openEngine } from './engine-http.ts'
import { eventData } from './event-stream.ts'
import { type Engine, EngineFailure } from './resilience.ts'

/** Milliseconds that a whole answer may take unless the caller says otherwise. */
const DEADLINE_MS = 60_000
const HEALTH_DEADLINE_MS = 2_000

const usage = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() })

const completion = z.object({
  model: z.string().default('llama.cpp'),
  choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })).min(1),
  usage: usage.nullish(),
})

const chunk = z.object({
  model: z.string().default('llama.cpp'),
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish() }).default({}),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: usage.nullish(),
})

const modelList = z.object({
  data: z.array(
    z.object({ id: z.string(), meta: z.object({ n_embd: z.number(), n_ctx: z.number().optional() }).nullish() }),
  ),
})

const tokens = z.object({ tokens: z.array(z.number()) })

/** Whether a server can answer now: `loading` will become `ready` by itself, `down` will not. */
export type ServerHealth = 'ready' | 'loading' | 'down'

export interface ServedModel {
  readonly id: string
  /** Size of the model's embeddings; null when the server doesn't say. */
  readonly dimensions: number | null
  /** Tokens of one request with its answer; null when the server doesn't say. */
  readonly contextTokens: number | null
}

export class LlamaCppChat implements StreamingChatModel {
  readonly name = 'llama.cpp'
  readonly #endpoint: EngineEndpoint
  readonly #engine: Engine
  readonly #model: string | undefined

  /** @param model name to ask for, when the server has several (router mode) */
  constructor(endpoint: EngineEndpoint, engine: Engine, model?: string) {
    this.#endpoint = endpoint
    this.#engine = engine
    this.#model = model
  }

  /** Generation isn't repeated once it began: it costs the server's time, and the caller has a better fallback. */
  async complete(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<ChatReply> {
    const { deadlineMs = DEADLINE_MS, signal } = options
    return this.#engine.call(
      async (ended) => {
        const body = { ...this.#request(messages, options), stream: false }
        const parsed = completion.safeParse(await askEngine(this.#endpoint, '/v1/chat/completions', body, ended))
        if (!parsed.success) throw new EngineFailure('invalid', 'answered in a form that is not an OpenAI completion')
        const { model, choices, usage: counted } = parsed.data
        const content = choices[0]?.message.content ?? ''
        if (options.schema && !isJson(content)) throw new EngineFailure('invalid', 'did not keep to the JSON schema')
        return {
          content,
          model,
          promptTokens: counted?.prompt_tokens ?? null,
          completionTokens: counted?.completion_tokens ?? null,
        }
      },
      { repeatable: false, deadlineMs, signal },
    )
  }

  stream(messages: readonly ChatMessage[], options: ChatOptions = {}): AsyncGenerator<ChatPiece, void, void> {
    const body = { ...this.#request(messages, options), stream: true, stream_options: { include_usage: true } }
    const { deadlineMs = DEADLINE_MS, signal } = options
    const endpoint = this.#endpoint
    return this.#engine.stream(
      async function* (ended) {
        const response = await openEngine(endpoint, '/v1/chat/completions', body, ended)
        if (!response.body) throw new EngineFailure('invalid', 'sent no body')
        yield* chatPieces(eventData(response.body))
      },
      { deadlineMs, signal },
    )
  }

  /** Asks once, without the policy: an open breaker must not hide that the server is back. */
  async health(): Promise<ServerHealth> {
    try {
      const response = await fetch(`${this.#endpoint.baseUrl}/health`, {
        headers: this.#endpoint.headers,
        redirect: 'manual',
        signal: AbortSignal.timeout(HEALTH_DEADLINE_MS),
      })
      await response.body?.cancel()
      if (response.ok) return 'ready'
      return response.status === 503 ? 'loading' : 'down'
    } catch {
      return 'down'
    }
  }

  /** The models that the server offers. */
  async models(): Promise<ServedModel[]> {
    const answer = await this.#ask('/v1/models', undefined, modelList, 'a list of models')
    return answer.data.map(({ id, meta }) => ({
      id,
      dimensions: meta?.n_embd ?? null,
      contextTokens: meta?.n_ctx ?? null,
    }))
  }

  /** Number of the model's own tokens in a text. */
  async countTokens(text: string): Promise<number> {
    return (await this.#ask('/tokenize', { content: text }, tokens, 'a list of tokens')).tokens.length
  }

  #ask<T extends z.ZodType>(path: string, body: unknown, schema: T, what: string): Promise<z.output<T>> {
    return this.#engine.call(
      async (signal) => {
        const parsed = schema.safeParse(await askEngine(this.#endpoint, path, body, signal))
        if (!parsed.success) throw new EngineFailure('invalid', `did not answer with ${what}`)
        return parsed.data
      },
      { repeatable: true },
    )
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
 * The pieces of one answer. Ends normally only when the stream said why the answer ended and closed with `[DONE]`.
 * @throws EngineFailure when it breaks off or sends something else
 */
async function* chatPieces(events: AsyncGenerator<string, void, void>): AsyncGenerator<ChatPiece, void, void> {
  let last: ChatPiece | null = null
  let closed = false
  for await (const data of unbroken(events)) {
    if (data === '[DONE]') {
      closed = true
      break
    }
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
  if (!last || !closed) throw brokenOff()
  yield last
}

async function* unbroken(events: AsyncGenerator<string, void, void>): AsyncGenerator<string, void, void> {
  try {
    yield* events
  } catch {
    throw brokenOff()
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

function isJson(text: string): boolean {
  return parseJson(text) !== undefined
}
