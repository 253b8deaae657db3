import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/settings.ts'
import { networkOf } from '../../src/transports/guards.ts'
import { ADMIN_KEY, makeKey, messageOf, ORIGIN, send, toolRequest } from './keyed-worker.ts'

const ADMIN = { 'X-API-Key': ADMIN_KEY }

function get(path: string, headers: Record<string, string> = {}): Request {
  return new Request(`${ORIGIN}${path}`, { headers })
}

/** A limiter that allows the given number of requests per key. */
function limiter(limit: number) {
  const counts = new Map<string, number>()
  return {
    counts,
    limit: async ({ key }: { key: string }) => {
      counts.set(key, (counts.get(key) ?? 0) + 1)
      return { success: (counts.get(key) ?? 0) <= limit }
    },
  }
}

describe('rate limits', () => {
  test('of a key: 429 with Retry-After and the name of the limit, only for that key', async () => {
    const KEY_LIMIT = limiter(2)
    const { key } = await makeKey({ scopes: ['read'] })
    const call = (headers: Record<string, string>) => send(get('/collections', headers), { KEY_LIMIT })
    for (const _ of [1, 2]) expect((await call({ 'X-API-Key': key })).status).toBe(200)
    const refused = await call({ 'X-API-Key': key })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(await refused.json()).toMatchObject({ code: 'rate_limited', field: 'KEY_LIMIT', retry_after: 60 })
    expect((await send(toolRequest('list_collections', {}, { 'X-API-Key': key }), { KEY_LIMIT })).status).toBe(429)
    expect((await call(ADMIN)).status).toBe(200)
    expect([...KEY_LIMIT.counts.keys()].join(), 'the limiter is told ids, never keys').not.toContain(key)
  })

  test('of a key: each message of a batch counts, and a batch is short', async () => {
    const KEY_LIMIT = limiter(5)
    const { key } = await makeKey({ scopes: ['read'] })
    const batch = (messages: number) => {
      const list = Array.from({ length: messages }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }))
      const request = toolRequest('list_collections', {}, { 'X-API-Key': key })
      return send(new Request(request, { body: JSON.stringify(list) }), { KEY_LIMIT })
    }
    const long = await batch(21)
    expect(long.status).toBe(413)
    expect(await long.text()).toContain('20 messages')
    const served = await batch(4)
    expect(served.status, await served.text()).toBe(200)
    const refused = await batch(2)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(await refused.json()).toMatchObject({ field: 'KEY_LIMIT' })
  })

  test('of a key: no one can exhaust public paths for all others', async () => {
    const KEY_LIMIT = limiter(0)
    for (const path of ['/health', '/', '/openapi.json', '/docs', '/.well-known/oauth-protected-resource/mcp']) {
      expect((await send(get(path), { KEY_LIMIT })).status, path).toBe(200)
    }
    expect(KEY_LIMIT.counts.size).toBe(0)
    const token = new Request(`${ORIGIN}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'x' }),
    })
    expect((await send(token, { KEY_LIMIT })).status).not.toBe(429)
    const ADDRESS_LIMIT = limiter(0)
    expect((await send(get('/health', { 'CF-Connecting-IP': '203.0.113.9' }), { ADDRESS_LIMIT })).status).toBe(429)
  })

  test('of an address: counted before the key is checked', async () => {
    const ADDRESS_LIMIT = limiter(2)
    const call = (address: string, headers = {}) =>
      send(get('/collections', { 'CF-Connecting-IP': address, ...headers }), { ADDRESS_LIMIT })
    expect((await call('203.0.113.7')).status).toBe(401)
    expect((await call('203.0.113.7')).status).toBe(401)
    const refused = await call('203.0.113.7', ADMIN)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ field: 'ADDRESS_LIMIT' })
    expect((await call('203.0.113.8', ADMIN)).status).toBe(200)
    for (const _ of [1, 2, 3, 4]) expect((await call('127.0.0.1', ADMIN)).status, 'the machine itself').toBe(200)
  })

  test('let requests pass if they fail', async () => {
    const KEY_LIMIT = { limit: () => Promise.reject(new Error('out of order')) }
    expect((await send(get('/collections', ADMIN), { KEY_LIMIT })).status).toBe(200)
  })

  test('are bound in wrangler.toml and really limit', async () => {
    const { env } = await import('cloudflare:workers')
    // Twice the limit plus one, because a new period may start in between.
    let served = 0
    while (served <= 1201 && (await env.KEY_LIMIT?.limit({ key: 'one' }))?.success) served++
    expect(served).toBeGreaterThanOrEqual(600)
    expect(served).toBeLessThanOrEqual(1200)
    expect(env.ADDRESS_LIMIT).toBeDefined()
  })

  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('the address %s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('hosts', () => {
  test('that are not allowed are rejected, on every surface', async () => {
    const variables = { ALLOWED_HOSTS: 'hybrid.example, other.example' }
    expect((await send(get('/collections', ADMIN), variables)).status).toBe(200)
    expect((await send(toolRequest('list_collections', {}, ADMIN), variables)).status).toBe(200)
    for (const request of [
      new Request('https://evil.example/collections', { headers: ADMIN }),
      new Request('https://evil.example/mcp', { method: 'POST', headers: ADMIN }),
      new Request('https://evil.example/docs'),
      get('/collections', { ...ADMIN, Host: 'evil.example' }),
    ]) {
      const response = await send(request, variables)
      expect(response.status).toBe(403)
      expect(await response.json()).toMatchObject({ field: 'Host' })
    }
  })
})

describe('origins', () => {
  const variables = { ALLOWED_ORIGINS: 'https://app.example' }
  const preflight = (path: string, origin: string) =>
    new Request(`${ORIGIN}${path}`, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'x-api-key',
      },
    })

  test.each(['/mcp', '/augment_query'])('that are allowed may call %s from a page', async (path) => {
    const response = await send(preflight(path, 'https://app.example'), variables)
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(response.headers.get('access-control-allow-headers')).toContain('X-API-Key')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    expect(response.headers.get('vary')).toContain('Origin')
  })

  test.each(['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null'])(
    '%s may not',
    async (origin) => {
      for (const request of [
        preflight('/mcp', origin),
        preflight('/augment_query', origin),
        get('/collections', { ...ADMIN, Origin: origin }),
      ]) {
        const response = await send(request, variables)
        expect(response.headers.get('access-control-allow-origin')).toBeNull()
        expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin')
      }
      expect((await send(toolRequest('list_collections', {}, { ...ADMIN, Origin: origin }), variables)).status).toBe(
        403,
      )
    },
  )

  test('a page of an allowed origin can read answers, including refusals', async () => {
    const headers = { ...ADMIN, Origin: 'https://app.example' }
    const answer = await send(toolRequest('list_collections', {}, headers), variables)
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect((await messageOf(answer)).result?.isError).toBeFalsy()
    const refusal = await send(get('/collections', { Origin: 'https://app.example' }), variables)
    expect(refusal.status).toBe(401)
    expect(refusal.headers.get('access-control-allow-origin')).toBe('https://app.example')
  })

  test('no origin is allowed by default', async () => {
    const response = await send(preflight('/augment_query', 'https://app.example'))
    expect(response.status).toBe(401)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test.each([{ ALLOWED_ORIGINS: 'app.example' }, { ALLOWED_ORIGINS: '*' }, { ALLOWED_HOSTS: 'https://a.example' }])(
    'reports an invalid setting: %j',
    (env) => {
      expect(() => readSettings(env)).toThrowError(Object.keys(env)[0])
    },
  )
})

describe('security headers', () => {
  test.each(['/', '/health', '/openapi.json', '/docs', '/docs/errors', '/collections', '/nothing', '/mcp'])(
    'are set on %s',
    async (path) => {
      for (const headers of [{}, ADMIN]) {
        const response = await send(get(path, headers))
        expect(response.headers.get('x-content-type-options')).toBe('nosniff')
        expect(response.headers.get('x-frame-options')).toBe('DENY')
        expect(response.headers.get('referrer-policy')).toBe('no-referrer')
        expect(response.headers.get('strict-transport-security')).toContain('max-age=')
        const policy = response.headers.get('content-security-policy') ?? ''
        expect(policy).toMatch(/default-src '(?:none|self)'/)
        expect(policy).toContain("frame-ancestors 'none'")
        expect(policy).not.toMatch(/script-src[^;]*(?:unsafe|\*|http)/)
      }
    },
  )
})
