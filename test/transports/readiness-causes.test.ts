/**
 * `/ready` and the errors in answers state the cause: a login page, a wrong key, another model, another size, a version
 * that is too old, half of a service token.
 */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { createApp } from '../../src/transports/app.ts'
import { QdrantStub } from '../knowledge/stores/qdrant-stub.ts'

type Answers = (request: Request, path: string) => Response | Promise<Response>

let servers = 0
let seen: Request[] = []

/** A coordinator with these variables, whose engines give these answers. */
function coordinator(variables: (host: string) => Record<string, unknown>, answers: Answers) {
  const host = `http://cause-${++servers}.test:6333`
  const bindings = { ...(env as unknown as Env), ...variables(host) } as Env
  const app = createApp(() => ({ ...buildServices(bindings), now: () => clock }), OPERATIONS)
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, { ...init, signal: null } as RequestInit)
    seen.push(request)
    return answers(request.clone() as Request, new URL(request.url).pathname)
  })
  const call = async (path: string, body?: object) => {
    const headers = { host: 'localhost', 'content-type': 'application/json' }
    const init = body ? { method: 'POST', body: JSON.stringify(body), headers } : { headers }
    const response = await app.request(`http://localhost${path}`, init, bindings)
    return { status: response.status, body: await response.json<Record<string, unknown>>() }
  }
  return {
    call,
    async dependency(name: string) {
      const { body } = await call('/ready')
      return (body.dependencies as { name: string; state: string; error: string | null }[]).find(
        (entry) => entry.name === name,
      )
    },
  }
}

const page = () => new Response('<html>Sign in</html>', { headers: { 'content-type': 'text/html; charset=utf-8' } })
const redirect = () => new Response(null, { status: 302, headers: { location: 'https://login.test/' } })
const json = (value: unknown, status = 200) => Response.json(value, { status })
const models = (id: string, n_embd: number) => json({ data: [{ id, meta: { n_embd } }] })

const local = (host: string) => ({ LLAMA_CPP_BASE_URL: host })
const remote = (host: string) => ({ REMOTE_MODEL_BASE_URL: host })
const embedder = (host: string) => ({
  EMBEDDER: 'llama.cpp',
  LLAMA_CPP_EMBEDDINGS_URL: host,
  EMBEDDING_MODEL: 'bge-small-en-v1.5',
})
const qdrant = (host: string) => ({ QDRANT_URL: host })

