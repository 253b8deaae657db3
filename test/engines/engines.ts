/** The engines of the fault table: how each is configured, its normal answers, and the expectations when it fails. */
import { expect, vi } from 'vitest'
import type { WorkersAi } from '../../src/inference/workers-ai.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { QdrantStub } from '../knowledge/stores/qdrant-stub.ts'
import { type EngineName, isReasonOf, PROMISED } from './contract.ts'
import { type Fault, RETRY_AFTER } from './faults.ts'
import { aidbVectors, chatSounds, embeddingSounds, SIZE, workersAiSounds, wrong } from './sounds.ts'
import { pass, timed } from './virtual-time.ts'
import { type Answered, type Sounds, World } from './world.ts'

export interface EngineRow {
  readonly name: EngineName
  open(): World
  /** Runs before the engine fails. */
  prepare?(world: World): Promise<void>
  /** The request while it fails, and the expectations for the answer. */
  ask(world: World): Promise<Answered>
  named(answer: Answered, fault: Fault): void
  /** The expectations for stored data, during the fault and after recovery. */
  stored(world: World, fault: Fault): Promise<void>
}

/** Different in every world, because vectors of questions are cached. */
const question = ({ project }: World) => `How long is the timeout of the reverse proxy of ${project}?`
const TITLE = 'Timeout of the reverse proxy'
const FACT = 'The timeout of the reverse proxy is 60 seconds.'
/** The `AI` binding of a world. */
function binding(world: World): WorkersAi {
  return { run: (model, inputs, { signal }) => world.answer({ path: model, body: inputs }, signal, null) }
}

/** A routed question for one of the coordinator's models: its failure is reported and the prompt is returned. */
export function chatRow(
  name: EngineName,
  side: 'local' | 'remote',
  variables: (world: World) => Record<string, unknown>,
  sounds: Sounds = chatSounds,
): EngineRow {
  return {
    name,
    open: () =>
      new World(sounds, (world) => {
        // Always explores, so that a project without outcomes uses its local model.
        vi.spyOn(Math, 'random').mockReturnValue(0)
        return { ROUTING_EXPLORATION: '0.5', EXPERIMENTS_FROM_OUTCOMES: '0', ...variables(world) }
      }),
    ask: (world) =>
      inTime(PROMISED[name].deadlineMs, () =>
        world.call('/query', {
          project: world.project,
          query: question(world),
          collections: ['best-practices'],
          generate_response: true,
        }),
      ),
    named({ status, body }, fault) {
      expect(status).toBe(200)
      expect(body).toMatchObject({ degraded: PROMISED[name].degraded, response: null, generation: null })
      expect(body.augmented_prompt).toContain('timeout of the reverse proxy')
      const { fallbacks } = body.decision as { fallbacks: { from: string; to: string; reason: string }[] }
      expect(fallbacks).toMatchObject([{ from: side, to: 'caller' }])
      expect(isReasonOf(fault, fallbacks[0]?.reason ?? '')).toBe(true)
    },
    async stored(world) {
      expect(await world.rows('interactions')).toEqual([])
      const [decision] = await world.rows('routing_decisions')
      expect(JSON.parse(String(decision?.record)).fallbacks).toHaveLength(1)
      world.fault = null
      const again = await timed(() => this.ask(world))
      expect(again.value.body).toMatchObject({ response: 'Sixty seconds.', degraded: [] })
    },
  }
}

/** The same models behind `/v1/chat/completions`: never ends cleanly, and a fragment is stored as a fragment. */
export function streamRow(
  name: EngineName,
  side: 'local' | 'remote',
  variables: (world: World) => Record<string, unknown>,
  sounds: Sounds = chatSounds,
): EngineRow {
  return {
    name,
    open: () => new World(sounds, variables),
    ask: (world) =>
      inTime(PROMISED[name].deadlineMs, () =>
        world.call('/v1/chat/completions', {
          model: side,
          messages: [{ role: 'user', content: question(world) }],
          stream: true,
          metadata: { project: world.project },
        }),
      ),
    named({ status, text }, fault) {
      const last = text.startsWith('data: ') ? text.trimEnd().split('\n\n').at(-1)?.slice(6) : text
      const { error } = JSON.parse(last ?? '') as { error: { code: string; message: string } }
      // Too many requests is passed on as such, with the server's own message.
      const limited = fault === 'status 429'
      expect(error.code).toBe(limited ? 'rate_limited' : 'engine_unavailable')
      if (!limited) expect(isReasonOf(fault, error.message)).toBe(true)
      expect(text).not.toContain('[DONE]')
      expect(text).not.toContain('secret')
      if (!text.startsWith('data: ')) expect(status).toBe(limited ? 429 : 503)
    },
    async stored(world) {
      for (const { tags } of await world.rows('interactions')) expect(JSON.parse(String(tags))).toContain('incomplete')
      world.fault = null
      const again = await timed(() => this.ask(world))
      expect(again.value.text).toMatch(/\[DONE\]\s*$/)
      const whole = (await world.rows('interactions')).filter(({ tags }) => !String(tags).includes('incomplete'))
      expect(whole.map(({ response }) => response)).toEqual(['Sixty seconds.'])
    },
  }
}

