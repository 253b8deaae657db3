/** Every limit: what it allows, and its refusal with 429 or 413 and its name. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { reserveTokens, settleTokens } from '../../src/database/queries/quotas.ts'
import type { Env } from '../../src/env.ts'
import { ADMIN_KEY, makeKey, messageOf, ORIGIN, operationOf, requestOf, send, toolRequest } from './keyed-worker.ts'

const ADMIN = { 'X-API-Key': ADMIN_KEY }

afterEach(() => {
  vi.restoreAllMocks()
})

function call(name: string, input: Record<string, unknown>, variables: Partial<Env> = {}, headers = ADMIN) {
  return send(requestOf(operationOf(name).http[0], input, headers), variables)
}

function item(key: string, size = 10) {
  return { key, fields: { title: key, description: 'word '.repeat(size) } }
}

describe('sizes', () => {
  test('of a body: 413 with the name of the limit, on REST and MCP', async () => {
    const MAX_BODY_BYTES = '2000'
    const input = { query: 'x'.repeat(3000) }
    const refused = await call('augment_query', input, { MAX_BODY_BYTES })
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({
      code: 'payload_too_large',
      limit: 2000,
      detail: expect.stringContaining('MAX_BODY_BYTES'),
    })
    expect((await send(toolRequest('augment_query', input, ADMIN), { MAX_BODY_BYTES })).status).toBe(413)
    expect((await call('augment_query', { query: 'short' }, { MAX_BODY_BYTES })).status).toBe(200)
  })

  test('of a field, at any depth: 413 with the name of the limit and of the field', async () => {
    const variables = { MAX_FIELD_CHARACTERS: '1000' }
    const refused = await call(
      'store_knowledge',
      { project: 'sizes', collection: 'best-practices', items: [item('a', 300)] },
      variables,
    )
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({
      code: 'payload_too_large',
      field: 'items[0].fields.description',
      limit: 1000,
      detail: expect.stringContaining('MAX_FIELD_CHARACTERS'),
    })
    expect(
      (
        await call(
          'store_knowledge',
          { project: 'sizes', collection: 'best-practices', items: [item('a', 100)] },
          variables,
        )
      ).status,
    ).toBe(200)
  })

  test.each([40, 2000, 100_000])(
    'of nesting, on REST and MCP: %i levels are rejected by field and limit',
    async (levels) => {
      for (const deep of ['['.repeat(levels) + ']'.repeat(levels), `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`]) {
        const bodies: Record<string, string> = {
          '/knowledge/items': `{"project":"deep","collection":"best-practices","items":[{"key":"k","fields":{"title":"t","description":"d","x":${deep}}}]}`,
          '/knowledge/documents': `{"project":"deep","source":"s","documents":[{"path":"p","hash":"h","items":[{"key":"k","fields":{"code_snippet":"c","x":${deep}}}]}]}`,
          '/search_context': `{"project":"deep","query":"q","collection":"best-practices","filter":${deep}}`,
        }
        const json = { ...ADMIN, 'Content-Type': 'application/json' }
        for (const [path, body] of Object.entries(bodies)) {
          const refused = await send(new Request(ORIGIN + path, { method: 'POST', headers: json, body }))
          expect(refused.status, path).toBe(400)
          const problem = await refused.json()
          expect(problem).toMatchObject({ code: 'invalid_input' })
          if (path !== '/search_context')
            expect(problem, 'where the schema leaves it open').toMatchObject({ limit: 32 })
        }
        const request = toolRequest('store_knowledge', {}, ADMIN)
        const body = (await request.clone().text()).replace(
          '"arguments":{}',
          `"arguments":${bodies['/knowledge/items']}`,
        )
        const { result } = await messageOf(await send(new Request(request, { body })))
        expect(result).toMatchObject({ isError: true })
        expect(result?.content[0]?.text).toContain('deeper than 32 levels')
      }
      const stored = await call('list_knowledge', { project: 'deep', collection: 'best-practices' })
      expect(await stored.json()).toMatchObject({ items: [] })
    },
  )

  test('of a chat message: 413 with the name of the limit, before a model is called', async () => {
    const asked = vi.spyOn(globalThis, 'fetch')
    const ask = (content: unknown) =>
      send(
        new Request(`${ORIGIN}/v1/chat/completions`, {
          method: 'POST',
          headers: { ...ADMIN, 'Content-Type': 'application/json' },
          body: JSON.stringify({ model: 'local', messages: [{ role: 'user', content }] }),
        }),
        { LLAMA_CPP_BASE_URL: 'http://llama.sizes', MAX_FIELD_CHARACTERS: '1000' },
      )
    for (const content of ['x'.repeat(1001), [{ type: 'text', text: 'x'.repeat(1001) }]]) {
      const refused = await ask(content)
      expect(refused.status).toBe(413)
      expect(await refused.text()).toContain('MAX_FIELD_CHARACTERS')
    }
    expect(asked).not.toHaveBeenCalled()
    asked.mockImplementation(async () => Response.json({ choices: [{ message: { content: 'A picture.' } }] }))
    const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(5000)}` } }
    expect((await ask([{ type: 'text', text: 'What is this?' }, picture])).status, 'what is not text').toBe(200)
  })
})

describe('concurrent requests of a key', () => {
  test('429 with Retry-After while others are running, and served again when they have ended', async () => {
    const { key } = await makeKey({ scopes: ['read', 'write'] })
    const variables = { CONCURRENT_REQUESTS_PER_KEY: '2' }
    const statuses = async (headers: { 'X-API-Key': string }, count: number) =>
      (
        await Promise.all(
          Array.from({ length: count }, () => call('augment_query', { query: 'at once' }, variables, headers)),
        )
      ).map(({ status }) => status)
    const counted = await statuses({ 'X-API-Key': key }, 6)
    expect(counted.filter((status) => status === 200)).toHaveLength(2)
    expect(counted.filter((status) => status === 429)).toHaveLength(4)
    expect(await statuses({ 'X-API-Key': key }, 2)).toEqual([200, 200])
    const together = [
      call('augment_query', { query: 'q' }, variables, { 'X-API-Key': key }),
      statuses(ADMIN, 2),
    ] as const
    expect((await Promise.all(together))[1], 'another key').toEqual([200, 200])
  })

  test('a client that disconnects frees its slot immediately', async () => {
    const { key } = await makeKey({ scopes: ['read', 'write'] })
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => undefined))
    const { default: worker } = await import('../../src/worker.ts')
    const { createExecutionContext } = await import('cloudflare:test')
    const variables = {
      LLAMA_CPP_BASE_URL: 'http://llama.test',
      CONCURRENT_REQUESTS_PER_KEY: '1',
      HYBRID_API_KEY: ADMIN_KEY,
      KEY_LIMIT: undefined,
    }
    const ask = (path: string, body: object, signal?: AbortSignal) =>
      worker.fetch(
        new Request(`${ORIGIN}${path}`, {
          method: 'POST',
          headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
          ...(signal && { signal }),
        }),
        { ...env, ...variables } as unknown as Env,
        createExecutionContext(),
      )
    const client = new AbortController()
    const chat = { model: 'local', messages: [{ role: 'user', content: 'Hi' }] }
    const hanging = Promise.resolve(ask('/v1/chat/completions', chat, client.signal))
    hanging.catch(() => undefined)
    await vi.waitFor(async () => expect((await ask('/augment_query', { query: 'q' })).status).toBe(429), 1_800_000)
    client.abort()
    expect((await ask('/augment_query', { query: 'q' })).status).toBe(200)
  })

  test('a streamed answer counts until it was read or cancelled', async () => {
    const { key } = await makeKey({ scopes: ['read', 'write'] })
    const headers = { 'X-API-Key': key, 'Content-Type': 'application/json' }
    let finish: () => void = () => undefined
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
      const encoder = new TextEncoder()
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(encoder.encode('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'))
          finish = () => {
            controller.enqueue(
              encoder.encode('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
            )
            controller.close()
          }
        },
      })
      return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
    })
    const { default: worker } = await import('../../src/worker.ts')
    const { createExecutionContext } = await import('cloudflare:test')
    const variables = {
      LLAMA_CPP_BASE_URL: 'http://llama.test',
      CONCURRENT_REQUESTS_PER_KEY: '1',
      HYBRID_API_KEY: ADMIN_KEY,
      KEY_LIMIT: undefined,
    }
    const ask = (path: string, body: object) =>
      worker.fetch(
        new Request(`${ORIGIN}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
        { ...env, ...variables } as unknown as Env,
        createExecutionContext(),
      )
    const streamed = await ask('/v1/chat/completions', {
      model: 'local',
      stream: true,
      messages: [{ role: 'user', content: 'Hi' }],
    })
    expect(streamed.status).toBe(200)
    const refused = await ask('/augment_query', { query: 'meanwhile' })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.json()).toMatchObject({ field: 'CONCURRENT_REQUESTS_PER_KEY', limit: 1 })
    finish()
    expect(await streamed.text()).toContain('[DONE]')
    expect((await ask('/augment_query', { query: 'afterwards' })).status).toBe(200)
  })
})

describe('storage of a project', () => {
  const store = (project: string, keys: string[], variables: Partial<Env>) =>
    call('store_knowledge', { project, collection: 'best-practices', items: keys.map((key) => item(key)) }, variables)

  test('items per day: 429 until midnight (UTC), other projects continue, nothing is stored', async () => {
    const variables = { INGEST_ITEMS_PER_DAY: '3' }
    expect((await store('daily', ['a', 'b'], variables)).status).toBe(200)
    const refused = await store('daily', ['c', 'd'], variables)
    expect(refused.status).toBe(429)
    const wait = Number(refused.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(86_400)
    expect(await refused.json()).toMatchObject({ code: 'rate_limited', field: 'INGEST_ITEMS_PER_DAY', limit: 3 })
    expect((await store('daily', ['c'], variables)).status).toBe(200)
    expect((await store('another', ['a'], variables)).status).toBe(200)
    const listed = (await (
      await call('list_knowledge', { project: 'daily', collection: 'best-practices' })
    ).json()) as { items: unknown[] }
    expect(listed.items).toHaveLength(3)
  })

  test('documents and imports count as well, and bytes', async () => {
    const variables = { INGEST_BYTES_PER_DAY: '600' }
    const document = { path: 'a.ts', hash: 'h', items: [{ key: '1', fields: { code_snippet: 'x'.repeat(400) } }] }
    expect(
      (await call('ingest_documents', { project: 'bytes', source: 's', documents: [document] }, variables)).status,
    ).toBe(200)
    const interaction = { query: 'q', response: 'r'.repeat(300), agent_type: 'local', model_used: 'm' }
    const refused = await call('import_interactions', { project: 'bytes', interactions: [interaction] }, variables)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ field: 'INGEST_BYTES_PER_DAY', limit: 600 })
  })

  test('interactions count as well, a rejected correction does not', async () => {
    const variables = { INGEST_ITEMS_PER_DAY: '2' }
    const project = 'recorded'
    const interaction = { project, query: 'q', response: 'r', agent_type: 'local', model_used: 'm' }
    const correction = { project, query: 'q', correction: 'c' }
    const absent = { ...correction, interaction_id: '0190b6f0-0000-7000-8000-000000000000' }
    expect((await call('learning_feedback', absent, variables)).status).toBe(404)
    expect((await call('track_interaction', interaction, variables)).status).toBe(200)
    expect((await call('learning_feedback', correction, variables)).status).toBe(200)
    for (const [name, input] of [
      ['track_interaction', interaction],
      ['learning_feedback', correction],
    ] as const) {
      const refused = await call(name, input, variables)
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(await refused.json()).toMatchObject({ field: 'INGEST_ITEMS_PER_DAY', limit: 2 })
    }
  })

  test('total: 413, because waiting does not help', async () => {
    const variables = { PROJECT_ITEMS: '3' }
    expect((await store('full', ['a', 'b'], variables)).status).toBe(200)
    const refused = await store('full', ['c', 'd'], variables)
    expect(refused.status).toBe(413)
    expect(await refused.json()).toMatchObject({ code: 'payload_too_large', field: 'PROJECT_ITEMS', limit: 3 })
  })

  test('of many concurrent requests no more than the limit are accepted', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => store('raced', [`k${i}`], { INGEST_ITEMS_PER_DAY: '5' })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
  })
})

describe('tokens of models', () => {
  function model() {
    const spy = vi.spyOn(globalThis, 'fetch')
    spy.mockImplementation(async () =>
      Response.json({
        model: 'm',
        choices: [{ message: { content: 'An answer.' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 900, completion_tokens: 100, total_tokens: 1000 },
      }),
    )
    return spy
  }

  test('of a key and a project: counted as used, refused by name before the model is called', async () => {
    const asked = model()
    const variables = {
      LLAMA_CPP_BASE_URL: 'http://llama.budget',
      REMOTE_MODEL_BASE_URL: 'http://remote.budget',
      GENERATION_TOKENS_PER_KEY: '2500',
      GENERATION_TOKENS_PER_PROJECT: '3500',
    }
    const { key } = await makeKey({ scopes: ['read', 'write'] })
    const { key: second } = await makeKey({ scopes: ['read', 'write'] })
    const ask = (own: string) =>
      send(
        new Request(`${ORIGIN}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'X-API-Key': own, 'Content-Type': 'application/json' },
          body: JSON.stringify({
            model: 'local',
            max_tokens: 1000,
            messages: [{ role: 'user', content: 'Hi' }],
            metadata: { project: 'budget' },
          }),
        }),
        variables,
      )
    for (let i = 0; i < 2; i++) expect((await ask(key)).status).toBe(200)
    const query = { project: 'budget', query: 'Hi', generate_response: true, mode: 'keyword' }
    const calls = asked.mock.calls.length
    const refused = await ask(key)
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await refused.json()).toMatchObject({ error: { code: 'rate_limited', param: 'GENERATION_TOKENS_PER_KEY' } })
    expect(asked.mock.calls.length, 'no model was asked').toBe(calls)
    expect((await ask(second)).status).toBe(200)
    const spent = (await (await ask(second)).json()) as { error: { param: string } }
    expect(spent.error.param).toBe('GENERATION_TOKENS_PER_PROJECT')
    const tool = await messageOf(await send(toolRequest('route_query', query, { 'X-API-Key': second }), variables))
    expect(tool.result?.isError).toBe(true)
    expect(tool.result?.content[0]?.text).toContain('GENERATION_TOKENS_PER_PROJECT')
    expect(
      (await call('route_query', { ...query, generate_response: false }, variables, { 'X-API-Key': key })).status,
    ).toBe(200)
  })

  test('all budgets or none are charged, and many concurrent requests cannot exceed them', async () => {
    const database = openDatabase(env.DB)
    const budgets = [
      { subject: 'key:k', most: 100 },
      { subject: 'project:p', most: 60 },
    ]
    const results = await Promise.all(
      Array.from({ length: 10 }, () => reserveTokens(database, '2030-01-01', budgets, 10)),
    )
    expect(results.filter((spent) => spent === null)).toHaveLength(6)
    expect(new Set(results)).toEqual(new Set([null, 'project:p']))
    const read = async () =>
      (await env.DB.prepare("SELECT subject, tokens FROM generation_usage WHERE day = '2030-01-01' ORDER BY 1").all())
        .results
    expect(await read()).toEqual([
      { subject: 'key:k', tokens: 60 },
      { subject: 'project:p', tokens: 60 },
    ])
    await settleTokens(database, '2030-01-01', budgets, -70)
    expect(await read()).toEqual([
      { subject: 'key:k', tokens: 0 },
      { subject: 'project:p', tokens: 0 },
    ])
  })
})