let clock = 20_000_000_000_000
beforeEach(() => {
  clock += 60_000
  seen = []
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('/ready on a model server', () => {
  const cases: [what: string, name: string, (host: string) => Record<string, unknown>, Answers, RegExp][] = [
    ['a login page with status 200', 'local_model', local, page, /web page, such as a login page.*LLAMA_CPP_API_KEY/],
    ['a redirect to one', 'local_model', local, redirect, /status 302.*LLAMA_CPP_ACCESS_CLIENT_ID/],
    ['a login page', 'remote_model', remote, page, /web page.*REMOTE_MODEL_API_KEY/],
    ['a wrong key', 'remote_model', remote, () => json({}, 401), /status 401.*REMOTE_MODEL_API_KEY/],
    [
      'a wrong key that only closed addresses refuse',
      'local_model',
      local,
      (_, path) => (path === '/props' ? json({ error: { message: 'Invalid API Key' } }, 401) : json({ data: [] })),
      /did not accept its key.*status 401.*LLAMA_CPP_API_KEY/,
    ],
    [
      'a model of another size',
      'embedder',
      embedder,
      (_, path) => (path === '/v1/models' ? models('SmolLM2-135M.gguf', 576) : json({})),
      /serves SmolLM2-135M\.gguf with vectors of 576 numbers, where EMBEDDING_MODEL has 384/,
    ],
  ]
  it.each(cases)('reports %s (%s)', async (_, name, variables, answers, said) => {
    const dependency = await coordinator(variables, answers).dependency(name)
    expect(dependency?.state).not.toBe('ok')
    expect(dependency?.error).toMatch(said)
  })

  it('is healthy with the right model, and with a server that only has the list of models', async () => {
    const right: Answers = (_, path) => (path === '/v1/models' ? models('bge-small-en-v1.5-f16.gguf', 384) : json({}))
    expect(await coordinator(embedder, right).dependency('embedder')).toMatchObject({ state: 'ok', error: null })
    const ollama: Answers = (_, path) => (path === '/v1/models' ? json({ data: [{ id: 'm' }] }) : json({}, 404))
    expect(await coordinator(local, ollama).dependency('local_model')).toMatchObject({ state: 'ok', error: null })
  })

  it('is degraded after a call has shown that it serves no embeddings', async () => {
    const refuses: Answers = (_, path) =>
      path === '/v1/embeddings' ? json({ error: { message: 'not supported', code: 501 } }, 501) : json({})
    const { call, dependency } = coordinator(embedder, refuses)
    expect(await dependency('embedder')).toMatchObject({ state: 'ok' })
    const items = [{ key: 'a', fields: { title: 'a', description: 'Reload the proxy.' } }]
    await call('/knowledge/items', { project: `cause-${servers}`, collection: 'best-practices', items })
    clock += 60_000
    expect(await dependency('embedder')).toMatchObject({
      state: 'degraded',
      error: 'the last call failed: it refused the request (status 501)',
    })
  })
})

describe('Qdrant', () => {
  const stored = (call: ReturnType<typeof coordinator>['call']) =>
    call('/hybrid_search', { project: 'p', query: 'reload the proxy', collections: ['best-practices'] })

  const cases: [string, () => Answers, RegExp][] = [
    ['a login page with status 200', () => page, /web page, such as a login page.*QDRANT_ACCESS_CLIENT_ID/],
    ['a redirect to one', () => redirect, /status 302.*QDRANT_ACCESS_CLIENT_ID/],
    [
      'a wrong key',
      () => (_, path) => (path === '/' ? json({ version: '1.19.0' }) : json({ status: { error: 'forbidden' } }, 403)),
      /did not accept its key.*status 403.*QDRANT_API_KEY/,
    ],
    [
      'a version that is too old',
      () => {
        const stub = new QdrantStub()
        stub.version = '1.17.2'
        return (request) => stub.fetch(request)
      },
      /is version 1\.17\.2, but 1\.19 or later is needed/,
    ],
  ]
  it.each(cases)('reports %s, in /ready and in answers', async (_, answers, said) => {
    const { call, dependency } = coordinator(qdrant, answers())
    expect(await dependency('knowledge_store')).toMatchObject({ state: 'down', error: expect.stringMatching(said) })
    const { status, body } = await stored(call)
    expect(status).toBe(503)
    expect(`${body.detail} ${body.hint}`).toMatch(said)
  })

  it('has its version read once', async () => {
    const stub = new QdrantStub()
    const { call } = coordinator(qdrant, (request) => stub.fetch(request))
    for (let i = 0; i < 3; i++) expect((await stored(call)).status).toBe(200)
    expect(stub.calls.get('root')).toBe(1)
  })
})

describe('one real request to each engine', () => {
  it('finds what the free checks do not: a server that serves no embeddings, and a model that gives no answer', async () => {
    const answers: Answers = (_, path) => {
      if (path === '/v1/embeddings') return json({ error: { message: 'not supported', code: 501 } }, 501)
      if (path === '/v1/rerank') {
        return json({ results: [3, -3].map((relevance_score, index) => ({ index, relevance_score })) })
      }
      if (path !== '/v1/chat/completions') return json({})
      return json({ model: 'm', choices: [{ message: { content: 'Ready.' }, finish_reason: 'stop' }] })
    }
    const all = (host: string) => ({ ...embedder(host), ...local(host), LLAMA_CPP_RERANK_URL: host })
    const { call } = coordinator(all, answers)
    const { status, body } = await call('/engines/ask', { project: 'asked' })
    expect(status).toBe(200)
    const found = new Map(
      (body.engines as { name: string; error: string; answer: string }[]).map((one) => [one.name, one]),
    )
    expect(found.get('knowledge_store')).toMatchObject({ error: null, answer: '0 items in best-practices' })
    expect(found.get('embedder')?.error).toMatch(/refused the request \(status 501\).*LLAMA_CPP_EMBEDDINGS_URL/)
    expect(found.get('local_model')).toMatchObject({ error: null, answer: 'm says “Ready.”' })
    expect(found.get('reranker')?.answer).toBe('0.95 for a passage that answers, 0.05 for one that does not')
    expect(found.get('remote_model')).toBeUndefined()
  })
})

describe('a service token of Cloudflare Access', () => {
  const token = (prefix: string) => ({
    [`${prefix}_ACCESS_CLIENT_ID`]: 'id',
    [`${prefix}_ACCESS_CLIENT_SECRET`]: 'secret',
  })

  it.each([
    ['LLAMA_CPP', local],
    ['REMOTE_MODEL', remote],
    ['QDRANT', qdrant],
  ])('is sent with every request to %s', async (prefix, variables) => {
    const stub = new QdrantStub()
    const answers: Answers = (request) => (prefix === 'QDRANT' ? stub.fetch(request) : json({ data: [] }))
    const { call } = coordinator((host) => ({ ...variables(host), ...token(prefix) }), answers)
    await call('/ready')
    expect(seen.length).toBeGreaterThan(0)
    for (const { headers } of seen) {
      expect([headers.get('cf-access-client-id'), headers.get('cf-access-client-secret')]).toEqual(['id', 'secret'])
    }
  })

  it.each(['LLAMA_CPP', 'REMOTE_MODEL', 'QDRANT'])('that is incomplete for %s is rejected by name', async (prefix) => {
    const { call } = coordinator(() => ({ [`${prefix}_ACCESS_CLIENT_ID`]: 'id' }), page)
    const { status, body } = await call('/ready')
    expect(status).toBe(500)
    expect(body).toMatchObject({ code: 'internal', field: `${prefix}_ACCESS_CLIENT_SECRET` })
    expect(JSON.stringify(body)).toContain(`${prefix}_ACCESS_CLIENT_ID is set without ${prefix}_ACCESS_CLIENT_SECRET`)
  })
})
