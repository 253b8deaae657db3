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
  DONE,
  decision,
  errorOf,
  event,
  interaction,
  local,
  messages,
  piece,
  remote,
  settled,
  streaming,
  twoServers,
  usage,
} from './worker/openai-client.ts'

/** Behaviour of servers and clients that the specification doesn't guarantee. */

const fails =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  () =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })

describe('a refusal of the model server', () => {
  test.each([
    [
      'OpenAI',
      400,
      {
        error: {
          message: 'Your input exceeds the context window.',
          type: 'invalid_request_error',
          param: 'messages',
          code: 'context_length_exceeded',
        },
      },
      { status: 400, code: 'context_length_exceeded', param: 'messages', message: /exceeds the context window/ },
    ],
    [
      'llama.cpp',
      400,
      {
        error: {
          code: 400,
          message: 'the request exceeds the available context size, try increasing it',
          type: 'exceed_context_size_error',
          n_ctx: 4096,
        },
      },
      { status: 400, code: 'context_length_exceeded', type: 'exceed_context_size_error' },
    ],
    [
      'OpenAI, of a parameter',
      400,
      {
        error: {
          message: "Unsupported parameter: 'max_tokens'",
          type: 'invalid_request_error',
          param: 'max_tokens',
          code: 'unsupported_parameter',
        },
      },
      { status: 400, code: 'unsupported_parameter', param: 'max_tokens' },
    ],
    [
      'vLLM',
      400,
      {
        object: 'error',
        message: "This model's maximum context length is 8192 tokens.",
        type: 'BadRequestError',
        code: 400,
      },
      { status: 400, code: 'context_length_exceeded', message: /8192/ },
    ],
    ['Ollama', 400, { error: 'does not support tools' }, { status: 400, message: /does not support tools/ }],
    [
      'FastAPI',
      422,
      { detail: [{ loc: ['body', 'temperature'], msg: 'Input should be less than or equal to 2' }] },
      { status: 422, param: 'temperature', message: /less than or equal/ },
    ],
    ['a proxy without a body', 413, '', { status: 413, message: /status 413/ }],
    [
      'OpenAI, of a model',
      404,
      { error: { message: 'The model `x` does not exist', code: 'model_not_found' } },
      { status: 404, code: 'model_not_found' },
    ],
  ])('is passed to the client unchanged: %s', async (_, status, body, expected) => {
    for (const stream of [false, true]) {
      answers[local] = fails(status, body)
      const error = await errorOf(client().chat.completions.create({ model: 'local', messages, stream }))
      expect(error).toMatchObject({
        ...expected,
        ...('message' in expected && { message: expect.stringMatching(expected.message as RegExp) }),
      })
    }
  })

  test('is passed on without the keys that were sent', async () => {
    const key = twoServers().REMOTE_MODEL_API_KEY
    answers[remote] = fails(400, { error: { message: `Bad request for ${key} and sk-proj-${'a1B2'.repeat(10)}` } })
    const error = await errorOf(client(twoServers()).chat.completions.create({ model: 'remote', messages }))
    expect(error.status).toBe(400)
    expect(error.message).toContain('Bad request for')
    expect(error.message).not.toContain(key)
    expect(error.message).not.toContain('a1B2a1B2')
  })

  test('is not retried with another server', async () => {
    answers[remote] = fails(400, { error: { message: 'too long', code: 'context_length_exceeded' } })
    answers[local] = () => completion('Near.')
    const error = await errorOf(
      client(twoServers()).chat.completions.create({ model: 'auto', messages, metadata: { project: 'refused' } }),
    )
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' })
    expect(asked).toHaveLength(1)
    expect((await decision('refused')).record).toMatchObject({ status: 'failed', fallbacks: [] })
  })

  test('does not count against the server: ten of them open no breaker', async () => {
    answers[local] = fails(400, { error: { message: 'no' } })
    for (let n = 0; n < 10; n++) await errorOf(client().chat.completions.create({ model: 'local', messages }))
    answers[local] = () => completion('Still there.')
    const data = await client().chat.completions.create({ model: 'local', messages })
    expect(data.choices[0]?.message.content).toBe('Still there.')
  })

  test('concerning the key or the address is about the coordinator, not about the request', async () => {
    for (const answer of [
      fails(401, { error: { message: 'Incorrect API key' } }),
      fails(402, { error: { message: 'Insufficient credits' } }),
      fails(404, '<html>not found</html>'),
      fails(302, '', { location: 'https://login.example/' }),
    ]) {
      answers[local] = answer
      const error = await errorOf(client().chat.completions.create({ model: 'local', messages }))
      expect(error).toMatchObject({ status: 503, code: 'engine_unavailable' })
    }
  })
})

