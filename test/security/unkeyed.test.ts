/** A deployed Worker without a key serves only its health, whatever host name is used. */
import { describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { requestOf, send } from './keyed-worker.ts'

const CLIENT = { 'CF-Connecting-IP': '203.0.113.7' }
/** Attempts to pretend to be the local machine. */
const TRICKS: readonly [string, string, Record<string, string>][] = [
  ['plainly', 'https://hybrid.example', {}],
  ['Host: localhost', 'https://hybrid.example', { Host: 'localhost' }],
  ['Host: 127.0.0.1 and a port', 'https://hybrid.example', { Host: '127.0.0.1:8787' }],
  ['a URL of the loopback', 'http://localhost', { Host: 'localhost' }],
  ['the IPv6 loopback', 'http://[::1]', { Host: '[::1]' }],
  [
    'forwarding headers',
    'http://localhost',
    { 'X-Forwarded-For': '127.0.0.1', 'X-Real-IP': '127.0.0.1', Forwarded: 'for=127.0.0.1' },
  ],
  ['X-Forwarded-Host', 'https://hybrid.example', { 'X-Forwarded-Host': 'localhost' }],
  ['two addresses', 'http://localhost', { 'CF-Connecting-IP': '127.0.0.1, 203.0.113.7' }],
  ['an Origin of the loopback', 'http://localhost', { Origin: 'http://localhost' }],
]

describe.each(TRICKS)('%s', (_, origin, headers) => {
  test('every operation is refused, with instructions for setting a key', async () => {
    for (const operation of OPERATIONS) {
      for (const route of operation.http) {
        const sample = requestOf(route, {}, { ...CLIENT, ...headers })
        const path = new URL(sample.url).pathname.replace(/%7B\w+%7D|undefined/g, 'x')
        const body = route.method === 'POST' || route.method === 'PATCH' ? '{}' : undefined
        const request = new Request(origin + path, {
          method: route.method,
          headers: sample.headers,
          ...(body && { body }),
        })
        const response = await send(request, { HYBRID_API_KEY: undefined })
        if (path === '/health') continue
        expect(response.status, `${route.method} ${path}`).toBe(401)
        expect(await response.json()).toMatchObject({
          code: 'unauthorized',
          hint: expect.stringContaining('wrangler secret put HYBRID_API_KEY'),
        })
      }
    }
    const others = [
      '/mcp',
      '/v1/models',
      '/learning/datasets/x/download',
      '/',
      '/docs',
      '/openapi.json',
      '/dashboard/app.js',
      '/authorize',
      '/oauth/token',
      '/oauth/register',
      '/.well-known/oauth-authorization-server',
      '/nothing',
    ]
    for (const path of others) {
      const response = await send(new Request(origin + path, { headers: { ...CLIENT, ...headers } }), {
        HYBRID_API_KEY: undefined,
      })
      expect(response.status, path).toBe(401)
    }
    const health = await send(new Request(`${origin}/health`, { headers: { ...CLIENT, ...headers } }), {
      HYBRID_API_KEY: undefined,
    })
    expect(health.status).toBe(200)
  })
})
