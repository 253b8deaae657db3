/**
 * A llama.cpp server as chat model, through its OpenAI-compatible API.
 * @module
 */
import * as z from 'zod'
import { CoordinatorError } from '../errors.ts'
import type { ChatMessage, ChatModel, ChatReply } from './chat-model.ts'

/** Milliseconds that a whole answer may take unless the caller says otherwise. */
const DEADLINE_MS = 60_000

const completion = z.object({
  model: z.string().default('llama.cpp'),
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).optional(),
})

export class LlamaCppChat implements ChatModel {
  readonly name = 'llama.cpp'
  readonly #url: URL
  readonly #headers: Record<string, string>

  /**
   * @param baseUrl of the server, with or without `/v1`
   * @param apiKey as given to `llama-server --api-key`
   */
  constructor(baseUrl: string, apiKey?: string) {
    const base = baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '')
    this.#url = new URL(`${base}/v1/chat/completions`)
    this.#headers = { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) }
  }

  async complete(
    messages: readonly ChatMessage[],
    options: { maxTokens?: number; deadlineMs?: number } = {},
  ): Promise<ChatReply> {
    const body = await this.#request(messages, options)
    const parsed = completion.safeParse(body)
    if (!parsed.success) throw unavailable('The local model answered in a form that is not an OpenAI completion.')
    const { model, choices, usage } = parsed.data
    return {
      content: choices[0]?.message.content ?? '',
      model,
      promptTokens: usage?.prompt_tokens ?? null,
      completionTokens: usage?.completion_tokens ?? null,
    }
  }

  async #request(
    messages: readonly ChatMessage[],
    { maxTokens, deadlineMs = DEADLINE_MS }: { maxTokens?: number; deadlineMs?: number },
  ): Promise<unknown> {
    let response: Response
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        headers: this.#headers,
        body: JSON.stringify({ messages, stream: false, ...(maxTokens !== undefined && { max_tokens: maxTokens }) }),
        signal: AbortSignal.timeout(deadlineMs),
      })
      if (response.ok) return await response.json()
    } catch (error) {
      throw unavailable(
        error instanceof DOMException && error.name === 'TimeoutError'
          ? 'The local model did not answer in time.'
          : 'The local model could not be reached.',
      )
    }
    await response.body?.cancel()
    throw unavailable(
      response.status === 503 ? 'The local model is still loading.' : `The local model answered with status ${response.status}.`,
    )
  }
}

function unavailable(message: string): CoordinatorError {
  return new CoordinatorError('engine_unavailable', message, {
    hint: 'Check LLAMA_CPP_BASE_URL and that llama-server runs and is reachable from the Worker.',
  })
}
