import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Env } from '../../src/env.ts'
import { readSettings } from '../../src/settings.ts'
import { DEFAULT_TOOLS } from '../../src/transports/mcp/tools.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { KEY, post, SMALL_TABLE, send, smallApp } from './small-table.ts'

const { MAX_BODY_BYTES } = readSettings({})

const fetch = async (request: Request) => smallApp.fetch(request, env)

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(CLIENTS)('%s', (name) => {
  let client: TestClient

  beforeAll(async () => {
    client = await connect(name, fetch, {}, '/mcp?tools=all')
    return () => client.close()
  })

  test('negotiates its protocol', () => {
    expect(client.protocol()).toBe(name === CLIENTS[2] ? '2026-07-28' : '2025-11-25')
    expect(client.instructions()).toContain('augment_query')
  })

  test('lists every operation with its input schema, title and annotations', async () => {
    const tools = await client.listTools()
    expect(tools.map((tool) => tool.name)).toEqual(SMALL_TABLE.map((operation) => operation.name))
    for (const tool of tools) {
      expect(tool.title).toBeTruthy()
      expect(tool.inputSchema).toMatchObject({ type: 'object' })
      expect(tool).not.toHaveProperty('outputSchema')
      expect(tool.annotations).toHaveProperty('readOnlyHint')
      expect(JSON.stringify(tool)).not.toContain('$schema')
    }
  })

  test('gets a result as structure and as text', async () => {
    const result = await client.call('route_query', { query: 'hello' })
    const expected = { query: 'hello', limit: 5, project: 'default', caller: 'open' }
    expect(result.isError).toBeFalsy()
    expect(result.structuredContent).toEqual(expected)
    expect(JSON.parse(result.content[0]?.text ?? '')).toEqual(expected)
  })

  test('gets an augmented prompt as plain text first, once', async () => {
    const { content, structuredContent } = await client.call('augment_query', { query: 'hello' })
    expect(content[0]?.text).toBe('hello\n\nNo context.')
    expect(JSON.parse(content[1]?.text ?? '')).toEqual({ context_ids: [] })
    expect(structuredContent).toEqual({ augmented_prompt: 'hello\n\nNo context.', context_ids: [] })
  })

  test.each([
    ['route_query', {}, 'query'],
    ['route_query', { query: 'a', limit: 0 }, 'limit'],
    ['route_query', { query: 'a', other: 1 }, 'other'],
    ['update_outcome', { interaction_id: 'i', outcome: 'great' }, 'outcome'],
  ])('gets the same error as REST from %s %j', async (tool, input, field) => {
    const result = await client.call(tool, input)
    expect(result.isError).toBe(true)
    expect(result.structuredContent).toBeUndefined()
    const path = tool === 'route_query' ? '/query' : '/update_outcome'
    const { request_id: _, ...rest } = (await (await post(path, input)).json()) as { request_id: string }
    expect(JSON.parse(result.content[0]?.text ?? '')).toEqual({ ...rest, request_id: expect.any(String) })
    expect(rest).toMatchObject({ code: 'invalid_input', field })
  })

  test('gets a fault without its cause', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const result = await client.call('fail', { how: 'database' })
    expect(result.isError).toBe(true)
    expect(JSON.parse(result.content[0]?.text ?? '')).toMatchObject({ code: 'internal', status: 500 })
    expect(JSON.stringify(result)).not.toMatch(/secret|hunter2/)
  })

  test('gets the name of an unknown tool', async () => {
    await expect(client.call('no_such_tool', {})).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('no_such_tool'),
    })
  })

  test('lists resources and templates', async () => {
    expect((await client.listResources()).map(({ uri }) => uri)).toContain('knowledge://collections')
    expect((await client.listTemplates()).map(({ uriTemplate }) => uriTemplate)).toEqual([
      'knowledge://{project}/{collection}',
      'knowledge://{project}/{collection}/{id}',
    ])
    await expect(client.readResource('knowledge://nothing')).rejects.toMatchObject({ code: -32602 })
  })

  test('gets completions for collections', async () => {
    const template = 'knowledge://{project}/{collection}'
    expect(await client.complete(template, { name: 'collection', value: 'best' })).toEqual(['best-practices'])
    expect(await client.complete(template, { name: 'collection', value: '' })).toHaveLength(6)
    expect(await client.complete(template, { name: 'project', value: '' })).toEqual([])
  })

  test('gets the prompts filled in', async () => {
    expect(await client.prompt('answer_with_context', { query: 'hello' })).toContain('hello\n\nNo context.')
    expect(await client.prompt('record_outcome', { interaction_id: 'i-1' })).toContain('"i-1"')
    await expect(client.prompt('record_outcome', {})).rejects.toMatchObject({ code: -32602 })
    await expect(client.prompt('nothing', {})).rejects.toMatchObject({ code: -32602 })
  })
})