/** Search continues by keyword; written items wait for their vectors and can be found in the meantime. */
export function embedderRow(
  name: EngineName,
  variables: (world: World) => Record<string, unknown>,
  sounds: Sounds = embeddingSounds,
  size = SIZE,
): EngineRow {
  return {
    name,
    open: () => new World(sounds, variables),
    async ask(world) {
      const { status, body } = await inTime(PROMISED[name].deadlineMs, () => world.store(TITLE, FACT))
      expect(status).toBe(200)
      expect(body.results).toMatchObject([{ status: 'indexed' }])
      return inTime(2_000, () => search(world))
    },
    named({ status, body }) {
      expect(status).toBe(200)
      expect(body.degraded).toEqual(PROMISED[name].degraded)
      expect(keysOf(body)).toEqual([TITLE])
    },
    async stored(world) {
      expect((await world.items()).map(({ vector: own }) => own)).toEqual([null])
      world.fault = null
      await pass(OPEN_MS)
      expect((await timed(() => world.embedPending())).value).toBe(true)
      const [item] = await world.items()
      expect(item?.vector).toHaveLength(size)
      expect(Math.hypot(...(item?.vector ?? []))).toBeCloseTo(1, 1)
      const again = await timed(() => search(world))
      expect(again.value.body).toMatchObject({ degraded: [] })
      expect(keysOf(again.value.body)).toEqual([TITLE])
    },
  }
}

/** The order of the two lists is kept; only the reranker's opinion is missing. */
export const rerankerRow: EngineRow = {
  name: 'llama.cpp, reranker',
  open: () =>
    new World(
      () => ({ body: JSON.stringify({ results: [{ index: 0, relevance_score: 3 }] }), ...wrong }),
      ({ host }) => ({ LLAMA_CPP_RERANK_URL: host }),
    ),
  prepare: async (world) => void (await world.store(TITLE, FACT)),
  ask: (world) => inTime(PROMISED['llama.cpp, reranker'].deadlineMs, () => search(world)),
  named({ status, body }) {
    expect(status).toBe(200)
    expect(body.degraded).toEqual(PROMISED[this.name].degraded)
    expect(keysOf(body)).toEqual([TITLE])
  },
  async stored(world) {
    world.fault = null
    const again = await timed(() => search(world))
    expect(again.value.body).toMatchObject({
      degraded: [],
      combined_results: [{ breakdown: { rerank: expect.closeTo(0.95, 1) } }],
    })
  },
}

/** The coordinator's own items are found; only the external list is missing. */
const aidbRow: EngineRow = {
  name: 'AIDB, ranked list',
  open: () =>
    new World(
      () => ({ body: JSON.stringify({ results: [{ content: FACT, score: 12.5 }] }), ...wrong }),
      ({ host }) => ({ AIDB_URL: host }),
    ),
  prepare: async (world) => void (await world.store(TITLE, FACT)),
  ask: (world) =>
    inTime(PROMISED['AIDB, ranked list'].deadlineMs, () =>
      world.call('/hybrid_search', { project: world.project, query: question(world) }),
    ),
  named({ status, body }) {
    expect(status).toBe(200)
    expect(body.degraded).toEqual(PROMISED[this.name].degraded)
    expect(keysOf(body)).toEqual([TITLE])
  },
  async stored(world) {
    world.fault = null
    await pass(OPEN_MS)
    const again = await timed(() => this.ask(world))
    expect(again.value.body).toMatchObject({
      degraded: [],
      combined_results: [{ key: TITLE, breakdown: { external: { rank: 1, score: 12.5 } } }],
    })
  },
}

const QDRANT_ANSWER = JSON.stringify({
  status: 'ok',
  time: 0,
  result: [{ points: [{ id: '018f0000-0000-7000-8000-000000000000', version: 1, score: 1, payload: {} }] }],
})
/** Qdrant's message if a vector in a request doesn't match the collection. */
const refusal = (message: string) => JSON.stringify({ status: { error: `Wrong input: ${message}` }, time: 0 })

