import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type OpenAI from 'openai'
import { describe, expect, test, vi } from 'vitest'
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
  event,
  ingest,
  interaction,
  local,
  messages,
  piece,
  QUESTION,
  remote,
  settled,
  streaming,
  twoServers,
  usage,
} from './worker/openai-client.ts'

describe('plain', () => {
  test('answers, with context under the question, and tracks', async () => {
    await ingest('plain')
    answers[local] = () => completion('Sixty seconds [1].')
    const { data, response } = await client({
      LLAMA_CPP_BASE_URL: local,
      LLAMA_CPP_MODEL: 'small',
      RELEVANCE_THRESHOLD: '0.01',
    })
      .chat.completions.create({
        model: 'auto',
        messages: [{ role: 'system', content: 'Be brief.' }, ...messages],
        temperature: 0.2,
        metadata: { project: 'plain' },
      })
      .withResponse()
    expect(data.choices[0]?.message.content).toBe('Sixty seconds [1].')
    expect(data.usage?.total_tokens).toBe(15)
    const { interaction_id, context_ids } = about(data)
    expect(response.headers.get('x-interaction-id')).toBe(interaction_id)
    expect(context_ids).toHaveLength(1)
    const [sent] = asked
    expect(sent?.url).toBe(`${local}/v1/chat/completions`)
    expect(sent?.body).toMatchObject({ model: 'small', temperature: 0.2, stream: false })
    expect(sent?.body).not.toHaveProperty('metadata')
    expect(sent?.body.messages[0]).toEqual({ role: 'system', content: 'Be brief.' })
    expect(sent?.body.messages[1]?.content).toContain('is 60 seconds')
    expect(await interaction(interaction_id)).toMatchObject({
      project: 'plain',
      query: QUESTION,
      response: 'Sixty seconds [1].',
      agent_type: 'local',
      model_used: 'small-q4',
      tokens_used: 15,
      tags: '["openai"]',
    })
    const request = new Request(`http://localhost/interactions/${interaction_id}`)
    const read = await worker.fetch(request, env as unknown as Env, createExecutionContext())
    expect(await read.json()).toMatchObject({
      routing: { route: 'chat', backend: 'local', cause: 'only_model', model: null, fallbacks: [] },
    })
  })

  test('a turn of a conversation includes its context again, because the client does not keep it, and records the answer', async () => {
    await ingest('turns')
    const variables = { LLAMA_CPP_BASE_URL: local, LLAMA_CPP_MODEL: 'small', RELEVANCE_THRESHOLD: '0.01' }
    answers[local] = () => completion('Sixty seconds [1].')
    const history: OpenAI.Chat.ChatCompletionMessageParam[] = []
    for (let turn = 0; turn < 2; turn++) {
      history.push({ role: 'user', content: QUESTION })
      const data = await client(variables).chat.completions.create({
        model: 'auto',
        messages: history,
        metadata: { project: 'turns', conversation_id: 'one' },
      })
      expect(about(data).context_ids).toHaveLength(1)
      expect(asked[turn]?.body.messages.at(-1)?.content).toContain('is 60 seconds')
      history.push({ role: 'assistant', content: data.choices[0]?.message.content ?? '' })
      await settled()
    }
    const request = new Request('http://localhost/session/one?project=turns')
    const session = await worker.fetch(request, env as unknown as Env, createExecutionContext())
    const { turns } = await session.json<{ turns: { answer_tokens: number | null }[] }>()
    expect(turns.map(({ answer_tokens }) => answer_tokens)).toEqual([expect.any(Number), expect.any(Number)])
  })

  test('keeps the parts of a message, and searches for their text', async () => {
    answers[local] = () => completion('A cat.')
    const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA' } }
    const data = await client().chat.completions.create({
      model: 'local',
      messages: [{ role: 'user', content: [image, { type: 'text', text: 'What is this?' }] }],
    })
    expect(asked[0]?.body.messages[0]?.content).toEqual([image, { type: 'text', text: 'What is this?' }])
    expect(await interaction(about(data).interaction_id)).toMatchObject({ query: 'What is this?' })
  })

  test('passes on text added by a harness, but does not search for it', async () => {
    answers[local] = () => completion('Yes.')
    const wrapped = `${QUESTION}\n<system-reminder>Zebra.</system-reminder>`
    await client().chat.completions.create({ model: 'local', messages: [{ role: 'user', content: wrapped }] })
    expect(asked[0]?.body.messages[0]?.content).toContain('Zebra')
  })
})

