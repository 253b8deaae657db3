/**
 * Sends parts in batches within the limits of a request, with a few concurrent requests. A request that is rejected as
 * a whole is halved until the faulty part is isolated.
 * @module
 */
import { HttpError } from '../shared/http.ts'

/** Limits of one request. */
export interface BatchLimits {
  parts: number
  items: number
  /** Maximum size of the JSON body, in bytes. */
  bytes: number
}

/** Maximum number of concurrent requests. */
const CONCURRENCY = 3

/** Options of a sender. */
export interface SenderOptions<P> {
  limits: BatchLimits
  /** Items and body bytes of one part. */
  measure: (part: P) => { items: number; bytes: number }
  /** Sends one batch. It processes the answer itself. */
  send: (parts: P[]) => Promise<void>
  /** Called for a part that no request can carry, or that makes the coordinator reject its request. */
  reject: (part: P, reason: string) => void
}

/** Collects parts and sends them. */
export interface Sender<P> {
  /** Adds a part. Waits while too many requests are in progress. */
  add(part: P): Promise<void>
  /**
   * Sends the remaining parts and waits for every answer. Rejects with the first error that doesn't concern a single
   * part.
   */
  flush(): Promise<void>
}

/** Statuses with which a coordinator rejects a body rather than a caller. */
const REFUSED_BODY: ReadonlySet<number> = new Set([400, 413, 422])

function isOnePartsFault(error: unknown): error is HttpError {
  if (!(error instanceof HttpError) || !REFUSED_BODY.has(error.status)) return false
  const field = error.problem.field ?? ''
  // A field in capitals is a limit of the whole project, such as PROJECT_ITEMS.
  if (/^[A-Z][A-Z_]+$/.test(field)) return false
  return !['project', 'collection', 'source'].includes(field) && !/collection/.test(error.problem.code ?? '')
}

/** Size of a value as UTF-8 JSON, in bytes. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/** Creates a sender for parts of one kind (documents, or single items). */
export function createSender<P>(options: SenderOptions<P>): Sender<P> {
  const { limits, measure, reject } = options
  const flying = new Set<Promise<void>>()
  let failure: { error: unknown } | undefined
  let batch: P[] = []
  let items = 0
  let bytes = 0

  async function deliver(parts: P[]): Promise<void> {
    try {
      await options.send(parts)
    } catch (error) {
      const [only] = parts
      if (!isOnePartsFault(error) || only === undefined) throw error
      if (parts.length === 1) return reject(only, error.message)
      const half = Math.ceil(parts.length / 2)
      await deliver(parts.slice(0, half))
      await deliver(parts.slice(half))
    }
  }

  async function launch(): Promise<void> {
    const parts = batch
    batch = []
    items = 0
    bytes = 0
    if (parts.length === 0) return
    while (flying.size >= CONCURRENCY) await Promise.race(flying)
    if (failure) throw failure.error
    const flight: Promise<void> = deliver(parts)
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => flying.delete(flight))
    flying.add(flight)
  }

  return {
    async add(part) {
      if (failure) throw failure.error
      const size = measure(part)
      if (size.items > limits.items || size.bytes > limits.bytes) return reject(part, 'larger than one request may be')
      const full =
        batch.length + 1 > limits.parts || items + size.items > limits.items || bytes + size.bytes > limits.bytes
      if (full) await launch()
      batch.push(part)
      items += size.items
      bytes += size.bytes + 1
    },
    async flush() {
      await launch()
      await Promise.all(flying)
      if (failure) throw failure.error
    },
  }
}