/** Without the store, every request fails with the reason; a write is complete or missing. */
export const qdrantRow: EngineRow = {
  name: 'Qdrant',
  open() {
    const stub = new QdrantStub()
    const world = new World(
      () => ({
        body: QDRANT_ANSWER,
        wrongSize: refusal('Vector dimension error: expected dim: 256, got 255'),
        notANumber: refusal('Vector contains a value that is not a number'),
      }),
      ({ host }) => ({ QDRANT_URL: host }),
    )
    world.sound = (_, request) => stub.fetch(request as Request)
    return world
  },
  prepare: async (world) => void (await world.store(TITLE, FACT)),
  async ask(world) {
    const { status } = await inTime(PROMISED.Qdrant.deadlineMs, () =>
      world.store('Another', 'What is written now is not kept.'),
    )
    expect(status).toBe(503)
    return inTime(PROMISED.Qdrant.deadlineMs, () => search(world))
  },
  named({ status, body }) {
    expect(status).toBe(503)
    expect(body).toMatchObject({ code: 'engine_unavailable' })
  },
  async stored(world) {
    world.fault = null
    await pass(OPEN_MS)
    const { value: items } = await timed(() => world.items())
    expect(items.map(({ key }) => key)).toEqual([TITLE])
    for (const { vector: own } of items) expect(Math.hypot(...(own ?? []))).toBeCloseTo(1, 1)
    const again = await timed(() => search(world))
    expect(again.value.body).toMatchObject({ degraded: [] })
    expect(keysOf(again.value.body)).toEqual([TITLE])
  },
}

/** Machine work that the virtual clock counts without a wait, in milliseconds. */
export const SLACK_MS = 1_000
/** Runs one call, which must end within its deadline on the virtual clock. */
async function inTime(deadlineMs: number, call: () => Promise<Answered>): Promise<Answered> {
  const { value, tookMs } = await timed(call)
  expect(tookMs).toBeLessThanOrEqual(deadlineMs + SLACK_MS)
  return value
}

/** After this time, every breaker lets a call try again. */
const OPEN_MS = Math.max(15_000, RETRY_AFTER * 1_000)

export function search(world: World): Promise<Answered> {
  const collections = ['best-practices']
  return world.call('/hybrid_search', { project: world.project, query: question(world), collections })
}

/** Keys of the combined results. */
export function keysOf(body: Record<string, unknown>): string[] {
  return ((body.combined_results ?? []) as Pick<StoredItem, 'key'>[]).map(({ key }) => key)
}

export const ENGINES: readonly EngineRow[] = [
  chatRow('llama.cpp, chat', 'local', ({ host }) => ({ LLAMA_CPP_BASE_URL: host })),
  streamRow('llama.cpp, chat through `/v1`, streamed', 'local', ({ host }) => ({ LLAMA_CPP_BASE_URL: host })),
  embedderRow('llama.cpp, embeddings', ({ host }) => ({
    EMBEDDER: 'llama.cpp',
    LLAMA_CPP_EMBEDDINGS_URL: host,
    EMBEDDING_MODEL: 'bge-small-en-v1.5',
  })),
  rerankerRow,
  chatRow('remote model', 'remote', ({ host }) => ({ REMOTE_MODEL_BASE_URL: host })),
  streamRow('remote model through `/v1`, streamed', 'remote', ({ host }) => ({ REMOTE_MODEL_BASE_URL: host })),
  qdrantRow,
  chatRow(
    'Workers AI as local model',
    'local',
    (world) => ({ AI: binding(world), WORKERS_AI_LOCAL_MODEL: `@cf/test/${world.project}` }),
    workersAiSounds,
  ),
  streamRow(
    'Workers AI as remote model through `/v1`, streamed',
    'remote',
    (world) => ({ AI: binding(world), WORKERS_AI_REMOTE_MODEL: `@cf/test/${world.project}` }),
    workersAiSounds,
  ),
  embedderRow(
    'Workers AI, embeddings',
    (world) => ({
      AI: binding(world),
      EMBEDDER: 'workers-ai',
      WORKERS_AI_EMBEDDING_MODEL: `@cf/${world.project}/bge-small-en-v1.5`,
    }),
    workersAiSounds,
  ),
  aidbRow,
  embedderRow(
    'AIDB, embeddings',
    ({ host }) => ({ EMBEDDER: 'aidb', AIDB_URL: host, EMBEDDING_MODEL: 'bge-small-en-v1.5' }),
    aidbVectors,
  ),
]
