/**
 * Trace ids in the format of W3C Trace Context (level 1, section 3.2), which OpenTelemetry uses. They are read from a
 * request or created for it, and passed on to engines and background work.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** The position of a unit of work in a trace. */
export interface Trace {
  /** 32 hexadecimal digits, shared by all work with the same cause. */
  readonly traceId: string
  /** 16 hexadecimal digits for this unit of work. */
  readonly spanId: string
  /** The work that caused this; null: the trace starts here. */
  readonly parentId: string | null
  /** Whether the originator of the trace records it. */
  readonly sampled: boolean
}

const current = new AsyncLocalStorage<Trace>()

/** Continues the trace of a `traceparent`. Starts a new one if it is missing or invalid. */
export function traceFrom(traceparent: string | null | undefined): Trace {
  const spanId = hexId(8)
  const [, version, traceId = '', parentId = '', flags = ''] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(traceparent?.trim() ?? '') ?? []
  const valid = version !== undefined && version !== 'ff' && /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId)
  // Version 00 has nothing after the flags. Later versions may have more; their known part is read.
  if (!valid || (version === '00' && traceparent?.trim().length !== 55)) {
    return { traceId: hexId(16), spanId, parentId: null, sampled: false }
  }
  return { traceId, spanId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** A trace as `traceparent`, for calls made by this work. */
export function traceparentOf({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** Runs work within a trace: all its calls, including later ones, belong to it. */
export function inTrace<T>(trace: Trace, work: () => T): T {
  return current.run(trace, work)
}

/** The trace of the current work; null: none. */
export function currentTrace(): Trace | null {
  return current.getStore() ?? null
}

/** The header that passes the trace on; empty outside a trace. */
export function traceHeaders(): Record<string, string> {
  const trace = current.getStore()
  return trace ? { traceparent: traceparentOf(trace) } : {}
}

/**
 * The given number of random bytes, a multiple of 4, as hexadecimal digits. Ids of traces are no secrets, so they need no
 * cryptographic randomness, which costs each request half a millisecond.
 */
function hexId(bytes: number): string {
  let id = ''
  for (let i = 0; i < bytes; i += 4)
    id += Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return id
}
