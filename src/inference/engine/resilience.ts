/**
 * One policy for every engine that can be slow, faulty or unavailable: a deadline for the whole call, a few retries
 * with jitter for repeatable calls, a circuit breaker, and a limit on concurrent calls.
 *
 * State is kept in the isolate. A cancelled request never runs its `finally`, so nothing here waits for another
 * request: slots and probes are leases that expire. That is why breaker and limit are our own: libraries release both
 * in continuations, and one cancelled request would hold them forever.
 * @module
 */
import { countCall } from '../../budget.ts'
import { CoordinatorError } from '../../errors.ts'
import type { Refusal } from './refusal.ts'

/** The kind of failure of one attempt. */
export type FailureKind =
  /** No connection, or the connection broke before the answer was complete. */
  | 'unreachable'
  /** No answer, or an answer that was too slow. */
  | 'timeout'
  /** The engine reported that it is starting. */
  | 'loading'
  /** The engine reported that it is overloaded. */
  | 'busy'
  /** The engine reported an internal failure (5xx). */
  | 'failed'
  /** The answer doesn't match the engine's API. */
  | 'invalid'
  /** The engine understood the request and rejected it. Repeating it doesn't help. */
  | 'refused'
  /** The key or access headers are wrong. */
  | 'unauthorized'
  /** Not called: too many recent failures, or too many concurrent calls. */
  | 'skipped'

/** The failure of one attempt. Adapters throw it. */
export class EngineFailure extends Error {
  readonly kind: FailureKind
  /** Milliseconds after which the engine asked to be called again. */
  readonly retryAfterMs: number | undefined
  /** The engine's message about the request. Missing if the failure is not about the request. */
  readonly refusal: Refusal | undefined

