import { afterEach, describe, expect, test, vi } from 'vitest'
import { readSettings } from '../../src/settings.ts'
import type { Problem } from '../../src/transports/problem.ts'
import { post, send } from './small-table.ts'

const { MAX_BODY_BYTES } = readSettings({})

async function problem(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const body = (await response.json()) as Problem
  expect(body.status).toBe(response.status)
  expect(body.request_id).toBe(response.headers.get('x-request-id'))
  expect(body.type).toBe(`/docs/errors#${body.code}`)
  return body
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('bodies', () => {
  test('a valid body reaches the operation with its defaults', async () => {
    const response = await post('/query', { query: 'hello' })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ query: 'hello', limit: 5, project: 'default', caller: 'open' })
  })

  test('an alias represents its field', async () => {
    expect(await (await post('/query', { prompt: 'hello' })).json()).toMatchObject({ query: 'hello' })
  })

  test('an alias that contradicts its field is rejected', async () => {
    expect(await problem(await post('/query', { prompt: 'a', query: 'b' }))).toMatchObject({
      status: 400,
      field: 'prompt',
    })
  })

  test.each([
    ['{"query": }', 'line 1, column 11'],
    ['{\n  "query": "a",\n}', 'line 3, column 1'],
    ['{"query": "a"', 'line 1, column 14'],
    ["{'query': 1}", 'line 1, column 2'],
    ['{"query": "a"} x', 'line 1, column 16'],
  ])('the error position of malformed JSON %j is reported', async (body, where) => {
    const found = await problem(await post('/query', body))
    expect(found).toMatchObject({ status: 400, code: 'invalid_input', field: 'body' })
    expect(found.detail).toContain(where)
  })

  test.each(['[]', '"text"', '7', 'null', 'true'])('the body %s is not an object', async (body) => {
    expect(await problem(await post('/query', body))).toMatchObject({ status: 400, field: 'body' })
  })

  test('bytes that are not UTF-8 are rejected', async () => {
    const response = await send('/query', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    })
    expect(await problem(response)).toMatchObject({ status: 400, detail: 'The body is not valid UTF-8.' })
  })

  test('a missing body is the empty input if it is declared as JSON', async () => {
    const headers = { 'Content-Type': 'application/json' }
    expect(await problem(await send('/query', { method: 'POST', headers }))).toMatchObject({
      status: 400,
      field: 'query',
    })
    expect(await problem(await send('/query', { method: 'POST' }))).toMatchObject({
      status: 415,
      field: 'Content-Type',
    })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
    'the type %s is rejected',
    async (type) => {
      const response = await send('/query', {
        method: 'POST',
        headers: { 'Content-Type': type },
        body: '{"query":"a"}',
      })
      expect(await problem(response)).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    },
  )

  test('a body without a type is rejected', async () => {
    const response = await send('/query', { method: 'POST', body: new TextEncoder().encode('{"query":"a"}') })
    expect(response.status).toBe(415)
  })

  test('a compressed body is rejected', async () => {
    const found = await problem(await post('/query', '{"query":"a"}', { 'Content-Encoding': 'gzip' }))
    expect(found).toMatchObject({ status: 415, field: 'Content-Encoding' })
  })

  test.each(['application/json; charset=utf-8', 'application/vnd.x+json', 'APPLICATION/JSON'])(
    'the type %s is accepted',
    async (type) => {
      expect((await post('/query', { query: 'a' }, { 'Content-Type': type })).status).toBe(200)
    },
  )

  test('a declared length above the limit is rejected unread', async () => {
    const found = await problem(await post('/query', '{}', { 'Content-Length': String(MAX_BODY_BYTES + 1) }))
    expect(found).toMatchObject({ status: 413, code: 'payload_too_large', limit: MAX_BODY_BYTES })
  })

  test('a stream above the limit is stopped', async () => {
    let sent = 0
    const body = new ReadableStream({
      pull(controller) {
        sent += 65_536
        controller.enqueue(new Uint8Array(65_536).fill(0x20))
      },
    })
    const response = await send('/query', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    expect(await problem(response)).toMatchObject({ status: 413, limit: MAX_BODY_BYTES })
    expect(sent).toBeLessThan(MAX_BODY_BYTES + 1_000_000)
  })

  test('deep nesting is only a wrong type', async () => {
    const depth = 200_000
    expect((await problem(await post('/query', `{"query":${'['.repeat(depth)}${']'.repeat(depth)}}`))).field).toBe(
      'query',
    )
  })
})

describe('input', () => {
  test.each([
    [{}, 'query'],
    [{ query: '' }, 'query'],
    [{ query: 7 }, 'query'],
    [{ query: 'x'.repeat(1001) }, 'query'],
    [{ query: 'a', limit: 0 }, 'limit'],
    [{ query: 'a', limit: -1 }, 'limit'],
    [{ query: 'a', limit: 1e9 }, 'limit'],
    [{ query: 'a', limit: 1.5 }, 'limit'],
    [{ query: 'a', limit: 'five' }, 'limit'],
    [{ query: 'a', other: 1 }, 'other'],
    [{ query: 'a', constructor: 1 }, 'constructor'],
  ])('%j reports the field %s', async (body, field) => {
    const found = await problem(await post('/query', body))
    expect(found).toMatchObject({ status: 400, code: 'invalid_input', field })
    expect(found.detail).toMatch(/\.$/)
  })

  test('limits are reported as numbers', async () => {
    expect(await problem(await post('/query', { query: 'a', limit: 101 }))).toMatchObject({ limit: 100 })
  })
})

