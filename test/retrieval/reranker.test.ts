/** A reranker's opinion changes the order. Without its answer, the search continues and reports it. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'
import { LlamaCppReranker } from '../../src/inference/reranking/llama-cpp-reranker.ts'
import type { Reranker } from '../../src/inference/reranking/reranker.ts'
import { prepareItems } from '../../src/knowledge/prepare.ts'
import { searchKnowledge } from '../../src/retrieval/search.ts'

afterEach(() => vi.restoreAllMocks())

const endpoint = { baseUrl: 'http://rerank.test', headers: {} }
const reranker = () => new LlamaCppReranker(endpoint, new Engine('The reranking server', 'hint', { backoffMs: 1 }))

function answer(body: unknown, status = 200): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => Response.json(body, { status }))
}

describe('LlamaCppReranker', () => {
  it('returns probabilities in the order of the passages', async () => {
    answer({
      results: [
        { index: 1, relevance_score: 2 },
        { index: 0, relevance_score: -2 },
      ],
    })
    const [first, second] = await reranker().rerank('q', ['a', 'b'])
    expect(first).toBeCloseTo(0.1192, 3)
    expect(second).toBeCloseTo(0.8808, 3)
  })

  it.each([
    ['a missing score', { results: [{ index: 0, relevance_score: 1 }] }, 200],
    ['no results', { message: 'ok' }, 200],
    ['a score that is no number', { results: [{ index: 0, relevance_score: null }] }, 200],
    ['an error', { error: 'reranking is not enabled' }, 501],
  ])('fails on %s', async (_name, body, status) => {
    answer(body, status)
    await expect(reranker().rerank('q', ['a', 'b'])).rejects.toMatchObject({ code: 'engine_unavailable' })
  })
})

describe('search with a reranker', () => {
  const texts = [
    'retry with backoff after a failed request',
    'retry the failed job once',
    'failed request, then retry later',
  ]
  const services = (model: Reranker | null) => ({ ...buildServices(env as unknown as Env), reranker: model })
  const scope = { project: 'reranked', collection: 'best-practices' } as const
  const options = {
    project: scope.project,
    query: 'retry a failed request',
    collections: [scope.collection],
    mode: 'hybrid',
    limit: 3,
    scoreThreshold: 0,
  } as const

  async function store(): Promise<void> {
    const { knowledge, embedder } = services(null)
    const items = texts.map((description, i) => ({
      key: `k${i}`,
      fields: { description },
      provenance: 'human' as const,
    }))
    await knowledge.upsert(scope, await prepareItems(scope.project, scope.collection, items, embedder), embedder.space)
  }

  it('ranks an item first if the reranker is sure of it', async () => {
    await store()
    const sure: Reranker = {
      name: 'test',
      rerank: async (_query, passages) => passages.map((passage) => (passage.includes('job once') ? 0.99 : 0.01)),
    }
    const { ranked, degraded } = await searchKnowledge(services(sure), options)
    expect(ranked[0]?.item.key).toBe('k1')
    expect(ranked[0]?.breakdown.rerank).toBe(0.99)
    expect(degraded).toEqual([])
  })

  it('continues without it and reports it', async () => {
    await store()
    const broken: Reranker = { name: 'test', rerank: () => Promise.reject(new Error('gone')) }
    const plain = await searchKnowledge(services(null), options)
    const { ranked, degraded } = await searchKnowledge(services(broken), options)
    expect(ranked.map(({ item }) => item.key)).toEqual(plain.ranked.map(({ item }) => item.key))
    expect(degraded).toEqual(['reranker'])
  })
})