  constructor(kind: FailureKind, message: string, retryAfterMs?: number, refusal?: Refusal) {
    super(message)
    this.refusal = refusal
    this.name = 'EngineFailure'
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** Kinds after which the same call may succeed. An attempt that timed out by itself leaves time for another one. */
const REPEATABLE: ReadonlySet<FailureKind> = new Set(['unreachable', 'timeout', 'busy', 'failed', 'invalid'])
/** Kinds that indicate the engine's health, rather than a problem with one request. */
const COUNTED: ReadonlySet<FailureKind> = new Set(['unreachable', 'timeout', 'busy', 'failed', 'invalid', 'loading'])

export interface EnginePolicy {
  /** Deadline of the whole call including retries, in milliseconds. */
  readonly deadlineMs: number
  /** Maximum number of attempts for a repeatable call. */
  readonly attempts: number
  /** Wait before the first retry, in milliseconds. It doubles with each further retry. */
  readonly backoffMs: number
  /** Number of consecutive failed calls that open the breaker. */
  readonly failures: number
  /** How long an open breaker rejects calls, in milliseconds. */
  readonly openMs: number
  /** Maximum number of concurrent calls. */
  readonly concurrent: number
}

export const DEFAULT_POLICY: EnginePolicy = {
  deadlineMs: 10_000,
  attempts: 3,
  backoffMs: 100,
  failures: 4,
  openMs: 10_000,
  concurrent: 16,
}

/** The clock and randomness that the policy uses. Tests provide their own. */
export interface EngineClock {
  now(): number
  random(): number
  sleep(ms: number): Promise<void>
}

const CLOCK: EngineClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

/** What a person can check if an engine fails. */
export interface EngineHint {
  readonly reach: string
  /** The hint if access is denied. Default: `reach`. */
  readonly access?: string
}

/** A call waits for a slot for at most half of its deadline, so that the other half is left for the answer. */
const WAITING_SHARE = 0.5
/**
 * How long other calls wait for the probe of a half-open breaker, in milliseconds. A request often makes several calls at
 * once: if the others failed immediately, the request would end, its probe would be cancelled, and the breaker would
 * never close.
 */
const PROBE_WAIT_MS = 2_000
/** Mean interval between checks for a free slot, in milliseconds. */
const LOOK_AGAIN_MS = 20

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface CallOptions {
  readonly deadlineMs?: number
  /** Whether the call can safely be repeated. */
  readonly repeatable: boolean
  /** Aborts the call at the caller's request. */
  readonly signal?: AbortSignal
}

/** The state of one engine in this isolate. One instance per engine, kept between requests. */
export class Engine {
  readonly name: string
  readonly #policy: EnginePolicy
  readonly #hint: EngineHint
  readonly #clock: EngineClock
  #failed = 0
  #openUntil = 0
  #probeUntil = 0
  #lastKind: FailureKind | null = null
  #problem: string | null = null
  /** When the slot of each call in progress expires. */
  #places: number[] = []

  /**
   * @param name the engine's name in messages, e.g. `The local model`
   * @param hint what a person can check if it fails
   */
  constructor(name: string, hint: string | EngineHint, policy: Partial<EnginePolicy> = {}, clock: EngineClock = CLOCK) {
    this.name = name
    this.#hint = typeof hint === 'string' ? { reach: hint } : hint
    this.#policy = { ...DEFAULT_POLICY, ...policy }
    this.#clock = clock
  }

  /** Closed: calls go through. Open: they fail immediately. Half open: one call may try, and others wait for it. */
  get state(): BreakerState {
    if (this.#failed < this.#policy.failures) return 'closed'
    return this.#clock.now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Why the last call failed; null after a success. */
  get lastFailure(): FailureKind | null {
    return this.#lastKind
  }

  /** A problem with the engine or its settings, not with one request, that the last call revealed; null: none. */
  get problem(): string | null {
    return this.#problem
  }

  /**
   * Calls the engine with the policy.
   * @param attempt receives a signal that fires at the deadline; throws EngineFailure, any other error counts as
   *   unreachable
   * @throws CoordinatorError `engine_unavailable`, with `retryAfter` in seconds if known; thrown before the deadline
   */
  async call<T>(attempt: (signal: AbortSignal) => Promise<T>, options: CallOptions): Promise<T> {
    const { deadline, deadlineMs, signal, leave } = await this.#begin(options)
    try {
      const result = await this.#attempts(attempt, options, deadline, signal)
      this.#succeeded()
      return result
    } catch (thrown) {
      throw this.#report(thrown, deadlineMs)
    } finally {
      leave()
    }
  }

  /**
   * Calls an engine that streams its answer. The call is a success only if the stream ends by itself.
   * @param open receives a signal that fires at the deadline of the whole stream, and when the caller stops reading
   * @throws CoordinatorError like {@link Engine.call}, at any part
   */
  async *stream<T>(
    open: (signal: AbortSignal) => AsyncGenerator<T, void, void>,
    options: Omit<CallOptions, 'repeatable'> = {},
  ): AsyncGenerator<T, void, void> {
    const { deadlineMs, signal, leave } = await this.#begin(options)
    const pieces = open(signal)
    let answering = false
    try {
      while (true) {
        const next = await within(signal, pieces.next())
        if (next.done) break
        answering = true
        yield next.value
      }
      this.#succeeded()
    } catch (thrown) {
      const failure = asFailure(thrown, signal)
      // An engine that was still answering is slow, not broken.
      if (answering && failure instanceof EngineFailure && failure.kind === 'timeout') {
        this.#succeeded()
        throw this.#timeout(failure, deadlineMs)
      }
      throw this.#report(failure, deadlineMs)
    } finally {
      leave()
    }
  }

  async #begin(options: Omit<CallOptions, 'repeatable'>): Promise<{
    deadline: number
    deadlineMs: number
    signal: AbortSignal
    leave: () => void
  }> {
    const deadlineMs = options.deadlineMs ?? this.#policy.deadlineMs
    const deadline = this.#clock.now() + deadlineMs
    const free = await this.#place(deadline, deadlineMs, options.signal)
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), Math.max(0, deadline - this.#clock.now()))
    const leave = () => {
      clearTimeout(timer)
      free()
      // Ends a stream that the caller did not read to the end.
      stop.abort()
    }
    const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal
    return { deadline, deadlineMs, signal, leave }
  }

  async #attempts<T>(
    attempt: (signal: AbortSignal) => Promise<T>,
    { repeatable }: CallOptions,
    deadline: number,
    signal: AbortSignal,
  ): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        countCall()
        return await within(signal, attempt(signal))
      } catch (thrown) {
        const failure = asFailure(thrown, signal)
        if (!repeatable || tried >= this.#policy.attempts || !REPEATABLE.has(failure.kind)) throw failure
        const wait = failure.retryAfterMs ?? this.#policy.backoffMs * 2 ** (tried - 1) * (0.5 + this.#clock.random())
        if (this.#clock.now() + wait >= deadline) throw failure
        await within(signal, this.#clock.sleep(wait))
      }
    }
  }

  /** Polls for a slot: a cancelled request never reports its end. */
  async #place(deadline: number, deadlineMs: number, signal: AbortSignal | undefined): Promise<() => void> {
    const started = this.#clock.now()
    while (true) {
      const free = this.#enter(deadline)
      if (free) return free
      if (signal?.aborted) throw this.#error('was not asked: the caller went away')
      const patience = Math.min(deadlineMs * WAITING_SHARE, this.#probing ? PROBE_WAIT_MS : Number.POSITIVE_INFINITY)
      if (this.#clock.now() - started >= patience) {
        throw this.#probing ? this.#leftAlone(this.#probeUntil) : this.#error('has too many calls under way', 1000)
      }
      await this.#clock.sleep(LOOK_AGAIN_MS * (0.5 + this.#clock.random()))
    }
  }

  /** Whether the breaker is half open and a call is trying. */
  get #probing(): boolean {
    return this.state === 'half-open' && this.#clock.now() < this.#probeUntil
  }

  /** Takes a slot; null: none is free, or a probe is in progress. */
  #enter(deadline: number): (() => void) | null {
    const now = this.#clock.now()
    const state = this.state
    if (state === 'open') throw this.#leftAlone(this.#openUntil)
    if (this.#probing) return null
    this.#places = this.#places.filter((until) => until > now)
    if (this.#places.length >= this.#policy.concurrent) return null
    if (state === 'half-open') this.#probeUntil = deadline
    this.#places.push(deadline)
    return () => {
      const at = this.#places.indexOf(deadline)
      if (at >= 0) this.#places.splice(at, 1)
    }
  }

  #succeeded(): void {
    this.#failed = 0
    this.#probeUntil = 0
    this.#lastKind = null
    this.#problem = null
  }

  #report(thrown: unknown, deadlineMs: number): CoordinatorError {
    if (thrown instanceof CoordinatorError) {
      // The caller's own error: the engine answered, so it is healthy.
      this.#succeeded()
      return thrown
    }
    const failure = thrown instanceof EngineFailure ? thrown : new EngineFailure('unreachable', 'could not be reached')
    this.#lastKind = failure.kind
    this.#probeUntil = 0
    if (COUNTED.has(failure.kind)) {
      this.#failed++
      if (this.#failed >= this.#policy.failures) {
        this.#openUntil = this.#clock.now() + Math.max(this.#policy.openMs, failure.retryAfterMs ?? 0)
      }
    } else this.#failed = 0
    const message = failure.kind === 'timeout' ? `did not answer within ${deadlineMs / 1000} s` : failure.message
    this.#problem = failure.refusal ? null : message
    const { reach, access = reach } = this.#hint
    const error = this.#error(message, failure.retryAfterMs, failure.kind === 'unauthorized' ? access : reach)
    error.cause = failure
    return error
  }

