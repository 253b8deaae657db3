/**
 * OpenAI-compatible servers as they are: requests and answers go through unchanged, so that tools, images and whatever comes
 * next work without the coordinator knowing of them. Failures follow the policy of resilience.ts.
 * @module
 */
import type { Settings } from '../settings.ts'
import { askEngine, type EngineEndpoint, openEngine } from './engine-http.ts'
import { eventData } from './event-stream.ts'
import { engineAt, llamaEndpoint, remoteEndpoint } from './open-models.ts'
import { Engine, EngineFailure } from './resilience.ts'

const PATH = '/v1/chat/completions'
/** Milliseconds that an answer may take. */
const DEADLINE_MS = 300_000

export interface ChatUpstream {
  readonly side: 'local' | 'remote'
  /** Model that is asked for unless the caller names one; null: the server's own. */
  readonly model: string | null
  /**
   * One whole answer.
   * @throws CoordinatorError `engine_unavailable`
   */
  ask(body: object, stopped: AbortSignal): Promise<unknown>
  /**
   * The data of each event of a streamed answer. Ends normally after `[DONE]`, or when the caller has stopped it.
   * @throws CoordinatorError `engine_unavailable`, also when the stream breaks off
   */
  stream(body: object, stopped: AbortSignal): AsyncGenerator<string, void, void>
}

export interface ChatUpstreams {
  readonly local: ChatUpstream | null
  readonly remote: ChatUpstream | null
}

/** The servers that the settings name. */
export function openUpstreams(settings: Settings): ChatUpstreams {
  const { LLAMA_CPP_BASE_URL: local, REMOTE_MODEL_BASE_URL: remote } = settings
  return {
    local: local
      ? upstream('local', settings.LLAMA_CPP_MODEL ?? null, llamaEndpoint(local, settings), 'LLAMA_CPP_BASE_URL')
      : null,
    remote: remote
      ? upstream('remote', settings.REMOTE_MODEL ?? null, remoteEndpoint(remote, settings), 'REMOTE_MODEL_BASE_URL')
      : null,
  }
}

function upstream(
  side: ChatUpstream['side'],
  model: string | null,
  endpoint: EngineEndpoint,
  variable: string,
): ChatUpstream {
  const engine = engineAt(side, endpoint.baseUrl, () => {
    const policy = { deadlineMs: DEADLINE_MS, attempts: 1, concurrent: 32, failures: 5, openMs: 10_000 }
    return new Engine(`The ${side} model`, `Check ${variable} and that its server can be reached.`, policy)
  })
  return {
    side,
    model,
    ask: (body, stopped) =>
      engine.call((signal) => askEngine(endpoint, PATH, body, AbortSignal.any([signal, stopped])), {
        repeatable: false,
      }),
    stream: (body, stopped) => engine.stream((signal) => events(endpoint, body, signal, stopped)),
  }
}

/** A caller that stops reading ends the stream without a failure: the server did nothing wrong. */
async function* events(
  endpoint: EngineEndpoint,
  body: object,
  signal: AbortSignal,
  stopped: AbortSignal,
): AsyncGenerator<string, void, void> {
  try {
    const response = await openEngine(endpoint, PATH, body, AbortSignal.any([signal, stopped]))
    if (!response.body) throw new EngineFailure('invalid', 'sent no body')
    for await (const data of eventData(response.body)) {
      yield data
      if (data === '[DONE]') return
    }
  } catch (thrown) {
    if (stopped.aborted) return
    if (thrown instanceof EngineFailure) throw thrown
  }
  if (!stopped.aborted) throw new EngineFailure('unreachable', 'broke off in the middle of its answer')
}
