/**
 * The whole loop on a running llama.cpp server, with the built Worker: it embeds stored items and answers questions,
 * and outcomes are scored. Runs if both URLs are set.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'
import { LlamaCppChat } from '../../src/inference/chat/llama-cpp.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'

const { LLAMA_CPP_BASE_URL: chatUrl, LLAMA_CPP_EMBEDDINGS_URL: embeddingsUrl, LLAMA_CPP_API_KEY: key } = process.env
const PROJECT = 'live'
const FACTS = [
  'The reverse proxy gives up on a slow backend after sixty seconds.',
  'Migrations of the database run before the service starts.',
  'Bread dough rises for two hours in a warm place.',
]
const QUESTION = 'After how many seconds does the reverse proxy give up on a slow backend?'
/** Number of outcomes after which a project's own record determines the model. */
const OUTCOMES = 12

describe.skipIf(!chatUrl || !embeddingsUrl)('the loop on a running server', () => {
  let worker: LocalWorker

  async function call<T = Record<string, unknown>>(path: string, body?: object): Promise<T> {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(worker.url + path, {
      method: body ? 'POST' : 'GET',
      headers,
      body: body && JSON.stringify(body),
    })
    const answer = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${answer}`)
    return JSON.parse(answer) as T
  }

  async function track(query: string, response: string, more: object = {}): Promise<string> {
    const exchange = { project: PROJECT, query, response, agent_type: 'local', model_used: 'live', ...more }
    const { interaction_id } = await call<{ interaction_id: string }>('/track_interaction', exchange)
    await call('/update_outcome', { interaction_id, outcome: 'success' })
    return interaction_id
  }

  beforeAll(async () => {
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {}
    const endpoint = { baseUrl: embeddingsUrl ?? '', headers }
    const [model] = await new LlamaCppChat(endpoint, new Engine('The embedding server', '')).models()
    worker = await startLocalWorker({
      variables: {
        LLAMA_CPP_BASE_URL: chatUrl ?? '',
        LLAMA_CPP_EMBEDDINGS_URL: embeddingsUrl ?? '',
        ...(key && { LLAMA_CPP_API_KEY: key }),
        EMBEDDING_MODEL: model?.id.split('/').at(-1) ?? 'unknown',
        EMBEDDING_DIMENSIONS: String(model?.dimensions ?? 0),
        LOCAL_CONFIDENCE_THRESHOLD: '0.1',
        ROUTING_EXPLORATION: '0',
        RELEVANCE_THRESHOLD: '0',
      },
    })
  })
  afterAll(() => worker?.stop())

  it('is ready, after checking both servers', async () => {
    const { status, dependencies } = await call<{ status: string; dependencies: { name: string; state: string }[] }>(
      '/ready',
    )
    expect(status).toBe('ok')
    const states = new Map(dependencies.map(({ name, state }) => [name, state]))
    expect([states.get('local_model'), states.get('embedder')]).toEqual(['ok', 'ok'])
  })

  it('embeds stored items, and finds them by meaning', async () => {
    const items = FACTS.map((description, i) => ({ key: `fact-${i}`, fields: { description } }))
    await call('/knowledge/items', { project: PROJECT, collection: 'best-practices', items })
    const { collections } = await call<{ collections: { name: string; items: number; with_vector: number }[] }>(
      `/collections?project=${PROJECT}`,
    )
    expect(collections.find(({ name }) => name === 'best-practices')).toMatchObject({ items: 3, with_vector: 3 })
    const { semantic_results, degraded } = await call<{ semantic_results: object[]; degraded: string[] }>(
      '/hybrid_search',
      { project: PROJECT, query: QUESTION },
    )
    expect(degraded).toEqual([])
    expect(semantic_results).toHaveLength(3)
  })

  it('routes to the model once it has a record, answers from context, and scores the outcome', async () => {
    for (let n = 0; n < OUTCOMES; n++)
      await track(`Which port does service number ${n} use?`, `It uses port ${8000 + n}.`)
    const routed = await call<{
      backend: string
      response: string
      context_ids: string[]
      generation: { model: string; prompt_tokens: number; completion_tokens: number }
      decision: { decision_id: string; fallbacks: object[] }
    }>('/query', { project: PROJECT, query: QUESTION, generate_response: true })
    console.log('routed answer:', routed.response, routed.generation)
    expect(routed).toMatchObject({ backend: 'local', decision: { fallbacks: [] } })
    expect(routed.response.length).toBeGreaterThan(0)
    expect(routed.generation.completion_tokens).toBeGreaterThan(0)
    expect(routed.context_ids.length).toBeGreaterThan(0)
    const { context_ids, decision } = routed
    const id = await track(QUESTION, routed.response, { context_ids, decision_id: decision.decision_id })
    const scored = () => call<{ value_score: number | null }>(`/interactions/${id}`)
    await expect.poll(async () => (await scored()).value_score, { timeout: 1_800_000 }).toBeGreaterThan(0)
  })

  it('streams through /v1 with context under the question, to a clean end', async () => {
    const response = await fetch(`${worker.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'local',
        messages: [{ role: 'user', content: QUESTION }],
        max_tokens: 32,
        stream: true,
        metadata: { project: PROJECT },
      }),
    })
    const text = await response.text()
    expect(response.headers.get('x-backend')).toBe('local')
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
    expect(text).toContain('"context_ids":["best-practices/')
  })
})

it.runIf(!chatUrl || !embeddingsUrl)('runs only if LLAMA_CPP_BASE_URL and LLAMA_CPP_EMBEDDINGS_URL are set', () => {
  expect(chatUrl && embeddingsUrl).toBeFalsy()
})