describe('query strings', () => {
  const input = async (query: string) => ((await (await send(`/things?${query}`)).json()) as { input: object }).input

  test.each([
    ['', { limit: 5, project: 'default' }],
    ['limit=7', { limit: 7 }],
    ['threshold=0.25', { threshold: 0.25 }],
    ['threshold=1e-3', { threshold: 0.001 }],
    ['whole=true', { whole: true }],
    ['whole=0', { whole: false }],
    ['tags=a', { tags: ['a'] }],
    ['tags=a&tags=b', { tags: ['a', 'b'] }],
    ['tags=a,b', { tags: ['a', 'b'] }],
    ['numbers=1,2&numbers=3', { numbers: [1, 2, 3] }],
    ['filter=%7B%22language%22%3A%22rust%22%7D', { filter: { language: 'rust' } }],
    ['either=7', { either: 7 }],
    ['either=seven', { either: 'seven' }],
  ])('%s', async (query, expected) => {
    expect(await input(query)).toMatchObject(expected)
  })

  test.each([
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['limit=0x10', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=0', 'limit'],
    ['limit=1000000000', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['threshold=NaN', 'threshold'],
    ['threshold=1e999', 'threshold'],
    ['whole=maybe', 'whole'],
    ['numbers=1,two', 'numbers[1]'],
    ['filter=%7B', 'filter'],
    ['limit=1&limit=2', 'limit'],
    ['other=1', 'other'],
    ['__proto__=1', '__proto__'],
  ])('%s is rejected, naming %s', async (query, field) => {
    expect(await problem(await send(`/things?${query}`))).toMatchObject({ status: 400, code: 'invalid_input', field })
  })

  test('a path parameter is decoded, and cannot be contradicted', async () => {
    expect(await (await send('/things/a%20b')).json()).toEqual({ id: 'a b' })
    expect(await problem(await send('/things/a?id=b'))).toMatchObject({ status: 400, field: 'id' })
    expect(await problem(await post('/feedback/i1', { interaction_id: 'i2', rating: 1 }))).toMatchObject({
      field: 'interaction_id',
    })
  })

  test('a literal path takes precedence over a parameter', async () => {
    expect(await (await send('/things/latest')).json()).toEqual({ latest: true })
  })

  test('a query string adds nothing to the body of a POST', async () => {
    expect(await problem(await post('/query?project=p&limit=9', { query: 'a' }))).toMatchObject({
      status: 400,
      field: 'project',
    })
  })
})

describe('routing', () => {
  test('an unknown path gets a hint where to look', async () => {
    const found = await problem(await send('/nothing'))
    expect(found).toMatchObject({ status: 404, code: 'not_found' })
    expect(found.hint).toContain('/docs')
    expect(found.hint).toContain('/openapi.json')
  })

  test.each([
    ['GET', '/query', 'POST'],
    ['PUT', '/things/1', 'GET, HEAD'],
    ['DELETE', '/things', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['GET', '/feedback', 'POST'],
    ['POST', '/learning/datasets/1/download', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
  ])('%s %s is answered with Allow', async (method, path, allow) => {
    const response = await send(path, { method })
    expect(response.headers.get('allow')).toBe(allow)
    expect(await problem(response)).toMatchObject({ status: 405, code: 'method_not_allowed' })
  })

  test('HEAD is answered without a body', async () => {
    const response = await send('/things', { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  test('text is answered with its own media type', async () => {
    const response = await send('/metrics')
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    expect(await response.text()).toBe('up 1\n')
  })

  test('/feedback accepts a correction or an outcome', async () => {
    expect(await (await post('/feedback', { query: 'q', correction: 'c' })).json()).toEqual({ feedback_id: 'f' })
    expect(await (await post('/feedback', { interaction_id: 'i', outcome: 'success' })).json()).toEqual({
      status: 'updated',
    })
    expect(await (await post('/feedback/i', { rating: 1 })).json()).toEqual({ interaction_id: 'i', rating: 1 })
    expect(await problem(await post('/feedback', {}))).toMatchObject({ status: 400, field: 'correction' })
    expect(await problem(await post('/feedback', { interaction_id: 'i', outcome: 'great' }))).toMatchObject({
      field: 'outcome',
    })
  })
})

describe('request ids', () => {
  test('a valid one is echoed', async () => {
    const response = await send('/health', { headers: { 'X-Request-ID': 'abc-123' } })
    expect(response.headers.get('x-request-id')).toBe('abc-123')
  })

  test.each(['has space', 'é', 'x'.repeat(129)])('%j is replaced', async (id) => {
    const response = await send('/nothing', { headers: { 'X-Request-ID': id } })
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    await problem(response)
  })
})

describe('failures', () => {
  test.each(['fault', 'database'])('a %s is logged and not shown', async (how) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const found = await problem(await post('/fail', { how }, { 'X-Request-ID': 'r-1' }))
    expect(found).toMatchObject({ status: 500, code: 'internal' })
    expect(JSON.stringify(found)).not.toMatch(/undefined|secret|hunter2|at /)
    expect(log).toHaveBeenCalledOnce()
    const line = JSON.parse(String(log.mock.calls[0]?.[0]))
    expect(line).toMatchObject({ level: 'error', request_id: 'r-1' })
    expect(JSON.stringify(line)).not.toContain('hunter2')
  })

  test('an engine that is down is reported', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    expect(await problem(await post('/fail', { how: 'engine' }))).toMatchObject({
      status: 503,
      code: 'engine_unavailable',
    })
  })

  test('a limit states when to retry', async () => {
    const response = await post('/fail', { how: 'limited' })
    expect(response.headers.get('retry-after')).toBe('8')
    expect(await problem(response)).toMatchObject({ status: 429, retry_after: 7.2 })
  })

  test('missing data is not found', async () => {
    expect(await problem(await send('/things/none'))).toMatchObject({
      status: 404,
      code: 'not_found',
      field: 'id',
      hint: 'List them.',
    })
  })
})
