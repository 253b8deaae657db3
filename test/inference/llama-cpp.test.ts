/** The adapters against answers of a real server, recorded by lab/recordings/record-llama-cpp.mjs. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { LlamaCppChat } from '../../src/inference/chat/llama-cpp.ts'
import { LlamaCppEmbedder } from '../../src/inference/embedding/llama-cpp-embedder.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'
import chatReply from '../fixtures/llama-cpp/chat.json'
import chatCutShort from '../fixtures/llama-cpp/chat-cut-short.json'
import chatSchema from '../fixtures/llama-cpp/chat-schema.json'
import chatStream from '../fixtures/llama-cpp/chat-stream.json'
import embeddings from '../fixtures/llama-cpp/embeddings.json'
import embeddingsTooLong from '../fixtures/llama-cpp/embeddings-too-long.json'
import badSchema from '../fixtures/llama-cpp/error-bad-schema.json'
import noEmbeddings from '../fixtures/llama-cpp/error-no-embeddings.json'
import tooLong from '../fixtures/llama-cpp/error-too-long.json'
import wrongKey from '../fixtures/llama-cpp/error-wrong-key.json'
import loadingChat from '../fixtures/llama-cpp/loading-chat.json'
import loadingHealth from '../fixtures/llama-cpp/loading-health.json'
import models from '../fixtures/llama-cpp/models.json'
import tokenize from '../fixtures/llama-cpp/tokenize.json'

interface Recorded {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const asked: { url: string; body: Record<string, unknown>; headers: Headers }[] = []

function replay(...replies: Recorded[]): void {
  let next = 0
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit)
    const text = await request.text()
    asked.push({ url: request.url, body: text ? JSON.parse(text) : {}, headers: request.headers })
    const { status, contentType, body } = replies[Math.min(next++, replies.length - 1)] as Recorded
    return new Response(body, { status, headers: { 'content-type': contentType } })
  })
}

afterEach(() => {
  vi.restoreAllMocks()
  asked.length = 0
})

const endpoint = { baseUrl: 'http://llama.test', headers: { authorization: 'Bearer key' } }
const engine = () => new Engine('The local model', 'hint', { backoffMs: 1 })
const chat = () => new LlamaCppChat(endpoint, engine())
const embedder = (dimensions = 576) =>
  new LlamaCppEmbedder(endpoint, engine(), {
    name: 'smol',
    dimensions,
    queryPrefix: '',
    documentPrefix: '',
    contextTokens: 512,
  })
const messages = [{ role: 'user' as const, content: 'What is a reverse proxy?' }]

describe('chat', () => {
  it('reads a complete answer with its token counts', async () => {
    replay(chatStream)
    const reply = await chat().complete(messages, { maxTokens: 48, temperature: 0 })
    expect(reply.content).toMatch(/^A reverse proxy is/)
    expect(reply).toMatchObject({
      model: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      promptTokens: 26,
      completionTokens: 48,
      finish: 'length',
    })
    expect(asked[0]).toMatchObject({
      url: 'http://llama.test/v1/chat/completions',
      body: { messages, stream: true, max_tokens: 48, temperature: 0 },
    })
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer key')
  })

  it('reads an answer that is complete although a stream was requested', async () => {
    replay(chatCutShort)
    expect(await chat().complete(messages, { maxTokens: 4 })).toMatchObject({
      content: 'A reverse proxy is',
      finish: 'length',
    })
  })

  it('keeps the part received before the deadline, and does not count it against the server', async () => {
    const events = chatStream.body.split('\n\n').slice(0, 12).join('\n\n')
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode(`${events}\n\n`)),
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })
    const slow = new Engine('The local model', 'hint', { deadlineMs: 100, failures: 1 })
    for (let i = 0; i < 2; i++) {
      const reply = await new LlamaCppChat(endpoint, slow).complete(messages, { maxTokens: 48 })
      expect(reply).toMatchObject({ promptTokens: null, completionTokens: null, finish: 'deadline' })
      expect(reply.content).toMatch(/^A reverse proxy is/)
    }
    expect(slow.state).toBe('closed')
  })

  it('keeps nothing if the server is silent, or a schema was requested', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(() => new Promise(() => undefined))
    const silent = () => new LlamaCppChat(endpoint, new Engine('The local model', 'hint', { deadlineMs: 30 }))
    await expect(silent().complete(messages, { maxTokens: 48 })).rejects.toThrow('did not answer within 0.03 s')
    const schema = { type: 'object' }
    await expect(silent().complete(messages, { maxTokens: 48, schema })).rejects.toThrow('did not answer within')
  })

  it('streams the same answer, with its end and its counts', async () => {
    replay(chatStream)
    const pieces = []
    for await (const piece of chat().stream(messages)) pieces.push(piece)
    const whole = JSON.parse(chatReply.body) as { choices: { message: { content: string } }[] }
    expect(pieces.map(({ content }) => content).join('')).toBe(whole.choices[0]?.message.content)
    expect(pieces.at(-1)).toEqual({
      content: '',
      model: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      finish: 'length',
      promptTokens: 26,
      completionTokens: 48,
    })
    expect(pieces.length).toBeGreaterThan(40)
  })

  it('every prefix of that stream without its finish reason is a failure', async () => {
    const finished = chatStream.body.search(/"finish_reason":\s*"/)
    expect(finished).toBeGreaterThan(0)
    for (let cut = 0; cut < finished; cut += 397) {
      replay({ ...chatStream, body: chatStream.body.slice(0, cut) })
      const drain = async () => {
        for await (const _ of chat().stream(messages));
      }
      await expect(drain(), `cut at ${cut}`).rejects.toMatchObject({ code: 'engine_unavailable' })
      vi.restoreAllMocks()
    }
  })

  it('requests a JSON schema and returns JSON', async () => {
    replay(chatSchema)
    const schema = { type: 'object' }
    const { content } = await chat().complete(messages, { schema, maxTokens: 48 })
    expect(JSON.parse(content)).toMatchObject({ difficult: true })
    expect(asked[0]?.body.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', strict: true, schema },
    })
  })

  for (const [name, reply, said] of [
    ['loading', loadingChat, /still loading/],
    ['a wrong key', wrongKey, /did not accept its key/],
    ['a prompt that is too long', tooLong, /longer than it can take/],
    ['a schema that it cannot use', badSchema, /refused the request \(status 400\)/],
  ] as const) {
    it(`reports ${name}`, async () => {
      replay(reply)
      await expect(chat().complete(messages, { maxTokens: 48 })).rejects.toThrow(said)
      expect(asked).toHaveLength(1)
    })
  }

  it('lists the models and their sizes, and counts the tokens of a text', async () => {
    replay(models)
    expect(await chat().models()).toEqual([
      { id: 'SmolLM2-135M-Instruct.Q4_1.gguf', dimensions: 576, contextTokens: 2048 },
    ])
    vi.restoreAllMocks()
    replay(tokenize)
    expect(await chat().countTokens('Reload the proxy.')).toBe(5)
    vi.restoreAllMocks()
    replay(loadingHealth)
    expect(await chat().health()).toBe('loading')
  })
})

describe('embeddings', () => {
  it('returns unit vectors of the space', async () => {
    replay(embeddings)
    const vectors = await embedder().embed(['Reload the proxy.', 'Ein Fuchs.', '再読み込み'], 'document')
    for (const { vector } of vectors) {
      expect(vector).toHaveLength(576)
      expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5)
    }
    expect(asked[0]?.body.input).toHaveLength(3)
  })

  it('rejects vectors of another size', async () => {
    replay(embeddings)
    await expect(embedder(768).embed(['a', 'b', 'c'], 'document')).rejects.toThrow(
      '576 numbers where llama.cpp/smol has 768',
    )
  })

  it('reports a server that was started without embeddings', async () => {
    replay(noEmbeddings)
    await expect(embedder().embed(['a'], 'query')).rejects.toThrow('refused the request (status 501)')
  })

  it('shortens a text that the server rejects as too long', async () => {
    const one = { ...embeddings, body: JSON.stringify({ data: [JSON.parse(embeddings.body).data[0]] }) }
    replay(embeddingsTooLong, embeddingsTooLong, one)
    const [embedding] = await embedder().embed(['proxy '.repeat(6000)], 'document')
    expect(embedding?.vector).toHaveLength(576)
    expect(asked.map(({ body }) => (body.input as string[])[0]?.length)).toEqual([1536, 1536, 768])
  })
})
