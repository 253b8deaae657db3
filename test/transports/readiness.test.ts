import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { createApp } from '../../src/transports/app.ts'

interface Readiness {
  ready: boolean
  status: string
  dependencies: { name: string; state: string; error: string | null; breaker: string | null; age_ms: number }[]
  not_configured: string[]
  queue: { pending: number; dead: number } | null
}

/** Requests /ready from a coordinator with these variables or bindings. */
async function ask(changes: Record<string, unknown> = {}): Promise<{ status: number; body: Readiness }> {
  const changed = { ...(env as unknown as Env), ...changes } as Env
  const app = createApp(() => ({ ...buildServices(changed), now: () => clock }), OPERATIONS)
  const response = await app.request('http://localhost/ready', { headers: { host: 'localhost' } }, changed)
  return { status: response.status, body: await response.json<Readiness>() }
}

const stateOf = ({ dependencies }: Readiness, name: string) => dependencies.find((entry) => entry.name === name)

/** Observations are cached for some seconds; each test starts after that. */
let clock = 10_000_000_000_000
beforeEach(() => {
  clock += 60_000
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('/ready', () => {
  test('lists every dependency with its state', async () => {
    const { status, body } = await ask()
    expect(status).toBe(200)
    expect(body).toMatchObject({ ready: true, status: 'ok', queue: { pending: expect.any(Number), dead: 0 } })
    for (const name of ['database', 'knowledge_store', 'datasets']) expect(stateOf(body, name)?.state).toBe('ok')
    expect(body.not_configured).toEqual(['local_model', 'embedder', 'reranker', 'remote_model', 'aidb'])
  })

  test.each([
    ['down', 500, 'down'],
    ['loading its model', 503, 'loading'],
    ['well', 200, 'ok'],
  ])('checks a model server that is %s without a model call', async (_, code, state) => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{}', { status: code }))
    const { status, body } = await ask({
      LLAMA_CPP_BASE_URL: 'http://llama.test:8080/v1',
      REMOTE_MODEL_BASE_URL: 'http://remote.test',
    })
    expect(status).toBe(200)
    expect(body.ready).toBe(true)
    expect(body.status).toBe(state === 'ok' ? 'ok' : 'degraded')
    expect(stateOf(body, 'local_model')).toMatchObject({ state, breaker: 'closed' })
    expect(fetched.mock.calls.map(([url]) => String(url)).sort()).toEqual([
      'http://llama.test:8080/health',
      'http://llama.test:8080/props',
      'http://llama.test:8080/v1/models',
      'http://remote.test/v1/models',
    ])
  })

  test('reports Workers AI without calling it, and AIDB by whether it answers at all', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('', { status: 404 }))
    const ai = { run: vi.fn() }
    const { body } = await ask({
      AI: ai,
      EMBEDDER: undefined,
      WORKERS_AI_LOCAL_MODEL: '@cf/test/chat',
      WORKERS_AI_EMBEDDING_MODEL: '@cf/baai/bge-m3',
      AIDB_URL: 'http://aidb.test',
    })
    expect(stateOf(body, 'local_model')).toMatchObject({ state: 'ok', uses: 'workers-ai @cf/test/chat' })
    expect(stateOf(body, 'embedder')).toMatchObject({ state: 'ok', uses: 'workers-ai @cf/baai/bge-m3' })
    expect(stateOf(body, 'aidb')).toMatchObject({ state: 'ok', breaker: 'closed' })
    expect(body.not_configured).toEqual(['reranker', 'remote_model'])
    expect(ai.run).not.toHaveBeenCalled()
    expect(fetched.mock.calls.map(([url]) => String(url))).toEqual(['http://aidb.test/health'])
    fetched.mockImplementation(async () => new Response('', { status: 502 }))
    clock += 60_000
    expect(stateOf((await ask({ AIDB_URL: 'http://aidb.test' })).body, 'aidb')?.state).toBe('down')
  })

  test('reuses an observation for a short time, with its age', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{}'))
    const variables = { LLAMA_CPP_BASE_URL: 'http://again.test' }
    await ask(variables)
    clock += 3_000
    const { body } = await ask(variables)
    expect(fetched).toHaveBeenCalledTimes(3)
    expect(stateOf(body, 'local_model')?.age_ms).toBe(3_000)
    clock += 3_000
    await ask(variables)
    expect(fetched).toHaveBeenCalledTimes(6)
    clock -= 60_000
    await ask(variables)
    expect(fetched).toHaveBeenCalledTimes(9)
  })

  test('answers in time if a server is silent', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => undefined))
    const { body } = await ask({
      EMBEDDER: 'llama.cpp',
      LLAMA_CPP_EMBEDDINGS_URL: 'http://silent.test',
      EMBEDDING_MODEL: 'bge-small-en-v1.5',
    })
    expect(stateOf(body, 'embedder')).toMatchObject({ state: 'down', error: 'did not answer in 2000 ms' })
  })

  test('is not ready without the database, and does not reveal why', async () => {
    const broken = {
      prepare: () => {
        throw new Error('secret detail')
      },
      batch: () => Promise.reject(new Error('secret detail')),
    }
    const { status, body } = await ask({ DB: broken })
    expect(status).toBe(503)
    expect(body).toMatchObject({ ready: false, status: 'down', queue: null })
    expect(stateOf(body, 'database')).toMatchObject({ state: 'down', error: 'did not answer' })
    expect(JSON.stringify(body)).not.toContain('secret')
  })
})
