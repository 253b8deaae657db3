import { describe, expect, test, vi } from 'vitest'
import { authenticate, configuredKey, isLoopback, isOwnOrigin } from '../../src/transports/authenticate.ts'
import { KEY, send } from './small-table.ts'

const keyed = { HYBRID_API_KEY: KEY }

describe('without a key', () => {
  test.each(['http://localhost/things', 'http://127.0.0.1:8787/things', 'http://[::1]:8787/things'])(
    '%s is served',
    async (url) => {
      expect((await send(url)).status).toBe(200)
    },
  )

  test.each([
    'http://example.com/things',
    'https://hybrid.example.workers.dev/things',
    'http://localhost.example.com/things',
    'http://127.0.0.1.nip.io/things',
    'http://192.168.1.2:8787/things',
  ])('%s gets instructions for setting one', async (url) => {
    const response = await send(url)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('wrangler secret put HYBRID_API_KEY'),
    })
  })

  test('neither the Host header nor the address of the client may contradict the loopback', async () => {
    expect((await send('/things', { headers: { Host: 'evil.example' } })).status).toBe(401)
    expect((await send('/things', { headers: { 'CF-Connecting-IP': '203.0.113.7' } })).status).toBe(401)
    expect(
      (await send('/things', { headers: { 'CF-Connecting-IP': '127.0.0.1', Host: 'localhost:8787' } })).status,
    ).toBe(200)
  })

  test('a page of another site is refused', async () => {
    expect((await send('/things', { headers: { Origin: 'https://evil.example' } })).status).toBe(403)
    for (const [name, value] of [
      ['Origin', 'http://localhost:5173'],
      ['Origin', 'https://localhost:443'],
      ['Sec-Fetch-Site', 'same-site'],
      ['Sec-Fetch-Site', 'cross-site'],
    ] as const) {
      expect((await send('/things', { headers: { [name]: value } })).status, value).toBe(403)
    }
    expect((await send('/things', { headers: { Origin: 'http://localhost' } })).status).toBe(200)
    expect((await send('/things', { headers: { Origin: 'http://127.0.0.1' } })).status).toBe(200)
    expect((await send('/things', { headers: { 'Sec-Fetch-Site': 'same-origin' } })).status).toBe(200)
    const link = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }
    expect((await send('/things', { headers: link })).status).toBe(200)
  })
})

describe('with a key', () => {
  test.each<[string, Record<string, string>]>([
    ['X-API-Key', { 'X-API-Key': KEY }],
    ['Bearer', { Authorization: `Bearer ${KEY}` }],
    ['bearer in lower case', { Authorization: `bearer ${KEY}` }],
  ])('%s is served from anywhere', async (_, headers) => {
    expect((await send('https://hybrid.example/things', { headers }, keyed)).status).toBe(200)
  })

  test.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['another key', { 'X-API-Key': `${KEY}x` }],
    ['a prefix of the key', { 'X-API-Key': KEY.slice(0, -1) }],
    ['an empty key', { 'X-API-Key': '' }],
    ['Basic', { Authorization: `Basic ${btoa(`x:${KEY}`)}` }],
    ['a key in the query string', {}],
  ])('%s is refused, on the loopback too', async (name, headers) => {
    const response = await send(
      name.includes('query string') ? `/things?api_key=${KEY}` : '/things',
      { headers },
      keyed,
    )
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(JSON.stringify(await response.json())).not.toContain(KEY)
  })

  test.each(['/', '/health', '/openapi.json'])('%s is open', async (path) => {
    expect((await send(`https://hybrid.example${path}`, {}, keyed)).status).toBe(200)
  })

  test.each(['/healthz', '/health/x', '/openapi.jsonx', '/docsx', '/nothing', '/mcp'])('%s is not', async (path) => {
    expect((await send(`https://hybrid.example${path}`, {}, keyed)).status).toBe(401)
  })

  test('a key that is too short fails closed, naming the variable', async () => {
    const response = await send('/things', {}, { HYBRID_API_KEY: 'short' })
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).toContain('HYBRID_API_KEY')
    expect(text).not.toContain('short')
  })
})

describe('authenticate', () => {
  test('tries each look-up in turn', async () => {
    const other = { id: 'k1', scopes: ['read'], project: 'p' } as const
    const lookups = [configuredKey(KEY), async () => other]
    const request = (key: string) => new Request('https://hybrid.example/', { headers: { 'X-API-Key': key } })
    expect(await authenticate(request(KEY), lookups)).toMatchObject({ id: 'admin' })
    expect(await authenticate(request('another'), lookups)).toBe(other)
  })

  test('invalid origins and hosts are refused', () => {
    expect(isOwnOrigin(new Request('http://localhost/', { headers: { Origin: 'nonsense' } }))).toBe(false)
    expect(isOwnOrigin(new Request('http://localhost/', { headers: { Origin: 'file:///x' } }))).toBe(false)
    expect(isOwnOrigin(new Request('https://a.example/', { headers: { Origin: 'https://a.example' } }))).toBe(true)
    expect(isLoopback(new Request('http://localhost/', { headers: { Host: 'a b' } }))).toBe(false)
  })
})

test('a request that is cancelled while it hashes the key does not block the next one', async () => {
  const key = 'a key that no other test has used'
  const given = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
  const digest = vi.spyOn(crypto.subtle, 'digest').mockImplementationOnce(() => new Promise(() => undefined))
  void configuredKey(key)(given, key)
  digest.mockRestore()
  expect((await configuredKey(key)(given, key))?.id).toBe('admin')
})