describe('tools', () => {
  const tools = [{ type: 'function' as const, function: { name: 'read_file', parameters: { type: 'object' } } }]
  const call = { id: 'call-1', type: 'function', function: { name: 'read_file', arguments: '{"path":"a.txt"}' } }

  test('definitions and calls pass through', async () => {
    answers[local] = () =>
      completion('', {
        choices: [
          { index: 0, finish_reason: 'tool_calls', message: { role: 'assistant', content: null, tool_calls: [call] } },
        ],
      })
    const data = await client().chat.completions.create({ model: 'local', messages, tools, tool_choice: 'auto' })
    expect(data.choices[0]?.message.tool_calls).toEqual([call])
    expect(asked[0]?.body).toMatchObject({ tools, tool_choice: 'auto' })
    const row = await interaction(about(data).interaction_id)
    expect(row?.tags).toBe('["openai","tool_calls"]')
    expect(JSON.parse(String(row?.response))).toEqual({
      tool_calls: [{ id: 'call-1', name: 'read_file', arguments: '{"path":"a.txt"}' }],
    })
  })

  test('streams calls, and assembles them for the record', async () => {
    answers[local] = streaming(
      piece({
        tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: { name: 'read_file', arguments: '' } }],
      }),
      piece({ tool_calls: [{ index: 0, function: { arguments: '{"path":' } }] }),
      piece({ tool_calls: [{ index: 0, function: { arguments: '"a.txt"}' } }] }),
      piece({}, 'tool_calls'),
      usage,
      DONE,
    )
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, tools, stream: true })
      .withResponse()
    let joined = ''
    for await (const chunk of data) joined += chunk.choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? ''
    expect(joined).toBe('{"path":"a.txt"}')
    expect(await interaction(response.headers.get('x-interaction-id'))).toMatchObject({
      tokens_used: 15,
      response: '{"tool_calls":[{"id":"call-1","name":"read_file","arguments":"{\\"path\\":\\"a.txt\\"}"}]}',
    })
  })
})

