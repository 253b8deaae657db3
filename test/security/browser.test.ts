import { beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { routesOf } from '../../src/transports/rest.ts'
import { type Prepared, prepare, SAMPLES } from '../transports/samples.ts'
import { fetchWorker } from '../transports/worker-client.ts'
import { contentOfDatabase } from './keyed-worker.ts'

/** What pages in a browser can do to a keyless coordinator on the visitor's machine: nothing. */

let prepared: Prepared

beforeAll(async () => {
  prepared = await prepare('browser')
})

const routes = routesOf(OPERATIONS)
  .filter(({ route }) => route.method === 'POST')
  .map(({ operation, route }) => [`${route.method} ${route.path}`, operation.name, route.path] as const)

/** A request with the sample's fields, sent in one of the ways that need no preflight. */
function simple(name: string, path: string, where: 'query' | 'text', headers: Record<string, string>): Request {
  const input = { ...SAMPLES[name]?.(prepared) }
  let filled = path
  for (const [field, value] of Object.entries(input))
    filled = filled.replace(`{${field}}`, encodeURIComponent(String(value)))
  const url = new URL(filled, 'http://localhost')
  if (where === 'text') {
    return new Request(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'text/plain' },
      body: JSON.stringify(input),
    })
  }
  for (const [field, value] of Object.entries(input)) {
    url.searchParams.set(field, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  return new Request(url, { method: 'POST', headers })
}

describe('every POST of an operation', () => {
  test.each(routes)('%s is rejected if it is not JSON, and changes nothing', async (_, name, path) => {
    const before = await contentOfDatabase()
    for (const where of ['query', 'text'] as const) {
      for (const headers of [
        {},
        { origin: 'http://localhost' },
        { origin: 'http://localhost:3000' },
        { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      ]) {
        const response = await fetchWorker(simple(name, path, where, headers as Record<string, string>))
        expect([403, 415], `${where} ${JSON.stringify(headers)}`).toContain(response.status)
      }
    }
    expect(await contentOfDatabase()).toBe(before)
  })

  test.each(routes)('%s takes no input from the query string', async (_, name, path) => {
    const request = simple(name, path, 'query', { 'content-type': 'application/json' })
    const response = await fetchWorker(
      new Request(`${request.url}${request.url.includes('?') ? '&' : '?'}x=1`, request),
    )
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('query string')
  })
})

test.each(['/feedback', '/mcp', '/v1/chat/completions', '/v1/responses', '/v1/embeddings'])(
  'POST %s is rejected if it is not JSON',
  async (path) => {
    const bodies: { body: string; headers: Record<string, string> }[] = [
      { body: JSON.stringify({ query: 'q', correction: 'c' }), headers: { 'content-type': 'text/plain' } },
      { body: 'query=q&correction=c', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { headers: { origin: 'http://localhost:3000', 'content-type': 'application/json' }, body: '{}' },
    ]
    for (const init of bodies) {
      const response = await fetchWorker(new Request(`http://localhost${path}`, { method: 'POST', ...init }))
      expect([403, 415]).toContain(response.status)
    }
  },
)

test('read-only operations use GET: no GET route changes what users store', () => {
  const changing = routesOf(OPERATIONS).filter(
    ({ operation, route }) => route.method === 'GET' && !operation.annotations.readOnlyHint,
  )
  expect(changing.map(({ route }) => route.path)).toEqual([])
})
