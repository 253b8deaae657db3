/**
 * How a chat that speaks OpenAI's chat completions is reached.
 * @module
 */
import { askEngine, atApi, type EngineEndpoint, openEngine, readJson } from '../engine/http.ts'
import { EngineFailure } from '../engine/resilience.ts'
import { eventData } from './event-stream.ts'

const PATH = '/chat/completions'

export interface ChatTransport {
  /**
   * The completion that a request is answered with, unchecked.
   * @throws EngineFailure
   */
  ask(body: object, signal: AbortSignal): Promise<unknown>
  /**
   * The data of each event of a streamed answer, `[DONE]` included, as far as the stream goes.
   * @throws EngineFailure, or whatever reading the stream throws
   */
  events(body: object, signal: AbortSignal): AsyncGenerator<string, void, void>
}

/** A server with OpenAI's API. */
export function httpChat(server: EngineEndpoint): ChatTransport {
  const endpoint = atApi(server)
  return {
    ask: (body, signal) => askEngine(endpoint, PATH, body, signal),
    async *events(body, signal) {
      const response = await openEngine(endpoint, PATH, body, signal)
      if (!response.body) throw new EngineFailure('invalid', 'sent no body')
      if (!/^application\/json/i.test(response.headers.get('content-type') ?? '')) yield* eventData(response.body)
      else yield* asEvents(await readJson(response, signal))
    },
  }
}

/** The events of an answer that a server has given whole although it was asked for a stream. */
function* asEvents(answer: unknown): Generator<string, void, void> {
  const { choices, ...rest } = (answer ?? {}) as { choices?: unknown }
  if (Array.isArray(choices)) {
    const deltas = choices.map(({ message, ...choice }) => ({ ...choice, delta: message ?? {} }))
    yield JSON.stringify({ ...rest, object: 'chat.completion.chunk', choices: deltas })
    yield '[DONE]'
  } else yield JSON.stringify(answer)
}
