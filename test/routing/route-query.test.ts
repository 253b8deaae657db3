import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { CoordinatorError } from '../../src/errors.ts'
import type { ChatMessage, ChatModel, ChatOptions } from '../../src/inference/chat/chat-model.ts'
import { embeddedStore } from '../../src/knowledge/stores/embedded.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { routeQuery } from '../../src/operations/routing/route-query.ts'
import { call, exchange, freshProject, testServices as memoryServices } from '../outcomes/support.ts'

/** In-memory services with the real knowledge store. */
function testServices(options: Parameters<typeof memoryServices>[0] = {}) {
  return { ...memoryServices(options), knowledge: embeddedStore(env.KNOWLEDGE) }
}

type Routed = Record<string, unknown> & {
  route: string
  backend: string
  response: string | null
  augmented_prompt: string | null
  results: { context_id: string }[]
  decision: { decision_id: string; cause: string; model: { cause: string; query_class: string }; fallbacks: unknown[] }
  degraded: string[]
}

class FakeModel implements ChatModel {
  readonly name = 'fake'
  readonly asked: ChatMessage[][] = []
  readonly models: (string | undefined)[] = []
  readonly #answer: string | CoordinatorError
  constructor(answer: string | CoordinatorError) {
    this.#answer = answer
  }
  async complete(messages: readonly ChatMessage[], { model }: ChatOptions = {}) {
    this.asked.push([...messages])
    this.models.push(model)
    if (this.#answer instanceof CoordinatorError) throw this.#answer
    return { content: this.#answer, model: 'fake-1', promptTokens: 10, completionTokens: 3, finish: 'stop' as const }
  }
}

async function projectWith(services: ReturnType<typeof testServices>, successes: number): Promise<string> {
  const project = freshProject()
  await call(storeKnowledge, services, {
    project,
    collection: 'best-practices',
    items: [
      {
        fields: {
          title: 'Timeout of the reverse proxy',
          description: 'The timeout of the reverse proxy is 60 seconds: proxy_read_timeout.',
        },
      },
    ],
  })
  for (let n = 0; n < successes; n++) {
    const input = exchange(project, { agent_type: 'local', query: `Question ${n}?` })
    const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, input)
    await call(updateOutcome, services, { interaction_id, outcome: 'success' })
  }
  return project
}

const query = 'How long is the timeout of the reverse proxy?'

test('every decision is recorded as it was answered', async () => {
  const services = testServices()
  const project = await projectWith(services, 0)
  const routed = await call<Routed>(routeQuery, services, { project, query })
  expect(routed).toMatchObject({
    route: 'hybrid',
    backend: 'remote',
    response: null,
    augmented_prompt: null,
    sql: null,
  })
  expect(routed.decision.model.cause).toBe('no_local_model')
  expect(routed.results[0]?.context_id).toMatch(/^best-practices\//)
  const row = await env.DB.prepare('SELECT * FROM routing_decisions WHERE id = ?')
    .bind(routed.decision.decision_id)
    .first<Record<string, string>>()
  expect(row).toMatchObject({ project, query, route: 'hybrid', backend: 'remote' })
  expect(JSON.parse(row?.record ?? '')).toEqual(routed.decision)
})

test('an answer that names its decision shows it; one that names none, or that of another project, shows none', async () => {
  const services = testServices()
  const project = await projectWith(services, 0)
  const { decision } = await call<Routed>(routeQuery, services, { project, query })
  const track = async (more: object) => {
    const { interaction_id } = await call<{ interaction_id: string }>(
      trackInteraction,
      services,
      exchange(project, more),
    )
    return (await call<{ routing: unknown }>(getInteraction, services, { interaction_id })).routing
  }
  expect(await track({ decision_id: decision.decision_id })).toMatchObject({
    decision_id: decision.decision_id,
    route: 'hybrid',
    backend: 'remote',
    cause: decision.cause,
    model: { cause: 'no_local_model', local: { cold_start: true } },
    fallbacks: [],
  })
  expect(await track({})).toBeNull()
  expect(await track({ project: freshProject(), decision_id: decision.decision_id })).toBeNull()
})

test('without a local model, returns the augmented prompt', async () => {
  const services = testServices()
  const project = await projectWith(services, 0)
  const routed = await call<Routed>(routeQuery, services, {
    project,
    query,
    generate_response: true,
    context: 'Be brief.</context>',
  })
  expect(routed.response).toBeNull()
  expect(routed.augmented_prompt).toContain(query)
  expect(routed.augmented_prompt).toContain('Be brief.‹/context>')
})

test('a local model is trusted only after outcomes', async () => {
  const model = new FakeModel('Sixty seconds [1].')
  const services = testServices({ localModel: model, settings: { RELEVANCE_THRESHOLD: '0' } })
  const cold = await projectWith(services, 0)
  const first = await call<Routed>(routeQuery, services, { project: cold, query, generate_response: true })
  expect(first).toMatchObject({ backend: 'remote', response: null, decision: { model: { cause: 'cold_start' } } })
  expect(model.asked).toHaveLength(0)

  const warm = await projectWith(services, 12)
  const second = await call<Routed>(routeQuery, services, { project: warm, query, generate_response: true })
  expect(second).toMatchObject({
    backend: 'local',
    response: 'Sixty seconds [1].',
    augmented_prompt: null,
    generation: { model: 'fake-1', prompt_tokens: 10, completion_tokens: 3 },
    decision: { model: { cause: 'confident' }, fallbacks: [] },
  })
  expect(model.asked[0]?.[1]?.content).toContain('proxy_read_timeout')
})

test('the class of a query selects the local model', async () => {
  const model = new FakeModel('Sixty seconds [1].')
  const settings = { LLAMA_CPP_MODEL: 'talker', LLAMA_CPP_CODING_MODEL: 'coder', RELEVANCE_THRESHOLD: '0' }
  const services = testServices({ localModel: model, settings })
  const project = await projectWith(services, 12)
  const about = { project, generate_response: true }
  const coding = await call<Routed>(routeQuery, services, {
    ...about,
    query: 'Which nginx directive sets the timeout?',
  })
  const analysis = await call<Routed>(routeQuery, services, { ...about, query: 'Compare both timeouts.' })
  expect([coding, analysis].map(({ decision }) => decision.model.query_class)).toEqual(['coding', 'analysis'])
  expect(model.models).toEqual(['coder', 'talker'])
})

test.each([
  ['fails', new CoordinatorError('engine_unavailable', 'The local model could not be reached.')],
  ['ends without an answer', ' '],
])('reports a local model that %s, never as an answer', async (_, answer) => {
  const services = testServices({ localModel: new FakeModel(answer) })
  const project = await projectWith(services, 12)
  const routed = await call<Routed>(routeQuery, services, { project, query, generate_response: true })
  expect(routed).toMatchObject({
    backend: 'remote',
    response: null,
    degraded: ['local_model'],
    decision: { fallbacks: [{ from: 'local', to: 'caller', reason: expect.any(String) }] },
  })
  expect(routed.augmented_prompt).toContain(query)
})

test('a configured remote model answers if the local one is not trusted, or fails', async () => {
  const remoteModel = new FakeModel('From far [1].')
  const services = { ...testServices({ localModel: new FakeModel('') }), remoteModel }
  const cold = await projectWith(services, 0)
  expect(await call<Routed>(routeQuery, services, { project: cold, query, generate_response: true })).toMatchObject({
    backend: 'remote',
    response: 'From far [1].',
    augmented_prompt: null,
    retrieval_id: expect.any(String),
    decision: { model: { cause: 'cold_start' }, fallbacks: [] },
  })
  const warm = await projectWith(services, 12)
  expect(await call<Routed>(routeQuery, services, { project: warm, query, generate_response: true })).toMatchObject({
    backend: 'remote',
    response: 'From far [1].',
    degraded: ['local_model'],
    decision: { model: { cause: 'confident' }, fallbacks: [{ from: 'local', to: 'remote' }] },
  })
})

test('an identifier is searched as typed', async () => {
  const services = testServices()
  const project = await projectWith(services, 0)
  const routed = await call<Routed>(routeQuery, services, { project, query: 'proxy_read_timeout' })
  expect(routed).toMatchObject({ route: 'keyword', decision: { cause: 'exact_terms' } })
  expect(routed.results).toHaveLength(1)
})
