import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import type { Env } from '../../src/env.ts'
import worker from '../../src/worker.ts'
import {
  about,
  answers,
  asked,
  client,
  completion,
  decision,
  errorOf,
  ingest,
  local,
  remote,
  settled,
  twoServers,
} from './worker/openai-client.ts'

/**
 * Requests that no person typed, and other uses of the API: background tasks, images, addresses, models, embeddings.
 */

describe('requests that no person typed', () => {
  const task =
    '### Task:\nWrite a short title for this conversation, as JSON with the field "title".\n### Chat History:\n<chat_history>\nUSER: How long is the timeout of the reverse proxy?\n</chat_history>'

  test('a task of the chat client gets no context and is not tracked', async () => {
    await ingest('titles')
    answers[local] = () => completion('{"title":"Proxy"}')
    const variables = { ...twoServers(), RELEVANCE_THRESHOLD: '0.01' }
    const data = await client(variables).chat.completions.create({
      model: 'auto',
      messages: [{ role: 'user', content: task }],
      metadata: { project: 'titles' },
    })
    expect(about(data)).toMatchObject({
      interaction_id: null,
      context_ids: [],
      backend: 'local',
      cause: 'background_task',
    })
    expect(asked[0]?.body.messages).toEqual([{ role: 'user', content: task }])
    await settled()
    for (const table of ['interactions', 'retrievals']) {
      const found = await env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE project = 'titles'`).first('n')
      expect(found, table).toBe(0)
    }
    const { record } = await decision('titles')
    expect(JSON.stringify(record)).not.toContain('proxy')
  })

  test('images go to the remote model, with or without text, and the decision states the reason', async () => {
    const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA' } }
    answers[remote] = () => completion('A cat.')
    for (const content of [[image], [image, { type: 'text' as const, text: 'What is this?' }]]) {
      const data = await client(twoServers()).chat.completions.create({
        model: 'auto',
        messages: [{ role: 'user', content }],
        metadata: { project: 'images' },
      })
      expect(about(data)).toMatchObject({ backend: 'remote', cause: 'media' })
    }
  })
})

describe('texts over a limit', () => {
  const truncated = async (content: string, reply: string) => {
    answers[local] = () => completion(reply)
    const messages = [{ role: 'user' as const, content }]
    const data = await client(twoServers()).chat.completions.create({ model: 'local', messages })
    expect(data.choices[0]?.message.content).toBe(reply)
    return about(data).truncated
  }

  test('are answered whole, and the answer states what is searched and stored', async () => {
    expect(await truncated('Why?', 'Yes.')).toBeUndefined()
    expect(await truncated('why '.repeat(25_001), 'r'.repeat(200_001))).toEqual([
      expect.objectContaining({ fields: ['messages'], limit: 40_000 }),
      expect.objectContaining({ fields: ['messages'], limit: 12_000 }),
      expect.objectContaining({ fields: ['messages'], limit: 2_048 }),
      expect.objectContaining({ fields: ['messages'], limit: 100_000 }),
      expect.objectContaining({ fields: ['choices'], limit: 200_000 }),
    ])
  })
})

describe('paths and models', () => {
  const fetchV1 = (path: string, init: RequestInit = {}, variables: Record<string, string> = {}) =>
    worker.fetch(
      new Request(`http://localhost${path}`, init),
      { ...env, ...variables } as unknown as Env,
      createExecutionContext(),
    )

  test.each([
    ['POST', '/v1/completions'],
    ['GET', '/v1/files'],
    ['GET', '/v1/responses/resp_1'],
    ['POST', '/v1/audio/speech'],
    ['GET', '/v1'],
    ['GET', '/v1/embeddings'],
    ['DELETE', '/v1/models'],
  ])("rejects %s %s in OpenAI's format", async (method, path) => {
    const response = await fetchV1(path, { method })
    expect([404, 405]).toContain(response.status)
    const { error } = await response.json<{ error: { message: string; type: string } }>()
    expect(error.type).toBe('invalid_request_error')
    expect(error.message).toMatch(response.status === 404 ? /\/v1\/chat\/completions.*\/v1\/responses/ : /Use/)
  })

  test.each([
    ['a wrong key', { HYBRID_API_KEY: 'the-right-key-of-this-test' }, 401, 'authentication_error'],
    ['a host that is not its own', { ALLOWED_HOSTS: 'other.example' }, 403, 'permission_error'],
  ])("rejects %s in OpenAI's format", async (_, variables, status, type) => {
    const response = await fetchV1('/v1/models', { headers: { authorization: 'Bearer wrong' } }, variables)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { type, message: expect.any(String) } })
  })

  test('returns one model by its name, including names with slashes', async () => {
    const variables = { LLAMA_CPP_BASE_URL: local, LLAMA_CPP_MODEL: 'org/small:q4' }
    for (const id of ['auto', 'local', 'org/small:q4']) {
      expect(await client(variables).models.retrieve(id)).toMatchObject({ id, object: 'model' })
    }
    const error = await errorOf(client(variables).models.retrieve('gpt-9'))
    expect(error).toMatchObject({ status: 404, param: 'model' })
  })
})

describe('embeddings', () => {
  const input = ['upload fails', '上传失败', 'retry policy', '12345']

  test('of a batch with texts that the table does not know', async () => {
    const answer = await client().embeddings.create({ model: 'any', input })
    expect(answer.data.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    const norms = answer.data.map(({ embedding }) => Math.hypot(...embedding))
    const { hybrid_coordinator } = answer as unknown as { hybrid_coordinator: { zero_vectors: number[] } }
    expect(hybrid_coordinator.zero_vectors).toContain(1)
    for (const [at, norm] of norms.entries()) {
      expect(norm).toBeCloseTo(hybrid_coordinator.zero_vectors.includes(at) ? 0 : 1, 3)
    }
    const [alone] = (await client().embeddings.create({ model: 'any', input: 'upload fails' })).data
    expect(answer.data[0]?.embedding).toEqual(alone?.embedding)
  })

  test('names the texts that a vector represents in part', async () => {
    const answer = await client().embeddings.create({ model: 'any', input: ['retry', 'retry '.repeat(2_049)] })
    expect(answer).toMatchObject({
      hybrid_coordinator: { truncated: [{ fields: ['input[1]'], count: 1, limit: 2_048 }] },
    })
  })

  test.each([
    [[[1, 2, 3]], /check_embedding_ctx_length=False/],
    [[1, 2, 3], /check_embedding_ctx_length=False/],
    [['a', [1]], /check_embedding_ctx_length=False/],
    [Array.from({ length: 300 }, () => 'upload fails'), /256/],
    [['x'.repeat(32_001)], /input\[0\].*32000/],
    [[], /at least 1/],
    [[null], /input\[0\]/],
    ['', /input\[0\]/],
  ])('bad input %# states what to send', async (bad, message) => {
    const error = await errorOf(client().embeddings.create({ model: 'any', input: bad as string[] }))
    expect(error.status).toBe(400)
    expect(error.message).toMatch(message)
  })

  test('a body over the limit states the maximum size of images', async () => {
    const url = `data:image/png;base64,${'A'.repeat(4_300_000)}`
    const image = { type: 'image_url' as const, image_url: { url } }
    const error = await errorOf(
      client().chat.completions.create({ model: 'local', messages: [{ role: 'user', content: [image] }] }),
    )
    expect(error.status).toBe(413)
    expect(error.message).toMatch(/Images in base64.*3\.0 MB.*MAX_BODY_BYTES/)
  })
})
