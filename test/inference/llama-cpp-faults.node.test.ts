import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CoordinatorError } from '../../src/errors.ts'
import type { ChatPiece } from '../../src/inference/chat/chat-model.ts'
import { LlamaCppChat } from '../../src/inference/chat/llama-cpp.ts'
import type { EmbeddingModel } from '../../src/inference/embedding/embedding-models.ts'
import { LlamaCppEmbedder } from '../../src/inference/embedding/llama-cpp-embedder.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'
import { closedPort, FAULTS, type Fault, FaultyServer } from './faulty-server.node.ts'

const DEADLINE_MS = 400
const MODEL: EmbeddingModel = {
  name: 'm',
  dimensions: 3,
  queryPrefix: 'q: ',
  documentPrefix: 'd: ',
  contextTokens: 100,
}

let server: FaultyServer
beforeAll(async () => {
  server = await FaultyServer.start()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.requests.length = 0
})

const engine = () => new Engine('The local model', 'Check it.', { deadlineMs: DEADLINE_MS, backoffMs: 5 })
const chat = (url = server.url, own = engine()) => new LlamaCppChat({ baseUrl: url, headers: {} }, own)
const embedder = (url = server.url) => new LlamaCppEmbedder({ baseUrl: url, headers: {} }, engine(), MODEL)
const messages = [{ role: 'user' as const, content: 'Hello?' }]

