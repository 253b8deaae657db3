/**
 * Passes requests and answers of chat models with OpenAI's API through unchanged, so that tools, images and future
 * features work without support in the coordinator. Failures follow the policy of resilience.ts.
 * @module
 */
import { CoordinatorError, type ErrorCode } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { ChatTransport } from './chat/transport.ts'
import type { Refusal } from './engine/refusal.ts'
import { Engine, EngineFailure } from './engine/resilience.ts'
import { type ConfiguredChat, configuredChat, engineAt } from './open-models.ts'
import type { WorkersAi } from './workers-ai.ts'

/** Deadline of an answer, in milliseconds. */
const DEADLINE_MS = 300_000

/** Error codes of refusals with a specific code. All others are `invalid_input`. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  404: 'not_found',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
}

/** A model server rejected the caller's request. Repeating it, or sending it to another server, doesn't help. */
export class UpstreamRefusal extends CoordinatorError {
  readonly refusal: Refusal

  constructor(refusal: Refusal, retryAfterMs?: number) {
    super(CODES[refusal.status] ?? 'invalid_input', refusal.message, {
      ...(refusal.param !== null && { field: refusal.param }),
      ...(retryAfterMs !== undefined && { retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
    })
    this.name = 'UpstreamRefusal'
    this.refusal = refusal
  }
}

export interface ChatUpstream {
  readonly side: 'local' | 'remote'
  /** Model to request unless the caller names one; null: the server's default. */
  readonly model: string | null
  /**
   * Requests one complete answer.
   * @throws UpstreamRefusal if the server rejects the request, CoordinatorError `engine_unavailable` if it can't
   *   answer, `client_closed_request` after `stopped` fired
   */
  ask(body: object, stopped: AbortSignal): Promise<unknown>
  /**
   * Yields the data of each event of a streamed answer. Ends normally after `[DONE]`, when the caller stops it, and
   * when the body ends after `finished` returns true, because not every server sends `[DONE]`.
   * @throws like `ask`, also if the stream breaks off
   */
  stream(body: object, stopped: AbortSignal, finished: () => boolean): AsyncGenerator<string, void, void>
}

export interface ChatUpstreams {
  readonly local: ChatUpstream | null
  readonly remote: ChatUpstream | null
}

/** No model is configured. */
export const NO_UPSTREAMS: ChatUpstreams = { local: null, remote: null }

/** Opens the models that the settings name. */
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
      engine.call(
        (signal) =>
          transport.ask(body, AbortSignal.any([signal, stopped])).catch((thrown: unknown) => {
            if (stopped.aborted) throw clientClosed()
            throw callersError(thrown)
          }),
        { repeatable: false },
      ),
    stream: (body, stopped, finished) => engine.stream((signal) => events(transport, body, signal, stopped, finished)),
  }
}

/** The error for a request whose client disconnected. */
function clientClosed(): CoordinatorError {
  return new CoordinatorError('client_closed_request', 'The client closed the request before it was answered.')
}

/** Converts a refusal to the caller's error. Other failures are returned unchanged for the engine policy. */
function callersError(thrown: unknown): unknown {
  if (!(thrown instanceof EngineFailure) || !thrown.refusal) return thrown
  return new UpstreamRefusal(thrown.refusal, thrown.retryAfterMs)
}

/** If the caller stops reading, the stream ends without a failure: the server is not at fault. */
async function* events(
  transport: ChatTransport,
  body: object,
  signal: AbortSignal,
  stopped: AbortSignal,
  finished: () => boolean,
): AsyncGenerator<string, void, void> {
  try {
    for await (const data of transport.events(body, AbortSignal.any([signal, stopped]))) {
      yield data
      if (data === '[DONE]') return
    }
  } catch (thrown) {
    if (stopped.aborted) return
    if (thrown instanceof EngineFailure && !finished()) throw callersError(thrown)
  }
  if (!stopped.aborted && !finished()) throw new EngineFailure('unreachable', 'broke off in the middle of its answer')
}
