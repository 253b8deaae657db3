/**
 * Limits the number of concurrent requests per key.
 *
 * Requests are counted in memory, per isolate: a global count would cost every request a round trip, and the resources
 * to protect, a Worker's memory and engines, also belong to the isolate.
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { CoordinatorError } from '../errors.ts'
import { readSettings } from '../settings.ts'
import { OPEN_CALLER, PUBLIC_CALLER } from './authenticate.ts'
import type { AppEnv } from './context.ts'

const LIMIT = 'CONCURRENT_REQUESTS_PER_KEY'
/** Seconds after which a rejected caller may try again. */
const RETRY_S = 1

/**
 * A running request renews its slot every RENEW_MS milliseconds. A slot that was not renewed for LEASE_MS milliseconds
 * is free. When a client disconnects, the signal of its request frees the slot. If there is no signal, no code runs
 * after the request, including its timers, and the slot expires.
 */
const RENEW_MS = 2_000
const LEASE_MS = 15_000
/** Number of chunks of a streamed answer that are read ahead, so that a short stream ends as soon as it is produced. */
const AHEAD = 16

/** The running requests of each key, and when each last renewed its slot. */
const underWay = new Map<string, Set<{ renewed: number }>>()

/**
 * Limits the concurrent requests of a key. A streamed answer counts until its last byte is read.
 * @throws CoordinatorError `rate_limited`
 */
export const concurrencyGuard: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { caller } = c.var
  const most = readSettings(c.env)[LIMIT]
  if (most === 0 || caller === OPEN_CALLER || caller === PUBLIC_CALLER) return next()
  const own = underWay.get(caller.id) ?? new Set()
  const now = Date.now()
  for (const request of own) if (now - request.renewed > LEASE_MS) own.delete(request)
  if (own.size >= most) {
    throw new CoordinatorError('rate_limited', `Too many requests at once: the limit ${LIMIT} is ${most}.`, {
      field: LIMIT,
      limit: most,
      hint: 'Wait for some of the requests under way to end.',
      retryAfter: RETRY_S,
    })
  }
  const request = { renewed: now }
  underWay.set(caller.id, own.add(request))
  const renewal = setInterval(() => {
    request.renewed = Date.now()
  }, RENEW_MS)
  const leave = () => {
    clearInterval(renewal)
    own.delete(request)
    if (own.size === 0 && underWay.get(caller.id) === own) underWay.delete(caller.id)
  }
  c.req.raw.signal?.addEventListener('abort', leave, { once: true })
  try {
    await next()
  } catch (thrown) {
    leave()
    throw thrown
  }
  const { body } = c.res
  if (body === null || !c.res.headers.get('content-type')?.startsWith('text/event-stream')) return leave()
  c.res = new Response(whenEnded(body, leave), c.res)
}

/** The same stream. Calls `ended` when it ends, fails or is cancelled. */
function whenEnded(body: ReadableStream<Uint8Array>, ended: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          ended()
          controller.close()
        } catch (thrown) {
          ended()
          controller.error(thrown)
        }
      },
      async cancel(reason) {
        ended()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: AHEAD },
  )
}
