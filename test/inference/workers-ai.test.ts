/** Workers AI models with OpenAI's API, and when they are used. Faults are in `test/engines`. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { OpenAiChat } from '../../src/inference/chat/openai-chat.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'
import { type WorkersAi, WorkersAiEmbedder, workersAiChat } from '../../src/inference/workers-ai.ts'

const MODEL = '@cf/test/chat'

/** A binding that gives the same answer to everything and records its requests. */
function binding(answer: unknown, type = 'application/json') {
  const asked: { model: string; inputs: Readonly<Record<string, unknown>> }[] = []
  const ai: WorkersAi = {
    async run(model, inputs, options) {
      expect(options.returnRawResponse).toBe(true)
      asked.push({ model, inputs })
      return new Response(typeof answer === 'string' ? answer : JSON.stringify(answer), {
        headers: { 'content-type': type },
      })
    },
  }
  return { ai, asked }
}

const chat = (ai: WorkersAi) => new OpenAiChat('workers-ai', workersAiChat(ai, MODEL), new Engine('The model', ''))
const messages = [{ role: 'user' as const, content: 'Hello?' }]
const usage = { prompt_tokens: 5, completion_tokens: 7 }

async function pieces(ai: WorkersAi, maxTokens?: number) {
  const all = []
  for await (const piece of chat(ai).stream(messages, { maxTokens })) all.push(piece)
  return all
}

