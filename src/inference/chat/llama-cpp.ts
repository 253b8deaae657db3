/**
 * A llama.cpp server (llama-server) as chat model, through its OpenAI-compatible API
 * (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md).
 * @module
 */
import * as z from 'zod'
import { askEngine, atApi, type EngineEndpoint } from '../engine/http.ts'
import { type Engine, EngineFailure } from '../engine/resilience.ts'
import { OpenAiChat } from './openai-chat.ts'
import { httpChat } from './transport.ts'

const HEALTH_DEADLINE_MS = 2_000

const modelList = z.object({
  data: z.array(
    z.object({ id: z.string(), meta: z.object({ n_embd: z.number(), n_ctx: z.number().optional() }).nullish() }),
  ),
})

const tokens = z.object({ tokens: z.array(z.number()) })

/** Whether a server can answer now. `loading` becomes `ready` by itself, `down` does not. */
export type ServerHealth = 'ready' | 'loading' | 'down'

export interface ServedModel {
  readonly id: string
  /** Dimensions of the model's embeddings; null if not reported. */
  readonly dimensions: number | null
  /** Maximum tokens of one request including its answer; null if not reported. */
  readonly contextTokens: number | null
}

export class LlamaCppChat extends OpenAiChat {
  readonly #endpoint: EngineEndpoint
  readonly #engine: Engine

  /** @param model name to request, if the server has several models (router mode) */
  constructor(endpoint: EngineEndpoint, engine: Engine, model?: string) {
    super('llama.cpp', httpChat(endpoint), engine, model)
    this.#endpoint = endpoint
    this.#engine = engine
  }

  /**
   * Checks once, without the engine policy: an open circuit breaker must not hide that the server is available again.
   */
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

  /** Lists the models of the server. */
  async models(): Promise<ServedModel[]> {
    const answer = await this.#ask(atApi(this.#endpoint), '/models', undefined, modelList, 'a list of models')
    return answer.data.map(({ id, meta }) => ({
      id,
      dimensions: meta?.n_embd ?? null,
      contextTokens: meta?.n_ctx ?? null,
    }))
  }

  /** Counts the tokens of a text with the model's own tokenizer. */
  async countTokens(text: string): Promise<number> {
    return (await this.#ask(this.#endpoint, '/tokenize', { content: text }, tokens, 'a list of tokens')).tokens.length
  }

  #ask<T extends z.ZodType>(
    endpoint: EngineEndpoint,
    path: string,
    body: unknown,
    schema: T,
    what: string,
  ): Promise<z.output<T>> {
    return this.#engine.call(
      async (signal) => {
        const parsed = schema.safeParse(await askEngine(endpoint, path, body, signal))
        if (!parsed.success) throw new EngineFailure('invalid', `did not answer with ${what}`)
        return parsed.data
      },
      { repeatable: true },
    )
  }
}