async function failure(work: () => Promise<unknown>): Promise<CoordinatorError> {
  const error = await work().then(
    () => new Error('It did not fail.'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(CoordinatorError)
  return error as CoordinatorError
}

const SAID: Readonly<Record<Fault, RegExp>> = {
  reset: /could not be reached/,
  'reset mid-body': /broke off in the middle/,
  'status 500': /status 500/,
  'status 429': /too much to do/,
  silence: /did not answer within 0\.4 s/,
  'slow drip': /did not answer within 0\.4 s/,
  'invalid JSON': /did not answer with JSON/,
  'another JSON': /not one of an OpenAI stream|one embedding for each text/,
  'login page': /key or access headers/,
  'wrong key': /key or access headers/,
  loading: /still loading/,
  'empty body': /did not answer with JSON/,
}

describe('every fault is reported, and ends by the deadline at the latest', () => {
  for (const fault of FAULTS) {
    it(`chat: ${fault}`, async () => {
      server.respond = () => fault
      const error = await failure(() => chat().complete(messages, { maxTokens: 48, deadlineMs: DEADLINE_MS }))
      expect(error.code).toBe('engine_unavailable')
      expect(error.message).toMatch(SAID[fault])
      expect(error.message).not.toMatch(/secret/)
      expect(server.requests).toHaveLength(1)
      expect(error.retryAfter).toBe(fault === 'status 429' ? 7 : undefined)
    })

    it(`embeddings: ${fault}`, async () => {
      server.respond = () => fault
      const work = new LlamaCppEmbedder({ baseUrl: server.url, headers: {} }, engine(), MODEL)
      const error = await work.embed(['text'], 'query').catch((thrown: unknown) => thrown as CoordinatorError)
      expect(error).toBeInstanceOf(CoordinatorError)
      expect((error as CoordinatorError).message.replace(/within 2 s/, 'within 0.4 s')).toMatch(SAID[fault])
      const repeats = ['reset', 'reset mid-body', 'status 500', 'invalid JSON', 'another JSON', 'empty body']
      expect(server.requests).toHaveLength(repeats.includes(fault) ? 3 : 1)
    })
  }

  it('no server is listening', async () => {
    const url = await closedPort()
    expect((await failure(() => chat(url).complete(messages, { maxTokens: 48 }))).message).toMatch(
      /could not be reached/,
    )
    expect((await failure(() => embedder(url).embed(['x'], 'query'))).message).toMatch(/could not be reached/)
    expect(await chat(url).health()).toBe('down')
  })
})

describe('vectors that do not match the space', () => {
  const reply = (...vectors: unknown[]) => ({
    body: { data: vectors.map((embedding, index) => ({ index, embedding })) },
  })
  for (const [name, vector, said] of [
    ['of another size', [1, 2], /2 numbers where llama.cpp\/m has 3/],
    ['with NaN (null in JSON)', [1, null, 3], /finite numbers/],
    ['with infinity', [1, 'Infinity', 3], /finite numbers/],
    ['all zero', [0, 0, 0], /finite numbers/],
    ['with text', [1, 'x', 3], /finite numbers/],
  ] as const) {
    it(`are never returned: ${name}`, async () => {
      server.respond = () => ({ body: JSON.stringify(reply(vector).body).replace('"Infinity"', '1e999') })
      expect((await failure(() => embedder().embed(['x'], 'document'))).message).toMatch(said)
    })
  }

  it('are rejected if there are too few, or two for one text', async () => {
    server.respond = () => reply([1, 2, 3])
    expect((await failure(() => embedder().embed(['x', 'y'], 'document'))).message).toMatch(/one embedding for each/)
    server.respond = () => ({
      body: { data: [0, 0].map((index) => ({ index, embedding: [1, 2, 3] })) },
    })
    expect((await failure(() => embedder().embed(['x', 'y'], 'document'))).message).toMatch(/one embedding for each/)
  })

  it('are returned in the order of the texts, as unit vectors, with the prefix of the purpose', async () => {
    server.respond = (_path, body) => {
      const { input } = body as { input: string[] }
      const data = input.map((text, index) => ({ index, embedding: [text.length, 1, 0] }))
      return { body: { data: data.reverse() } }
    }
    const [a, b, empty] = await embedder().embed(['x', 'longer', '  '], 'query')
    expect(a?.vector?.[0]).toBeCloseTo(4 / Math.hypot(4, 1))
    expect(b?.vector?.[0]).toBeCloseTo(9 / Math.hypot(9, 1))
    expect(empty).toEqual({ vector: null, coverage: 0 })
    expect(server.requests[0]?.body).toMatchObject({ input: ['q: x', 'q: longer'] })
  })

  it('a text that the server rejects as too long is shortened, without affecting others', async () => {
    server.respond = (_path, body) => {
      const { input } = body as { input: string[] }
      if (input.some((text) => text.length > 100)) {
        const message = 'input (6001 tokens) is too large to process. increase the physical batch size'
        return { status: 500, body: { error: { code: 500, message, type: 'server_error' } } }
      }
      return { body: { data: input.map((_, index) => ({ index, embedding: [1, 2, 3] })) } }
    }
    const vectors = await embedder().embed(['x'.repeat(290), 'short'], 'document')
    expect(vectors.map(({ vector }) => vector?.length)).toEqual([3, 3])
  })
})

describe('streams', () => {
  const event = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
  async function collect(own = chat()): Promise<ChatPiece[]> {
    const pieces: ChatPiece[] = []
    for await (const piece of own.stream(messages, { deadlineMs: DEADLINE_MS })) pieces.push(piece)
    return pieces
  }

  it('end with a reason', async () => {
    const body = `${event({ role: 'assistant', content: null })}${event({ content: 'Hi' })}${event({}, 'stop')}data: [DONE]\n\n`
    server.respond = () => ({ body, contentType: 'text/event-stream' })
    expect(await collect()).toEqual([
      { content: 'Hi', model: 'm' },
      { content: '', model: 'm', finish: 'stop' },
    ])
  })

  it('end with a reason even if the server sends no end mark', async () => {
    const body = `${event({ content: 'All.' })}${event({}, 'stop')}`
    server.respond = () => ({ body, contentType: 'text/event-stream' })
    expect((await collect()).at(-1)).toEqual({ content: '', model: 'm', finish: 'stop' })
  })

  it('end with a reason, whatever the token counts', async () => {
    const counts = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 5, completion_tokens: null } })}\n\n`
    const body = `${event({ content: 'All.' })}${event({}, 'stop')}${counts}data: [DONE]\n\n`
    server.respond = () => ({ body, contentType: 'text/event-stream' })
    expect((await collect()).at(-1)).toEqual({ content: '', model: 'm', finish: 'stop' })
  })

  for (const [name, body] of [
    ['after some words', event({ content: 'Half an' })],
    ['in the middle of an event', `${event({ content: 'Half an' })}data: {"choices":[{"del`],
    ['with an end mark but no reason', `${event({ content: 'Half' })}data: [DONE]\n\n`],
    ['with something else', `${event({ content: 'Half' })}data: {"error":{"message":"out of memory"}}\n\n`],
    ['at once', ''],
  ] as const) {
    it(`that stop ${name} are failures, never a clean end`, async () => {
      server.respond = () => ({ body, contentType: 'text/event-stream' })
      expect((await failure(() => collect())).code).toBe('engine_unavailable')
    })
  }

  it('that fall silent end at the deadline', async () => {
    server.respond = () => 'slow drip'
    expect((await failure(() => collect())).message).toMatch(/did not answer/)
  })

  it('count as a failure of the engine if they break', async () => {
    const own = engine()
    server.respond = () => ({ body: event({ content: 'Half' }), contentType: 'text/event-stream' })
    for (let i = 0; i < 4; i++) await failure(() => collect(chat(server.url, own)))
    expect(own.state).toBe('open')
    server.requests.length = 0
    await failure(() => collect(chat(server.url, own)))
    expect(server.requests).toHaveLength(0)
  })
})

it('distinguishes loading, down and ready', async () => {
  server.respond = () => 'loading'
  expect(await chat().health()).toBe('loading')
  server.respond = () => ({ body: { status: 'ok' } })
  expect(await chat().health()).toBe('ready')
  server.respond = () => 'status 500'
  expect(await chat().health()).toBe('down')
})

it('an answer that is not the requested JSON is returned: the model violated the schema, and the server works', async () => {
  server.respond = () => ({ body: { choices: [{ message: { content: '{"cut' }, finish_reason: 'length' }] } })
  for (let i = 0; i < 5; i++) {
    const reply = await chat().complete(messages, { maxTokens: 48, schema: { type: 'object' } })
    expect(reply).toMatchObject({ content: '{"cut', finish: 'length' })
  }
})
