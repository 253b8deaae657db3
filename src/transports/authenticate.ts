/**
 * Identifies the caller: by a key, or as loopback if no key is configured.
 * @module
 */
import { CoordinatorError } from '../errors.ts'
import type { Caller } from '../operations/operation.ts'
import { digestOf } from '../security/api-key.ts'

/** Finds the caller of a presented key by the key's SHA-256. Returns null for unknown keys. */
export type KeyLookup = (digest: ArrayBuffer, key: string) => Promise<Caller | null>

/** The caller on the loopback interface of a coordinator without a key. */
export const OPEN_CALLER: Caller = { id: 'open', scopes: ['admin'], project: null }

/** The caller of public resources, such as `/health`. */
export const PUBLIC_CALLER: Caller = { id: 'public', scopes: ['read'], project: null }

const ADMIN_CALLER: Caller = { id: 'admin', scopes: ['admin'], project: null }
/** Names of the local machine. */
export const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]']
/** Addresses of the local machine, as in `CF-Connecting-IP`. */
export const LOOPBACK_ADDRESSES: readonly string[] = ['127.0.0.1', '::1', '::ffff:127.0.0.1']

/** The digest, not its promise: one that a cancelled request has left unfinished would block all later requests. */
let configured: { readonly key: string; readonly digest: ArrayBuffer } | null = null

/** The look-up for `HYBRID_API_KEY`. Compares digests of equal length in constant time. */
export function configuredKey(key: string): KeyLookup {
  return async (digest) => {
    if (configured?.key !== key) configured = { key, digest: await digestOf(key) }
    return crypto.subtle.timingSafeEqual(digest, configured.digest) ? ADMIN_CALLER : null
  }
}

/**
 * Authenticates a request by `X-API-Key` or `Authorization: Bearer`.
 * @param lookups look-ups to try; empty: only loopback requests are served
 * @param origins other origins whose pages may call a coordinator without a key
 * @throws CoordinatorError `unauthorized`, or `forbidden` for a page of another origin that calls a coordinator without
 *   a key
 */
export async function authenticate(
  request: Request,
  lookups: readonly KeyLookup[],
  origins: readonly string[] = [],
): Promise<Caller> {
  if (lookups.length === 0) return openCaller(request, origins)
  const key = presentedKey(request.headers)
  if (key === null) {
    throw new CoordinatorError('unauthorized', 'This coordinator needs an API key.', {
      hint: 'Send it as `X-API-Key: <key>` or `Authorization: Bearer <key>`.',
    })
  }
  const digest = await digestOf(key)
  for (const lookup of lookups) {
    const caller = await lookup(digest, key)
    if (caller) return caller
  }
  throw new CoordinatorError('unauthorized', 'This API key is not known here, has expired or was revoked.', {
    hint: 'Check the key; the admin key is what was given to `npx wrangler secret put HYBRID_API_KEY`.',
  })
}

/** The key in a request; null if there is none. */
export function presentedKey(headers: Headers): string | null {
  const key = headers.get('x-api-key')?.trim()
  if (key) return key
  return /^Bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '')?.[1] ?? null
}

/** Whether a request was sent to this machine by one of its loopback names. */
export function isLoopback(request: Request): boolean {
  const host = request.headers.get('host')
  const address = request.headers.get('cf-connecting-ip')
  return (
    LOOPBACK_NAMES.includes(new URL(request.url).hostname) &&
    (host === null || LOOPBACK_NAMES.includes(hostname(host))) &&
    (address === null || LOOPBACK_ADDRESSES.includes(address))
  )
}

/**
 * Whether a request comes from no page, from one of this coordinator's own pages, or from an allowed origin. Prevents
 * pages of other sites, and of other programs on the same machine, from accessing a coordinator on the visitor's
 * machine (DNS rebinding, MCP 2026-07-28, transports, security; Fetch Metadata, section 2). All loopback names count as
 * one host, but their ports are distinct.
 */
export function isOwnOrigin(request: Request, origins: readonly string[] = []): boolean {
  const origin = request.headers.get('origin')
  if (origin !== null && origins.includes(origin)) return true
  if (origin === null || origin === '') return !isFromAnotherPage(request)
  const url = URL.canParse(origin) ? new URL(origin) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false
  return hostOf(url) === hostOf(new URL(request.url))
}

/**
 * Whether the browser reports that another site's page sent this request. Following a link to one of our pages doesn't
 * count.
 */
function isFromAnotherPage({ headers, method }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site === null || site === 'same-origin' || site === 'none') return false
  return method !== 'GET' || headers.get('sec-fetch-mode') !== 'navigate'
}

/**
 * A host with its port. On the local machine, each port is a separate program; elsewhere, a proxy may terminate TLS.
 */
function hostOf({ hostname, port, protocol }: URL): string {
  if (!LOOPBACK_NAMES.includes(hostname)) return `${hostname}:${port}`
  return `localhost:${port || (protocol === 'https:' ? 443 : 80)}`
}

function openCaller(request: Request, origins: readonly string[]): Caller {
  if (!isLoopback(request)) {
    throw new CoordinatorError(
      'unauthorized',
      'This coordinator has no API key yet, so it serves its own machine only.',
      {
        hint: 'Set one with `npx wrangler secret put HYBRID_API_KEY`, then send it as `Authorization: Bearer <key>`.',
      },
    )
  }
  assertOwnOrigin(request, origins)
  return OPEN_CALLER
}

/** @throws CoordinatorError `forbidden` if a page of another site sent the request */
export function assertOwnOrigin(request: Request, origins: readonly string[] = []): void {
  if (isOwnOrigin(request, origins)) return
  throw new CoordinatorError('forbidden', 'Pages of other sites may not call this coordinator.', {
    field: 'Origin',
    hint: 'Call it from a program, or from a page that it serves itself or that ALLOWED_ORIGINS names.',
  })
}

function hostname(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
}
