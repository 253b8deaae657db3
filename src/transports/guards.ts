/**
 * Guards for every request: allowed hosts, allowed origins, rate limits, security headers.
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { CoordinatorError } from '../errors.ts'
import { log } from '../log.ts'
import { readSettings } from '../settings.ts'
import { LOOPBACK_ADDRESSES, OPEN_CALLER, PUBLIC_CALLER } from './authenticate.ts'
import type { AppContext, AppEnv } from './context.ts'

/** The period of the limits in wrangler.toml, in seconds. After it, a rejected caller is certain to be served again. */
const LIMIT_PERIOD_S = 60

/** Headers that scripts of allowed origins may send and read. */
const REQUEST_HEADERS =
  'Authorization, Content-Type, If-None-Match, Last-Event-ID, MCP-Method, MCP-Name, MCP-Protocol-Version, Mcp-Session-Id, Range, traceparent, X-API-Key, X-Hybrid-Project, X-Request-ID'
const ANSWER_HEADERS = 'Content-Range, ETag, Mcp-Session-Id, Retry-After, traceparent, WWW-Authenticate, X-Request-ID'

/** Headers of every answer. Pages set their own policy. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'Cross-Origin-Opener-Policy': 'same-origin',
}
const CONTENT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Sets security headers for browsers. */
export const securityHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
  if (!c.res.headers.has('Content-Security-Policy')) c.header('Content-Security-Policy', CONTENT_POLICY)
  if (new URL(c.req.url).protocol === 'https:') c.header('Strict-Transport-Security', 'max-age=31536000')
}

/**
 * Rejects hosts that are not in `ALLOWED_HOSTS`.
 * @throws CoordinatorError `forbidden`
 */
export const hostGuard: MiddlewareHandler<AppEnv> = async (c, next) => {
  const allowed = readSettings(c.env).ALLOWED_HOSTS
  const host = c.req.header('host')
  const names = [new URL(c.req.url).hostname, ...(host === undefined ? [] : [hostname(host)])]
  if (allowed.length > 0 && names.some((name) => !allowed.includes(name))) {
    throw new CoordinatorError('forbidden', 'This coordinator is not served under this host name.', {
      field: 'Host',
      hint: 'Use one of its own names; they are set in ALLOWED_HOSTS.',
    })
  }
  await next()
}

/**
 * Answers preflight requests, and lets scripts read answers, for the origins in `ALLOWED_ORIGINS` (Fetch, CORS
 * protocol).
 */
export const corsGuard: MiddlewareHandler<AppEnv> = async (c, next) => {
  const allowed = readSettings(c.env).ALLOWED_ORIGINS
  const origin = c.req.header('origin')
  const named = origin !== undefined && allowed.includes(origin)
  if (named && c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
    c.res = new Response(null, {
      status: 204,
      headers: {
        'Access-Control-Allow-Methods': 'GET, POST, PATCH, DELETE',
        'Access-Control-Allow-Headers': REQUEST_HEADERS,
        'Access-Control-Max-Age': '600',
      },
    })
  } else {
    await next()
  }
  c.header('Cross-Origin-Resource-Policy', named ? 'cross-origin' : 'same-origin')
  if (allowed.length > 0) c.header('Vary', 'Origin', { append: true })
  if (!named || origin === undefined) return
  c.header('Access-Control-Allow-Origin', origin)
  c.header('Access-Control-Expose-Headers', ANSWER_HEADERS)
}

/**
 * Counts a request by address before any other work. Requests from the local machine, as in development, are not
 * counted.
 * @throws CoordinatorError `rate_limited`
 */
export const addressLimit: MiddlewareHandler<AppEnv> = async (c, next) => {
  const address = c.req.header('cf-connecting-ip')
  if (address !== undefined && !LOOPBACK_ADDRESSES.includes(address)) {
    await count(c, 'ADDRESS_LIMIT', networkOf(address))
  }
  await next()
}

/**
 * Counts requests of a key. Loopback access without a key is not limited. Public paths, including sign-in, are limited
 * only by address, so that one caller can't exhaust them for all others.
 * @throws CoordinatorError `rate_limited`
 */
export async function countKey(c: AppContext, requests = 1): Promise<void> {
  const { caller } = c.var
  if (caller === OPEN_CALLER || caller === PUBLIC_CALLER) return
  for (let counted = 0; counted < requests; counted++) await count(c, 'KEY_LIMIT', caller.id)
}

/**
 * Counts a registration of an OAuth client, which needs no key and is stored for weeks.
 * @throws CoordinatorError `rate_limited`
 */
export async function countRegistration(c: AppContext): Promise<void> {
  const address = c.req.header('cf-connecting-ip')
  if (address === undefined || LOOPBACK_ADDRESSES.includes(address)) return
  await count(c, 'REGISTER_LIMIT', networkOf(address))
}

/** An IPv6 host can use any address of its /64, so these count as one. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length)
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}

async function count(
  { env }: AppContext,
  name: 'KEY_LIMIT' | 'ADDRESS_LIMIT' | 'REGISTER_LIMIT',
  key: string,
): Promise<void> {
  const binding = env[name]
  if (!binding) return
  const { success } = await binding.limit({ key }).catch((fault: unknown) => {
    // A failing limiter must not make the service unavailable.
    log('warn', 'limit_unavailable', { limit: name, fault: String(fault) }, readSettings(env).LOG_LEVEL)
    return { success: true }
  })
  if (success) return
  throw new CoordinatorError('rate_limited', `Too many requests: the limit ${name} is exceeded.`, {
    field: name,
    hint: `Wait as long as Retry-After says; the limit ${name} is set in wrangler.toml.`,
    retryAfter: LIMIT_PERIOD_S,
  })
}

function hostname(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
}