describe('chat', () => {
  it('answers in its own format, with a higher token limit than the default of Workers AI', async () => {
    const { ai, asked } = binding({ response: '{"a":1}', usage })
    const reply = { content: '{"a":1}', model: MODEL, promptTokens: 5, completionTokens: 7, finish: 'stop' }
    expect(await chat(ai).complete(messages, { maxTokens: 2048, schema: {} })).toEqual(reply)
    expect(asked[0]).toMatchObject({ model: MODEL, inputs: { messages, stream: false, max_tokens: 2048 } })
  })

  it('answers in OpenAI’s format', async () => {
    const { ai } = binding({ model: 'm', choices: [{ message: { content: '{}' } }], usage })
    const reply = await chat(ai).complete(messages, { maxTokens: 9, schema: {} })
    expect(reply).toMatchObject({ content: '{}', model: 'm', promptTokens: 5 })
  })

  it('gets the bare JSON schema, and its object is returned as JSON', async () => {
    const schema = { type: 'object', properties: { topic: { type: 'string' } } }
    const { ai, asked } = binding({ response: { topic: 'proxies' } })
    expect((await chat(ai).complete(messages, { schema, maxTokens: 9 })).content).toBe('{"topic":"proxies"}')
    expect(asked[0]?.inputs.response_format).toEqual({ type: 'json_schema', json_schema: schema })
  })

  it('returns tool calls in OpenAI’s format', async () => {
    const { ai } = binding({ tool_calls: [{ name: 'search', arguments: { query: 'x' } }] })
    const answer = await workersAiChat(ai, MODEL).ask({ messages, tools: [] }, new AbortController().signal)
    expect(answer).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: [{ type: 'function', function: { name: 'search', arguments: '{"query":"x"}' } }],
          },
        },
      ],
    })
  })

  it('uses another model if the request names one of Workers AI, and no other', async () => {
    const { ai, asked } = binding({ response: 'Hi' })
    for (const model of ['@cf/other/model', 'remote']) {
      await workersAiChat(ai, MODEL).ask({ messages, model }, new AbortController().signal)
    }
    expect(asked.map(({ model }) => model)).toEqual(['@cf/other/model', MODEL])
  })

  it.each([
    ['stop', 100],
    ['length', 7],
  ])('streams its own format to a clean end: %s', async (finish, most) => {
    const events = [{ response: 'Hi' }, { response: ' there' }, { response: '', usage }]
    const body = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`
    const all = await pieces(binding(body, 'text/event-stream').ai, most)
    expect(all.map(({ content }) => content).join('')).toBe('Hi there')
    expect(all.at(-1)).toEqual({ content: '', model: MODEL, finish, promptTokens: 5, completionTokens: 7 })
  })

  it('streams OpenAI’s format unchanged', async () => {
    const event = (delta: object, finish_reason: string | null) =>
      `data: ${JSON.stringify({ model: 'm', choices: [{ delta, finish_reason }] })}\n\n`
    const body = `${event({ content: 'Hi' }, null)}${event({}, 'length')}data: [DONE]\n\n`
    const all = await pieces(binding(body, 'text/event-stream').ai)
    expect(all).toEqual([
      { content: 'Hi', model: 'm' },
      { content: '', model: 'm', finish: 'length' },
    ])
  })

  it.each(['data: {"response":"Hi"}\n\n', 'data: {"response":"Hi"}\n\ndata: {"error":1}\n\n', 'data: [DONE]\n\n'])(
    'a stream that is not a complete answer is a failure: %j',
    async (body) => {
      await expect(pieces(binding(body, 'text/event-stream').ai)).rejects.toMatchObject({ code: 'engine_unavailable' })
    },
  )
})

describe('embeddings', () => {
  const model = { name: 'bge-base-en-v1.5', dimensions: 2, contextTokens: 512, queryPrefix: 'q: ', documentPrefix: '' }
  const embedder = (ai: WorkersAi, served: string) =>
    new WorkersAiEmbedder(ai, new Engine('The model', '', { backoffMs: 1 }), model, served)

  it('requests the pooling that the model was trained with, and rejects another', async () => {
    const { ai, asked } = binding({ data: [[3, 4]], pooling: 'cls' })
    const one = embedder(ai, '@cf/baai/bge-base-en-v1.5')
    const [embedding] = await one.embed(['x'], 'query')
    expect([...(embedding?.vector ?? [])].map((value) => value.toFixed(1))).toEqual(['0.6', '0.8'])
    expect(one.space.name).toBe('workers-ai/bge-base-en-v1.5')
    expect(asked[0]?.inputs).toEqual({ text: ['q: x'], pooling: 'cls' })
    const mean = embedder(binding({ data: [[3, 4]], pooling: 'mean' }).ai, '@cf/baai/bge-base-en-v1.5')
    await expect(mean.embed(['x'], 'query')).rejects.toThrow(/made by mean pooling instead of cls/)
    const other = binding({ data: [[3, 4]] })
    await embedder(other.ai, '@cf/baai/bge-m3').embed(['x'], 'document')
    expect(other.asked[0]?.inputs).toEqual({ text: ['x'] })
  })
})

describe('which engines are used', () => {
  const services = (variables: Record<string, unknown>) =>
    buildServices({ ...(env as unknown as Env), EMBEDDER: undefined, ...variables } as Env)
  const { ai } = binding({ response: 'Hi' })
  const named = {
    WORKERS_AI_LOCAL_MODEL: MODEL,
    WORKERS_AI_REMOTE_MODEL: '@cf/test/other',
    WORKERS_AI_EMBEDDING_MODEL: '@cf/baai/bge-m3',
  }

  it('uses Workers AI only if it is bound and named', () => {
    expect(services({ AI: ai })).toMatchObject({ localModel: null, remoteModel: null })
    expect(services({ AI: ai }).embedder.space.name).toMatch(/^minilm-/)
    for (const name of Object.keys(named) as (keyof typeof named)[]) {
      expect(() => services({ [name]: named[name] })).toThrow(`${name} is set, but the Worker has no binding AI.`)
    }
    expect(() => services({ AI: ai, WORKERS_AI_LOCAL_MODEL: 'llama' })).toThrow(/WORKERS_AI_LOCAL_MODEL/)
  })

  it('servers with a URL take precedence over Workers AI', () => {
    const both = services({ AI: ai, ...named })
    expect([both.localModel?.name, both.remoteModel?.name]).toEqual(['workers-ai', 'workers-ai'])
    expect(both.upstreams).toMatchObject({ local: { model: MODEL }, remote: { model: '@cf/test/other' } })
    expect(both.embedder.space).toEqual({ name: 'workers-ai/bge-m3', dimensions: 1024 })
    const servers = services({
      AI: ai,
      ...named,
      LLAMA_CPP_BASE_URL: 'http://llama.test',
      REMOTE_MODEL_BASE_URL: 'http://remote.test',
      LLAMA_CPP_EMBEDDINGS_URL: 'http://llama.test',
      EMBEDDING_MODEL: 'bge-small-en-v1.5',
    })
    expect([servers.localModel?.name, servers.remoteModel?.name]).toEqual(['llama.cpp', 'remote'])
    expect(servers.embedder.space.name).toBe('llama.cpp/bge-small-en-v1.5')
  })

  it('EMBEDDER chooses among configured engines, and reports missing settings', () => {
    const variables = {
      AI: ai,
      ...named,
      LLAMA_CPP_EMBEDDINGS_URL: 'http://llama.test',
      AIDB_URL: 'http://aidb.test',
      EMBEDDING_MODEL: 'bge-small-en-v1.5',
    }
    const spaceOf = (EMBEDDER: string) => services({ ...variables, EMBEDDER }).embedder.space.name
    expect(['llama.cpp', 'workers-ai', 'aidb', 'static'].map(spaceOf)).toEqual([
      'llama.cpp/bge-small-en-v1.5',
      'workers-ai/bge-m3',
      'aidb/bge-small-en-v1.5',
      expect.stringMatching(/^static-/),
    ])
    expect(() => services({ EMBEDDER: 'aidb' })).toThrow(/needs AIDB_URL/)
    expect(() => services({ EMBEDDER: 'aidb', AIDB_URL: 'http://aidb.test' })).toThrow(/EMBEDDING_MODEL/)
  })
})
