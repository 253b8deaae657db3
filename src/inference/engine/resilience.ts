/**
 * One policy for every engine that can be slow, wrong or gone: a deadline for the whole call, few retries with jitter on what
 * may be repeated, a circuit breaker and a limit of calls at once.
 *
 * State lives in the isolate. A request that is cancelled never runs its `finally`, so nothing here waits for another request:
 * places and probes are leases that end by the clock. That is why breaker and limit are our own; the libraries release both
 * in continuations, and one cancelled request would hold them for ever.
 * @module
 */
import { countCall } from '../../budget.ts'
import { CoordinatorError } from '../../errors.ts'
import type { Refusal } from './refusal.ts'

/** What went wrong with one attempt. */
export type FailureKind =
  /** No connection, or it broke before the answer was whole. */
  | 'unreachable'
  /** Silence, or an answer that came too slowly. */
  | 'timeout'
  /** It said that it is starting. */
  | 'loading'
  /** It said that it has too much to do. */
  | 'busy'
  /** It failed by its own account (5xx). */
  | 'failed'
  /** It answered something that its interface doesn't allow. */
  | 'invalid'
  /** It understood and refused: repeating changes nothing. */
  | 'refused'
  /** Key or access headers are wrong. */
  | 'unauthorized'
  /** Not asked: it failed too often a moment ago, or too many calls are under way. */
  | 'skipped'

/** The failure of one attempt, as an adapter throws it. */
export class EngineFailure extends Error {
  readonly kind: FailureKind
  /** Milliseconds after which it asked to be called again. */
  readonly retryAfterMs: number | undefined
  /** What the engine said about the request; left out when the failure is not about the request. */
  readonly refusal: Refusal | undefined

  constructor(kind: FailureKind, message: string, retryAfterMs?: number, refusal?: Refusal) {
    super(message)
    this.refusal = refusal
    this.name = 'EngineFailure'
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** Kinds after which the same call may succeed; an attempt that timed out by itself leaves time for another one. */
const REPEATABLE: ReadonlySet<FailureKind> = new Set(['unreachable', 'timeout', 'busy', 'failed', 'invalid'])
/** Kinds that say something about the engine's health, not about one request. */
const COUNTED: ReadonlySet<FailureKind> = new Set(['unreachable', 'timeout', 'busy', 'failed', 'invalid', 'loading'])

export interface EnginePolicy {
  /** For the whole call with its retries, in milliseconds. */
  readonly deadlineMs: number
  /** Attempts at most, of a call that may be repeated. */
  readonly attempts: number
  /** Wait before the first repetition, doubled for each further one, in milliseconds. */
  readonly backoffMs: number
  /** Failed calls in a row that open the breaker. */
  readonly failures: number
  /** How long an open breaker lets nothing through, in milliseconds. */
  readonly openMs: number
  /** Calls at once. */
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

/** What the policy needs of the world; tests bring their own. */
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

/** What a person can check when an engine fails. */
export interface EngineHint {
  readonly reach: string
  /** When it does not let the coordinator in; left out: like `reach`. */
  readonly access?: string
}

/** A call waits for a place for half of its deadline at most, so that the other half is left for the answer. */
const WAITING_SHARE = 0.5
/** Mean wait before a full engine is looked at again, in milliseconds. */
const LOOK_AGAIN_MS = 20

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface CallOptions {
  readonly deadlineMs?: number
  /** Whether a second attempt does no harm. */
  readonly repeatable: boolean
  /** The caller's own wish to stop. */
  readonly signal?: AbortSignal
}

/** An engine as this isolate knows it; one instance for each, kept between requests. */
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
  /** When the place of each call under way ends by itself. */
  #places: number[] = []

  /**
   * @param name as shown in messages, e.g. `The local model`
   * @param hint what a person can check when it fails
   */
  constructor(name: string, hint: string | EngineHint, policy: Partial<EnginePolicy> = {}, clock: EngineClock = CLOCK) {
    this.name = name
    this.#hint = typeof hint === 'string' ? { reach: hint } : hint
    this.#policy = { ...DEFAULT_POLICY, ...policy }
    this.#clock = clock
  }

  /** Closed: calls go through. Open: they fail at once. Half open: one call may try. */
  get state(): BreakerState {
    if (this.#failed < this.#policy.failures) return 'closed'
    return this.#clock.now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Why the last call failed; null after a success. */
  get lastFailure(): FailureKind | null {
    return this.#lastKind
  }

  /** What the last call showed to be wrong with the engine or its settings, not with one request; null: nothing. */
  get problem(): string | null {
    return this.#problem
  }

  /**
   * Calls the engine under the policy.
   * @param attempt gets a signal that fires at the deadline; throws EngineFailure, anything else counts as unreachable
   * @throws CoordinatorError `engine_unavailable`, with `retryAfter` in seconds when that is known; it comes within the deadline
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
   * Calls an engine that answers piece by piece. It counts as a success only when the pieces end by themselves.
   * @param open gets a signal that fires at the deadline of the whole stream, and when the caller stops reading
   * @throws CoordinatorError as {@link Engine.call}, at any piece
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
      // One that was still answering is slow, not broken.
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
      // Ends what a caller left half read.
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

  /** Waits for a place by the clock: a request that is cancelled never tells that it is over. */
  async #place(deadline: number, deadlineMs: number, signal: AbortSignal | undefined): Promise<() => void> {
    const patientUntil = deadline - deadlineMs * (1 - WAITING_SHARE)
    while (true) {
      const free = this.#enter(deadline)
      if (free) return free
      if (signal?.aborted) throw this.#error('was not asked: the caller went away')
      if (this.#clock.now() >= patientUntil) throw this.#error('has too many calls under way', 1000)
      await this.#clock.sleep(LOOK_AGAIN_MS * (0.5 + this.#clock.random()))
    }
  }

  /** Takes a place; null: all are taken. */
  #enter(deadline: number): (() => void) | null {
    const now = this.#clock.now()
    const state = this.state
    if (state === 'open' || (state === 'half-open' && now < this.#probeUntil)) {
      const wait = Math.max(this.#openUntil, state === 'half-open' ? this.#probeUntil : 0) - now
      throw this.#error('is left alone for a moment because it failed repeatedly', wait)
    }
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

/** Whether a call ended because its deadline was there. */
export function isTimeout(error: unknown): boolean {
  return error instanceof CoordinatorError && error.cause instanceof EngineFailure && error.cause.kind === 'timeout'
}

/** Ends with the signal, whatever the work does. */
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
