/**
 * Trace ids in the form of W3C Trace Context (level 1, section 3.2), which OpenTelemetry uses: taken from a request or made for it,
 * and passed on to the engines and the background work that it causes.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** The position of a unit of work in a trace. */
export interface Trace {
  /** 32 hexadecimal digits; the same for everything that one cause sets going. */
  readonly traceId: string
  /** 16 hexadecimal digits: this piece of work. */
  readonly spanId: string
  /** The work that caused this; null: it begins here. */
  readonly parentId: string | null
  /** Whether whoever began the trace records it. */
  readonly sampled: boolean
}

const current = new AsyncLocalStorage<Trace>()

/** The trace that a `traceparent` goes on with; a new one when there is none or it can't be read. */
export function traceFrom(traceparent: string | null | undefined): Trace {
  const spanId = hexId(8)
  const [, version, traceId = '', parentId = '', flags = ''] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(traceparent?.trim() ?? '') ?? []
  const valid = version !== undefined && version !== 'ff' && /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId)
  // Version 00 has nothing after the flags; later ones may have, and are read as far as they are known.
  if (!valid || (version === '00' && traceparent?.trim().length !== 55)) {
    return { traceId: hexId(16), spanId, parentId: null, sampled: false }
  }
  return { traceId, spanId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** A trace as `traceparent`, for those that this work calls. */
export function traceparentOf({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** Does work within a trace: whatever it calls, also later, belongs to it. */
export function inTrace<T>(trace: Trace, work: () => T): T {
  return current.run(trace, work)
}

/** The trace of the work that is being done; null: outside of any. */
export function currentTrace(): Trace | null {
  return current.getStore() ?? null
}

/** The header that passes the trace on; none outside of a trace. */
export function traceHeaders(): Record<string, string> {
  const trace = current.getStore()
  return trace ? { traceparent: traceparentOf(trace) } : {}
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** So many random bytes as hexadecimal digits. */
function hexId(bytes: number): string {
  let id = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) id += HEX[byte]
  return id
}