describe('the tools that a connection lists', () => {
  const names = async (path: string, variables: Partial<Env> = {}, headers: Record<string, string> = {}) => {
    const client = await connect(
      CLIENTS[2],
      async (request) => smallApp.fetch(request, { ...env, ...variables }),
      headers,
      path,
    )
    const tools = await client.listTools()
    await client.close()
    return tools
  }

  test('are the default set, unless the URL or the setting lists groups', async () => {
    const known = SMALL_TABLE.map(({ name }) => name).filter((name) => name in DEFAULT_TOOLS)
    expect((await names('/mcp')).map(({ name }) => name)).toEqual(known)
    expect(await names('/mcp?tools=context')).toHaveLength(SMALL_TABLE.length)
    expect(await names('/mcp', { MCP_TOOLS: 'all' })).toHaveLength(SMALL_TABLE.length)
    expect(await names('/mcp?tools=default', { MCP_TOOLS: 'all' })).toHaveLength(known.length)
  })

  test('can be called without being listed', async () => {
    const client = await connect(CLIENTS[0], fetch)
    const result = await client.call('get_thing', { id: 'a' })
    expect(result.structuredContent).toEqual({ id: 'a' })
    await client.close()
  })

  test('reports the name of an unknown group', async () => {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const response = await post('/mcp?tools=magic', list, { Accept: '*/*' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ field: 'tools', hint: expect.stringContaining('knowledge') })
  })
})

describe('a connection that is bound to a project', () => {
  const open = (path: string, headers: Record<string, string> = {}) => connect(CLIENTS[2], fetch, headers, path)

  test.each([
    ['its path', '/mcp/hono', {}],
    ['its header', '/mcp', { 'X-Hybrid-Project': 'hono' }],
    ['both', '/mcp/hono?tools=all', { 'X-Hybrid-Project': 'hono' }],
  ])('by %s uses that project in every call', async (_, path, headers) => {
    const client = await open(path, headers)
    expect(client.instructions()).toContain('project hono')
    for (const tool of await client.listTools()) expect(tool.inputSchema).not.toHaveProperty('properties.project')
    expect((await client.call('route_query', { query: 'q' })).structuredContent).toMatchObject({ project: 'hono' })
    const other = await client.call('route_query', { query: 'q', project: 'other' })
    expect(JSON.parse(other.content[0]?.text ?? '')).toMatchObject({ code: 'forbidden', field: 'project' })
    await client.close()
  })

  test('is bound over REST too', async () => {
    const answer = await (await post('/query', { query: 'q' }, { 'X-Hybrid-Project': 'hono' })).json()
    expect(answer).toMatchObject({ project: 'hono' })
  })

  test.each([
    ['/mcp/a%20b', {}, 400, 'project'],
    ['/mcp/..%2Fx', {}, 400, 'project'],
    ['/mcp/%zz', {}, 400, 'project'],
    ['/mcp', { 'X-Hybrid-Project': 'a b' }, 400, 'X-Hybrid-Project'],
    ['/mcp/hono', { 'X-Hybrid-Project': 'other' }, 400, 'X-Hybrid-Project'],
  ])('%s %j is rejected', async (path, headers, status, field) => {
    const response = await post(path, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, { Accept: '*/*', ...headers })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ field })
  })
})

