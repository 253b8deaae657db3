import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { consume } from '../../src/jobs/consume.ts'
import type { JobMessage } from '../../src/jobs/message.ts'
import { currentTrace, inTrace, traceFrom, traceparentOf } from '../../src/tracing.ts'
import worker from '../../src/worker.ts'
import { QdrantStub } from '../knowledge/stores/qdrant-stub.ts'
import { ADMIN_KEY, ORIGIN } from '../security/keyed-worker.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const INCOMING = `00-${TRACE_ID}-00f067aa0ba902b7-01`

afterEach(() => {
  vi.restoreAllMocks()
})

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })

describe('traceparent', () => {
  test('continues the given trace, in its own span', () => {
    fc.assert(
      fc.property(hex(32), hex(16), hex(2), (traceId, parentId, flags) => {
        fc.pre(/[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId))
        const trace = traceFrom(`00-${traceId}-${parentId}-${flags}`)
        expect(trace).toMatchObject({ traceId, parentId, sampled: Number.parseInt(flags, 16) % 2 === 1 })
        expect(trace.spanId).not.toBe(parentId)
        expect(traceFrom(traceparentOf(trace))).toMatchObject({
          traceId,
          parentId: trace.spanId,
          sampled: trace.sampled,
        })
      }),
    )
  })

  test.each([
    undefined,
    null,
    '',
    'x',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
    `${INCOMING}-more`,
    INCOMING.toUpperCase(),
    `00-${TRACE_ID}-00f067aa0ba902b7`,
  ])('that is invalid starts a new trace: %s', (header) => {
    const trace = traceFrom(header)
    expect(trace.parentId).toBeNull()
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(trace.traceId).not.toBe(TRACE_ID)
    expect(traceparentOf(trace)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
  })

  test('of a later version is read as far as possible', () => {
    expect(traceFrom(`01-${TRACE_ID}-00f067aa0ba902b7-01-more`)).toMatchObject({ traceId: TRACE_ID, sampled: true })
  })

  test('two concurrent pieces of work have separate traces', async () => {
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((digit) =>
        inTrace(traceFrom(`00-${digit.repeat(32)}-00f067aa0ba902b7-01`), async () => {
          await new Promise((resolve) => setTimeout(resolve, 5))
          return currentTrace()?.traceId
        }),
      ),
    )
    expect(seen).toEqual(['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)])
    expect(currentTrace()).toBeNull()
  })
})

async function send(
  path: string,
  body: object | null,
  variables: Record<string, unknown> = {},
  traceparent: string = INCOMING,
) {
  const context = createExecutionContext()
  const headers = {
    'X-API-Key': ADMIN_KEY,
    'Content-Type': 'application/json',
    traceparent,
    'X-Request-ID': 'r-1',
  }
  const request = new Request(ORIGIN + path, {
    method: body ? 'POST' : 'GET',
    headers,
    ...(body && { body: JSON.stringify(body) }),
  })
  const bindings = { ...env, HYBRID_API_KEY: ADMIN_KEY, KEY_LIMIT: undefined, ...variables } as unknown as Env
  const response = await worker.fetch(request, bindings, context)
  await response.clone().text()
  await waitOnExecutionContext(context)
  return response
}

test('a trace runs from the request through engines, answers and logs to the jobs that it causes', async () => {
  const engine = vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(async () => Response.json({ choices: [{ message: { content: 'A.' } }] }))
  const written = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const messages: { body: JobMessage }[] = []
  const JOBS = { sendBatch: async (batch: { body: JobMessage }[]) => void messages.push(...batch) }
  const variables = { LLAMA_CPP_BASE_URL: 'http://llama.traced', JOBS, LOG_LEVEL: 'info' }
  const question = 'What is the swordfish password?'
  const response = await send(
    '/v1/chat/completions',
    { model: 'local', messages: [{ role: 'user', content: question }] },
    variables,
  )
  expect(response.status).toBe(200)
  const own = response.headers.get('traceparent')
  expect(own).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`))
  expect(own).not.toBe(INCOMING)
  const sent = engine.mock.calls.map(([, init]) => new Headers(init?.headers).get('traceparent'))
  expect(sent).toEqual([own])
  expect(messages.map(({ body }) => body.traceparent)).toEqual([own])
  const lines = written.mock.calls.map(([line]) => String(line))
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({
      level: 'info',
      event: 'request',
      trace_id: TRACE_ID,
      request_id: 'r-1',
      method: 'POST',
      route: '/v1/chat/completions',
      status: 200,
      key: 'admin',
    }),
  ])
  expect(lines.join()).not.toMatch(/swordfish|A\./)

  written.mockClear()
  const services = buildServices({ ...env, ...variables } as unknown as Env)
  const batch = { messages: messages.map((message) => ({ ...message, ack: () => undefined, retry: () => undefined })) }
  await consume(batch as unknown as MessageBatch<JobMessage>, services)
  const jobs = written.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>)
  expect(jobs).toEqual([
    expect.objectContaining({ event: 'job', trace_id: TRACE_ID, kind: 'index_interaction', status: 'done' }),
  ])
})

test('every call to Qdrant carries the trace of its own request, and of no other', async () => {
  const stub = new QdrantStub()
  const sent = new Map<string, number>()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const traceparent = new Request(input as RequestInfo, init as RequestInit).headers.get('traceparent') ?? 'none'
    sent.set(traceparent, (sent.get(traceparent) ?? 0) + 1)
    return stub.fetch(input as RequestInfo, init as RequestInit)
  })
  const variables = { QDRANT_URL: 'http://qdrant.traced:6333', LOG_LEVEL: 'warn' }
  const store = (project: string, digit: string) => {
    const item = { key: 'k', fields: { title: project, description: 'Water the ferns on Mondays.' } }
    const input = { project, collection: 'best-practices', items: [item] }
    return send('/knowledge/items', input, variables, `00-${digit.repeat(32)}-00f067aa0ba902b7-01`)
  }
  const answers = await Promise.all([store('one', '1'), store('two', '2')])
  answers.push(
    await send(
      '/hybrid_search',
      { project: 'one', query: 'ferns' },
      variables,
      `00-${'3'.repeat(32)}-00f067aa0ba902b7-01`,
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  const own = answers.map(({ headers }) => headers.get('traceparent') ?? '')
  expect([...sent.keys()].sort()).toEqual(own.sort())
  for (const traceparent of own) expect(sent.get(traceparent)).toBeGreaterThan(0)
  expect(stub.violations).toEqual([])
})

test('the path of a request is logged as its route, and nothing is logged below LOG_LEVEL', async () => {
  const written = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  await send('/session/secret-session', null, { LOG_LEVEL: 'info' })
  expect(JSON.parse(String(written.mock.calls[0]?.[0]))).toMatchObject({ route: '/session/:session_id', status: 404 })
  expect(String(written.mock.calls[0]?.[0])).not.toContain('secret-session')
  written.mockClear()
  await send('/session/secret-session', null, { LOG_LEVEL: 'warn' })
  expect(written).not.toHaveBeenCalled()
})

test('a rejected MCP message is logged by the violated rule, not by its text, and not below LOG_LEVEL', async () => {
  const written = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const modern = {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  }
  const message = { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'secret-uri', ...modern } }
  const ask = (level: string) => send('/mcp', message, { LOG_LEVEL: level })
  expect((await ask('warn')).status).toBe(400)
  const line = JSON.parse(String(written.mock.calls[0]?.[0])) as Record<string, unknown>
  expect(line).toMatchObject({ event: 'mcp_request_rejected', rule: expect.stringMatching(/^[a-z-]+$/) })
  expect(JSON.stringify(written.mock.calls)).not.toContain('secret-uri')
  written.mockClear()
  expect((await ask('error')).status).toBe(400)
  expect(written).not.toHaveBeenCalled()
})

test('a fault is logged by its route and without the text that could not be parsed', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const KNOWLEDGE = {
    idFromName: () => {
      throw new SyntaxError('Unexpected token, "secret-text" is not valid JSON')
    },
    getByName: () => {
      throw new SyntaxError('Unexpected token, "secret-text" is not valid JSON')
    },
  }
  const path = '/knowledge/items/best-practices/0190b6f0-0000-7000-8000-000000000000'
  expect((await send(path, null, { KNOWLEDGE, QDRANT_URL: undefined })).status).toBe(500)
  const line = JSON.parse(String(written.mock.calls[0]?.[0])) as Record<string, unknown>
  expect(line).toMatchObject({ event: 'request_failed', doing: 'GET /knowledge/items/:collection/:id' })
  expect(JSON.stringify(written.mock.calls)).not.toContain('secret-text')
})