describe('a server that is busy', () => {
  const busy = fails(
    429,
    { error: { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' } },
    { 'retry-after': '7' },
  )

  test('is answered as 429 with its Retry-After', async () => {
    for (const stream of [false, true]) {
      answers[local] = busy
      const error = await errorOf(client().chat.completions.create({ model: 'local', messages, stream }))
      expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
      expect(error.headers?.get('retry-after')).toBe('7')
    }
  })

  test('causes a request to the other server', async () => {
    answers[remote] = busy
    answers[local] = () => completion('Near.')
    const data = await client(twoServers()).chat.completions.create({
      model: 'auto',
      messages,
      metadata: { project: 'busy' },
    })
    expect(about(data)).toMatchObject({ backend: 'local' })
  })

  test('is reported together with the failure of the other server', async () => {
    answers[remote] = busy
    answers[local] = fails(500, 'no')
    const error = await errorOf(
      client(twoServers()).chat.completions.create({ model: 'auto', messages, metadata: { project: 'both' } }),
    )
    expect(error).toMatchObject({ status: 429 })
    expect(error.message).toMatch(/Rate limit reached.*local model/)
    expect(error.headers?.get('retry-after')).toBe('7')
  })
})

describe('base URLs', () => {
  test.each([
    ['', '/v1/chat/completions'],
    ['/', '/v1/chat/completions'],
    ['/v1', '/v1/chat/completions'],
    ['/v1/', '/v1/chat/completions'],
    ['/compat', '/compat/chat/completions'],
    ['/v1beta/openai/', '/v1beta/openai/chat/completions'],
    ['/api/paas/v4', '/api/paas/v4/chat/completions'],
    ['/v1/account/gateway/compat', '/v1/account/gateway/compat/chat/completions'],
    ['/openai/v1/chat/completions', '/openai/v1/chat/completions'],
  ])('%s is called at %s', async (path, expected) => {
    for (const variables of [{ LLAMA_CPP_BASE_URL: local + path }, { REMOTE_MODEL_BASE_URL: remote + path }]) {
      const [base = ''] = Object.values(variables)
      const { origin } = new URL(base)
      answers[origin] = () => completion('x')
      await client(variables).chat.completions.create({ model: 'auto', messages })
      expect(asked.at(-1)?.url).toBe(origin + expected)
    }
  })
})

describe('answers with several choices', () => {
  const choices = (...contents: string[]) =>
    contents.map((content, index) => ({ index, finish_reason: 'stop', message: { role: 'assistant', content } }))

  test('are recorded by the first one, in whatever order they arrive', async () => {
    answers[local] = () => completion('', { choices: choices('First.', 'Second.').reverse() })
    const data = await client().chat.completions.create({ model: 'local', messages, n: 2 })
    expect(data.choices).toHaveLength(2)
    expect(await interaction(about(data).interaction_id)).toMatchObject({ response: 'First.' })
  })

  test('are streamed interleaved and recorded by the first one', async () => {
    const of = (index: number, content: string, finish_reason: string | null = null) =>
      event({
        id: 'c',
        object: 'chat.completion.chunk',
        model: 'm',
        choices: [{ index, delta: { content }, finish_reason }],
      })
    answers[local] = streaming(of(1, 'Sec'), of(0, 'Fir'), of(1, 'ond.', 'stop'), of(0, 'st.'), of(0, '', 'stop'), DONE)
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, n: 2, stream: true })
      .withResponse()
    let chunks = 0
    for await (const _ of data) chunks++
    expect(chunks).toBe(5)
    expect(await interaction(response.headers.get('x-interaction-id'))).toMatchObject({
      response: 'First.',
      tags: '["openai"]',
    })
  })

  test('are incomplete until all have ended', async () => {
    const of = (index: number, finish_reason: string | null) =>
      event({ id: 'c', model: 'm', choices: [{ index, delta: { content: 'x' }, finish_reason }] })
    answers[local] = streaming(of(0, null), of(1, null), of(0, 'stop'))
    const stream = await client().chat.completions.create({ model: 'local', messages, n: 2, stream: true })
    const reading = (async () => {
      for await (const _ of stream);
    })()
    await expect(reading).rejects.toThrow(/broke off/)
  })
})