describe('the endpoint', () => {
  const initialize = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const accept = { Accept: 'application/json, text/event-stream' }

  test('rejects pages of other sites', async () => {
    const response = await post('/mcp', initialize, { ...accept, Origin: 'https://evil.example' })
    expect(response.status).toBe(403)
    expect((await post('/mcp', initialize, { ...accept, Origin: 'null' })).status).toBe(403)
    expect((await post('/mcp', initialize, { ...accept, Origin: 'http://localhost' })).status).toBe(200)
  })

  test('rejects other hosts while it is open', async () => {
    const response = await send('http://evil.example/mcp', {
      method: 'POST',
      headers: { ...accept, 'Content-Type': 'application/json', Host: 'evil.example' },
      body: JSON.stringify(initialize),
    })
    expect(response.status).toBe(401)
    expect((await post('/mcp', initialize, { ...accept, Host: 'evil.example' })).status).toBe(401)
  })

  test('requires the key if there is one', async () => {
    const request = {
      method: 'POST',
      headers: { ...accept, 'Content-Type': 'application/json' },
      body: JSON.stringify(initialize),
    }
    const response = await send('/mcp', request, { HYBRID_API_KEY: KEY })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer .*resource_metadata=/)
    const authorised = { ...request, headers: { ...request.headers, Authorization: `Bearer ${KEY}` } }
    expect((await send('/mcp', authorised, { HYBRID_API_KEY: KEY })).status).toBe(200)
  })

  test.each([
    ['{"jsonrpc": ', 400, -32700],
    ['', 400, -32700],
    [`{"x":"${'x'.repeat(MAX_BODY_BYTES)}"}`, 413, -32000],
  ])('answers an unreadable body with a JSON-RPC error (%#)', async (body, status, code) => {
    const response = await post('/mcp', body, accept)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({
      jsonrpc: '2.0',
      id: null,
      error: { code, data: { status, field: 'body' } },
    })
  })

  test.each([
    ['*/*', 200],
    ['text/html, */*;q=0.8', 200],
    ['application/json, text/event-stream', 200],
    [null, 200],
    ['application/json', 406],
  ])('answers a client that accepts %s with %i', async (accepted, status) => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
    }
    expect((await post('/mcp', body, accepted === null ? {} : { Accept: accepted })).status).toBe(status)
  })

  test('answers another type of body with 415', async () => {
    expect((await post('/mcp', '{}', { ...accept, 'Content-Type': 'text/plain' })).status).toBe(415)
  })

  test.each(['GET', 'DELETE'])('answers %s with 405, because there are no sessions', async (method) => {
    expect((await send('/mcp', { method, headers: accept })).status).toBe(405)
  })

  test.each([false, true])('repeats no id longer than 256 characters (in a batch: %s)', async (inBatch) => {
    const message = { ...initialize, id: 'a'.repeat(257) }
    const response = await post('/mcp', inBatch ? [initialize, message] : message)
    const text = await response.text()
    expect(response.status).toBe(400)
    expect(JSON.parse(text)).toMatchObject({ id: null, error: { code: -32600, data: { field: 'id', limit: 256 } } })
    expect(text.length).toBeLessThan(1_000)
    const kept = await post('/mcp', { ...initialize, id: 'a'.repeat(256) })
    expect(await kept.text()).toContain('a'.repeat(256))
  })

  test('explains the protocol if a message is invalid', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    for (const body of ['[]', '7', '{}', '{"jsonrpc":"1.0","id":1,"method":"tools/list"}']) {
      const response = await post('/mcp', body, accept)
      expect(response.status).toBeLessThan(500)
      expect(response.status).toBeGreaterThanOrEqual(400)
    }
  })

  test('answers a ping of an older protocol, and tells one of the newest without its envelope what is missing', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    const older = await post('/mcp', ping, { ...accept, 'MCP-Protocol-Version': '2025-11-25' })
    expect(older.status).toBe(200)
    expect(await older.text()).toContain('"result":{}')
    const newest = await post('/mcp', ping, { ...accept, 'MCP-Protocol-Version': '2026-07-28' })
    expect(newest.status).toBe(400)
    expect(await newest.text()).toContain('_meta')
  })
})
