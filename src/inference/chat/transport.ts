/**
 * The transport of OpenAI's chat completions API.
 * @module
 */
import { askEngine, atApi, type EngineEndpoint, openEngine, readJson } from '../engine/http.ts'
import { EngineFailure } from '../engine/resilience.ts'
import { eventData } from './event-stream.ts'

const PATH = '/chat/completions'

export interface ChatTransport {
  /**
   * Sends a request and returns the completion, unchecked.
   * @throws EngineFailure
   */
  ask(body: object, signal: AbortSignal): Promise<unknown>
  /**
   * Yields the data of each event of a streamed answer, including `[DONE]`, until the stream ends.
   * @throws EngineFailure, or any error from reading the stream
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

/** Events for an answer that a server sent as a whole although a stream was requested. */
function* asEvents(answer: unknown): Generator<string, void, void> {
  const { choices, ...rest } = (answer ?? {}) as { choices?: unknown }
  if (Array.isArray(choices)) {
    const deltas = choices.map(({ message, ...choice }) => ({ ...choice, delta: message ?? {} }))
    yield JSON.stringify({ ...rest, object: 'chat.completion.chunk', choices: deltas })
    yield '[DONE]'
  } else yield JSON.stringify(answer)
}