describe('streaming', () => {
  test('passes on chunks immediately, hides usage that was not requested, and tracks at the end', async () => {
    answers[local] = streaming(
      piece({ role: 'assistant', content: 'Sixty ' }),
      piece({ content: 'seconds.' }),
      piece({}, 'stop'),
      usage,
      DONE,
    )
    const { data, response } = await client()
      .chat.completions.create({ model: 'auto', messages, stream: true })
      .withResponse()
    const chunks = []
    for await (const chunk of data) chunks.push(chunk)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Sixty seconds.')
    expect(chunks.every(({ choices }) => choices.length === 1)).toBe(true)
    const id = response.headers.get('x-interaction-id')
    expect(about(chunks.at(-1) ?? {})).toMatchObject({ interaction_id: id, backend: 'local' })
    expect(asked[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
    expect(await interaction(id)).toMatchObject({ response: 'Sixty seconds.', tokens_used: 15, tags: '["openai"]' })
  })

  test('includes requested usage', async () => {
    answers[local] = streaming(piece({ content: 'Yes.' }), piece({}, 'stop'), usage, DONE)
    const stream = await client().chat.completions.create({
      model: 'local',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    let tokens = 0
    for await (const chunk of stream) tokens = chunk.usage?.total_tokens ?? tokens
    expect(tokens).toBe(15)
  })

  test('a client that disconnects stops the server, and the fragment is marked', async () => {
    const gone = Promise.withResolvers<void>()
    answers[local] = streaming(
      piece({ content: 'One ' }),
      piece({ content: 'two ' }),
      () => gone.promise,
      piece({ content: 'three' }, 'stop'),
      DONE,
    )
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, stream: true })
      .withResponse()
    for await (const chunk of data) if (chunk.choices[0]?.delta.content === 'two ') break
    await vi.waitFor(() => expect(asked[0]?.signal?.aborted).toBe(true), 1_800_000)
    gone.resolve()
    expect(await interaction(response.headers.get('x-interaction-id'))).toMatchObject({
      response: 'One two ',
      tags: '["openai","stopped"]',
      outcome: null,
    })
    answers[local] = () => completion('Still trusted.')
    for (let n = 0; n < 6; n++) await client().chat.completions.create({ model: 'local', messages })
  })

  test.each([
    ['breaks off', [piece({ content: 'One ' }), piece({ content: 'two' })]],
    ['ends without a reason', [piece({ content: 'One ' }), piece({ content: 'two' }), DONE]],
    [
      'reports an error',
      [piece({ content: 'One ' }), piece({ content: 'two' }), event({ error: { message: 'out of memory' } }), DONE],
    ],
    ['sends something else', [piece({ content: 'One ' }), piece({ content: 'two' }), event('<html>'), DONE]],
  ])('a server that %s ends the stream with an error, never cleanly', async (_, pieces) => {
    answers[local] = streaming(...pieces)
    const { data, response } = await client()
      .chat.completions.create({ model: 'local', messages, stream: true })
      .withResponse()
    let text = ''
    const reading = (async () => {
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ''
    })()
    await expect(reading).rejects.toThrow(/broke off/)
    expect(text).toBe('One two')
    expect(await interaction(response.headers.get('x-interaction-id'))).toMatchObject({
      response: 'One two',
      tags: '["openai","incomplete"]',
    })
  })
})

describe('errors before an answer', () => {
  test('a failing server is an error and recorded, and nothing is tracked', async () => {
    for (const stream of [false, true]) {
      answers[local] = () => new Response('no', { status: 500 })
      const request = client().chat.completions.create({
        model: 'local',
        messages,
        stream,
        metadata: { project: `failing-${stream}` },
      })
      await expect(request).rejects.toMatchObject({ status: 503, code: 'engine_unavailable', type: 'server_error' })
      const { record } = await decision(`failing-${stream}`)
      expect(record).toMatchObject({ status: 'failed', interaction_id: null })
      expect(
        await env.DB.prepare('SELECT count(*) AS n FROM interactions WHERE project = ?')
          .bind(`failing-${stream}`)
          .first('n'),
      ).toBe(0)
    }
  })

  test('an answer that is not a completion is not a success', async () => {
    answers[local] = () => Response.json({ ok: true })
    await expect(client().chat.completions.create({ model: 'local', messages })).rejects.toMatchObject({ status: 503 })
  })

  test.each([
    [{ messages: [] }, 'messages'],
    [{ messages: 'hello' }, 'messages'],
    [{ messages, metadata: { project: '../x' } }, 'project'],
  ])("rejects bad input %# in OpenAI's format", async (body, param) => {
    await expect(
      client().chat.completions.create({
        model: 'auto',
        ...body,
      } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming),
    ).rejects.toMatchObject({ status: 400, type: 'invalid_request_error', param })
  })

  test('without any model, states what to set', async () => {
    await expect(client({}).chat.completions.create({ model: 'auto', messages })).rejects.toThrow(/LLAMA_CPP_BASE_URL/)
    await expect(client().chat.completions.create({ model: 'gpt-9', messages })).rejects.toMatchObject({ status: 404 })
  })
})

describe('two servers', () => {
  const both = () => client(twoServers())

  test('a cold start goes to the remote server', async () => {
    answers[remote] = () => completion('From far.', { model: 'large' })
    const data = await both().chat.completions.create({ model: 'auto', messages, metadata: { project: 'cold' } })
    expect(about(data)).toMatchObject({ backend: 'remote', cause: 'cold_start', fallbacks: [] })
    expect(asked[0]).toMatchObject({ url: `${remote}/v1/chat/completions`, body: { model: 'large' } })
    expect(await interaction(about(data).interaction_id)).toMatchObject({ agent_type: 'remote', model_used: 'large' })
  })

  test.each([false, true])(
    'if it fails, the other one answers, and the record contains the reason (streamed: %s)',
    async (stream) => {
      answers[remote] = () => new Response('no', { status: 500 })
      answers[local] = stream
        ? streaming(piece({ content: 'Near.' }), piece({}, 'stop'), DONE)
        : () => completion('Near.')
      const project = `fallback-${stream}`
      const { data, response } = await both()
        .chat.completions.create({ model: 'auto', messages, stream, metadata: { project } })
        .withResponse()
      let text = ''
      if (Symbol.asyncIterator in data) for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ''
      else text = data.choices[0]?.message.content ?? ''
      expect(text).toBe('Near.')
      expect(response.headers.get('x-backend')).toBe('local')
      expect((await decision(project)).record).toMatchObject({
        status: 'complete',
        fallbacks: [{ from: 'remote', to: 'local', reason: expect.stringContaining('500') }],
      })
    },
  )

  test('a model requested by name goes to the server that has it', async () => {
    answers[remote] = ({ body }) => completion('x', { model: body.model })
    const data = await both().chat.completions.create({ model: 'large-vision', messages })
    expect(data.model).toBe('large-vision')
    expect(asked).toHaveLength(1)
  })
})

describe('a local server with several models', () => {
  const several = () =>
    client({
      LLAMA_CPP_BASE_URL: local,
      LLAMA_CPP_MODEL: 'talker',
      LLAMA_CPP_CODING_MODEL: 'coder',
      LLAMA_CPP_ANALYSIS_MODEL: 'thinker',
    })

  test.each([
    ['Write a haiku about rain.', 'talker'],
    ['Why does `parseConfig()` throw in src/config.ts?', 'coder'],
    ['Compare both vendors: pros and cons.', 'thinker'],
  ])('%s is answered by %s', async (content, model) => {
    answers[local] = ({ body }) => completion('x', { model: body.model })
    for (const wish of ['auto', 'local']) {
      const data = await several().chat.completions.create({ model: wish, messages: [{ role: 'user', content }] })
      expect(data.model).toBe(model)
    }
  })

  test('can be requested by name and are listed', async () => {
    answers[local] = ({ body }) => completion('x', { model: body.model })
    const data = await several().chat.completions.create({ model: 'coder', messages })
    expect(data.model).toBe('coder')
    const ids = (await several().models.list()).data.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['auto', 'local', 'talker', 'coder', 'thinker']))
  })
})

describe('models and embeddings', () => {
  test('models', async () => {
    const ids = (await client().models.list()).data.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['auto', 'local', 'small']))
  })

  test('embeddings in both formats', async () => {
    const input = ['reverse proxy timeout', 'database']
    const packed = await client().embeddings.create({ model: 'any', input })
    const plain = await client().embeddings.create({ model: 'any', input, encoding_format: 'float' })
    expect(packed.data).toHaveLength(2)
    const [a, b] = [packed.data[0]?.embedding ?? [], plain.data[0]?.embedding ?? []]
    expect(a).toHaveLength(b.length)
    expect(Math.hypot(...a)).toBeCloseTo(1, 3)
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] ?? 0, 6)
    expect(packed.usage.total_tokens).toBeGreaterThan(2)
  })

  test('a text without known words gets an error, not an invented vector', async () => {
    await expect(client().embeddings.create({ model: 'any', input: ['🜁🜂🜃'] })).rejects.toMatchObject({
      status: 400,
      param: 'input[0]',
    })
  })
})
