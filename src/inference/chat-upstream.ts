/**
 * Chat models with OpenAI's API as they are: requests and answers go through unchanged, so that tools, images and whatever comes
 * next work without the coordinator knowing of them. Failures follow the policy of resilience.ts.
 * @module
 */
import type { Settings } from '../settings.ts'
import type { ChatTransport } from './chat/transport.ts'
import { Engine, EngineFailure } from './engine/resilience.ts'
import { type ConfiguredChat, configuredChat, engineAt } from './open-models.ts'
import type { WorkersAi } from './workers-ai.ts'

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

/** No model is configured. */
export const NO_UPSTREAMS: ChatUpstreams = { local: null, remote: null }

/** The models that the settings name. */
export function openUpstreams(settings: Settings, ai?: WorkersAi): ChatUpstreams {
  const open = (side: ChatUpstream['side']) => {
    const chat = configuredChat(side, settings, ai)
    return chat && upstream(side, chat)
  }
  return { local: open('local'), remote: open('remote') }
}

function upstream(side: ChatUpstream['side'], { model, address, transport, hint }: ConfiguredChat): ChatUpstream {
  const engine = engineAt(side, address, () => {
    const policy = { deadlineMs: DEADLINE_MS, attempts: 1, concurrent: 32, failures: 5, openMs: 10_000 }
    return new Engine(`The ${side} model`, hint, policy)
  })
  return {
    side,
    model,
    ask: (body, stopped) =>
      engine.call((signal) => transport.ask(body, AbortSignal.any([signal, stopped])), { repeatable: false }),
    stream: (body, stopped) => engine.stream((signal) => events(transport, body, signal, stopped)),
  }
}

/** A caller that stops reading ends the stream without a failure: the server did nothing wrong. */
async function* events(
  transport: ChatTransport,
  body: object,
  signal: AbortSignal,
  stopped: AbortSignal,
): AsyncGenerator<string, void, void> {
  try {
    for await (const data of transport.events(body, AbortSignal.any([signal, stopped]))) {
      yield data
      if (data === '[DONE]') return
    }
  } catch (thrown) {
    if (stopped.aborted) return
    if (thrown instanceof EngineFailure) throw thrown
  }
  if (!stopped.aborted) throw new EngineFailure('unreachable', 'broke off in the middle of its answer')
}