  #leftAlone(until: number): CoordinatorError {
    return this.#error('is left alone for a moment because it failed repeatedly', until - this.#clock.now())
  }

  #timeout(failure: EngineFailure, deadlineMs: number): CoordinatorError {
    const error = this.#error(`did not answer within ${deadlineMs / 1000} s`)
    error.cause = failure
    return error
  }

  #error(message: string, retryAfterMs?: number, hint = this.#hint.reach): CoordinatorError {
    return new CoordinatorError('engine_unavailable', `${this.name} ${message}.`, {
      hint,
      ...(retryAfterMs !== undefined && { retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
    })
  }
}

/** Whether a call ended at its deadline. */
export function isTimeout(error: unknown): boolean {
  return error instanceof CoordinatorError && error.cause instanceof EngineFailure && error.cause.kind === 'timeout'
}

/** Settles when the signal fires, whatever the work does. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  if (signal.aborted) throw new EngineFailure('timeout', 'did not answer in time')
  let cancel = () => {}
  const ended = new Promise<never>((_, reject) => {
    cancel = () => reject(new EngineFailure('timeout', 'did not answer in time'))
    signal.addEventListener('abort', cancel, { once: true })
  })
  try {
    return await Promise.race([work, ended])
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

function asFailure(thrown: unknown, signal: AbortSignal): EngineFailure {
  if (thrown instanceof EngineFailure) return thrown
  if (thrown instanceof CoordinatorError) throw thrown
  if (signal.aborted) return new EngineFailure('timeout', 'did not answer in time')
  return new EngineFailure('unreachable', 'could not be reached')
}