describe('fields that only tracking needs never block an answer to the client', () => {
  const oddUsage = [
    null,
    {},
    'none',
    { total_tokens: null },
    { total_tokens: '15' },
    { total_tokens: -1 },
    { total_tokens: 1.5 },
  ]

  test.each(oddUsage)('usage %j', async (odd) => {
    answers[local] = streaming(
      piece({ content: 'Whole.' }),
      piece({}, 'stop'),
      event({ choices: [], usage: odd }),
      DONE,
    )
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, stream: true })
      .withResponse()
    let text = ''
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe('Whole.')
    const id = response.headers.get('x-interaction-id')
    expect(await interaction(id)).toMatchObject({ response: 'Whole.', tags: '["openai"]' })
    answers[local] = () => completion('Whole.', { usage: odd })
    const whole = await client().chat.completions.create({ model: 'local', messages })
    expect(whole.choices[0]?.message.content).toBe('Whole.')
    expect(await tokensOf(about(whole).interaction_id)).toBeNull()
  })

  test('a null total is the sum of its parts', async () => {
    answers[local] = () =>
      completion('Whole.', { usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: null } })
    const whole = await client().chat.completions.create({ model: 'local', messages })
    expect(await tokensOf(about(whole).interaction_id)).toBe(12)
  })

  test.each([
    [{ model: null, system_fingerprint: null, error: null }],
    [{ choices: [{ index: null, delta: { content: 'x', tool_calls: null, role: null }, logprobs: null }] }],
    [{ choices: [{ delta: { content: 'x', reasoning_content: 'y', tool_calls: [{ function: null }] } }] }],
  ])('a chunk with %j', async (odd) => {
    answers[local] = streaming(
      event({ id: 'c', choices: [], ...odd }),
      piece({ content: 'x' }),
      piece({}, 'stop'),
      DONE,
    )
    const stream = await client().chat.completions.create({ model: 'local', messages, stream: true })
    let ended = false
    for await (const chunk of stream) ended ||= chunk.choices[0]?.finish_reason === 'stop'
    expect(ended).toBe(true)
  })

  test.each([
    ['without [DONE]', [piece({ content: 'Whole.' }, 'stop')]],
    ['without [DONE], after usage', [piece({ content: 'Whole.' }), piece({}, 'stop'), usage]],
    [
      'by a broken connection',
      [piece({ content: 'Whole.' }), piece({}, 'stop'), () => Promise.reject(new Error('reset'))],
    ],
  ])('a stream that ends %s after its finish reason is complete', async (_, pieces) => {
    answers[local] = streaming(...pieces)
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, stream: true })
      .withResponse()
    let text = ''
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe('Whole.')
    expect(await interaction(response.headers.get('x-interaction-id'))).toMatchObject({ tags: '["openai"]' })
  })

  test.each([
    ['is stopped by the client', false],
    ['breaks off', true],
  ])('the tokens of a stream that %s are unknown, not 0', async (_, breaks) => {
    const gone = Promise.withResolvers<void>()
    answers[local] = streaming(piece({ content: 'One ' }), piece({ content: 'two ' }), () =>
      breaks ? Promise.reject(new Error('reset')) : gone.promise,
    )
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, stream: true })
      .withResponse()
    const reading = (async () => {
      for await (const chunk of data) if (!breaks && chunk.choices[0]?.delta.content === 'two ') break
    })()
    if (breaks) await expect(reading).rejects.toThrow()
    else await reading
    gone.resolve()
    expect(await tokensOf(response.headers.get('x-interaction-id') ?? '')).toBeNull()
  })

  async function tokensOf(id: string): Promise<number | null> {
    await settled()
    const request = new Request(`http://localhost/interactions/${id}`)
    const read = await worker.fetch(request, env as unknown as Env, createExecutionContext())
    return (await read.json<{ tokens_used: number | null }>()).tokens_used
  }
})
