/**
 * How many requests of one key are under way at once.
 *
 * Counted in each isolate, in memory: a count for the whole world would cost every request a round trip, and what has to be kept
 * from drowning, the memory and the engines of a Worker, is the isolate's too.
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { CoordinatorError } from '../errors.ts'
import { readSettings } from '../settings.ts'
import { OPEN_CALLER, PUBLIC_CALLER } from './authenticate.ts'
import type { AppEnv } from './context.ts'

const LIMIT = 'CONCURRENT_REQUESTS_PER_KEY'
/** Seconds after which a refused caller may try again. */
const RETRY_S = 1

/**
 * A request under way renews its place this often, and a place that was not renewed for so long is free, in milliseconds. A client that
 * disconnects frees its place by the signal of its request. Where none comes, nothing that was to run after the request runs, its timers
 * included, and the place ends by the clock.
 */
const RENEW_MS = 2_000
const LEASE_MS = 15_000
/** Pieces of a streamed answer that are taken ahead of its reader, so that a short one has ended when it was made. */
const AHEAD = 16

/** The requests of each key that are under way, and when each was last known to be. */
const underWay = new Map<string, Set<{ renewed: number }>>()

/**
 * Lets so many requests of a key through at once. A streamed answer is under way until its last byte was read.
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

/** The same stream; `ended` is called when it has ended, broken or was given up. */
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
