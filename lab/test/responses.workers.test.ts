import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import {
  about,
  answers,
  asked,
  client,
  completion,
  DONE,
  event,
  ingest,
  interaction,
  local,
  piece,
  QUESTION,
  streaming,
  usage,
} from './worker/openai-client.ts'

/** The Responses API with the official client, for clients that support nothing else. */

const tools: OpenAI.Responses.Tool[] = [
  { type: 'function', name: 'read_file', description: 'Reads.', parameters: { type: 'object' }, strict: false },
]

describe('a complete response', () => {
  test('is augmented, translated both ways, and tracked', async () => {
    await ingest('responses')
    answers[local] = () => completion('Sixty seconds [1].')
    const { data, response } = await client({ LLAMA_CPP_BASE_URL: local, RELEVANCE_THRESHOLD: '0.01' })
      .responses.create({
        model: 'auto',
        instructions: 'Be brief.',
        input: QUESTION,
        temperature: 0.2,
        max_output_tokens: 100,
        reasoning: { effort: 'low' },
        text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true } },
        metadata: { project: 'responses' },
      })
      .withResponse()
    expect(data).toMatchObject({
      object: 'response',
      status: 'completed',
      error: null,
      model: 'small-q4',
      store: false,
    })
    expect(data.output_text).toBe('Sixty seconds [1].')
    expect(data.usage).toMatchObject({ input_tokens: 10, output_tokens: 5, total_tokens: 15 })
    expect(asked[0]?.body).toMatchObject({
      temperature: 0.2,
      max_completion_tokens: 100,
      reasoning_effort: 'low',
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'answer', schema: { type: 'object' }, strict: true },
      },
      stream: false,
    })
    expect(asked[0]?.body.messages[0]).toEqual({ role: 'system', content: 'Be brief.' })
    expect(asked[0]?.body.messages[1]?.content).toContain('is 60 seconds')
    expect(about(data).context_ids).toHaveLength(1)
    expect(response.headers.get('x-interaction-id')).toBe(about(data).interaction_id)
    expect(await interaction(about(data).interaction_id)).toMatchObject({
      project: 'responses',
      query: QUESTION,
      response: 'Sixty seconds [1].',
      tokens_used: 15,
    })
  })

  test('accepts a whole conversation: messages, images, calls and their outputs', async () => {
    answers[local] = () => completion('Done.')
    await client().responses.create({
      model: 'local',
      input: [
        { role: 'developer', content: 'Be brief.' },
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
          ],
        },
        { type: 'reasoning', id: 'rs_1', summary: [] },
        {
          type: 'message',
          role: 'assistant',
          id: 'm',
          status: 'completed',
          content: [{ type: 'output_text', text: 'I look.', annotations: [], logprobs: [] }],
        },
        { type: 'function_call', call_id: 'a', name: 'read_file', arguments: '{"path":"a"}' },
        { type: 'function_call', call_id: 'b', name: 'read_file', arguments: '{"path":"b"}' },
        { type: 'function_call_output', call_id: 'a', output: 'A' },
        { type: 'function_call_output', call_id: 'b', output: [{ type: 'input_text', text: 'B' }] },
      ],
      tools: [...tools, { type: 'web_search' }],
      tool_choice: { type: 'function', name: 'read_file' },
    })
    const call = (id: string) => ({
      id,
      type: 'function',
      function: { name: 'read_file', arguments: `{"path":"${id}"}` },
    })
    expect(asked[0]?.body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
        ],
      },
      { role: 'assistant', content: 'I look.', tool_calls: [call('a'), call('b')] },
      { role: 'tool', tool_call_id: 'a', content: 'A' },
      { role: 'tool', tool_call_id: 'b', content: 'B' },
    ])
    expect(asked[0]?.body).toMatchObject({
      tools: [
        {
          type: 'function',
          function: { name: 'read_file', description: 'Reads.', parameters: { type: 'object' }, strict: false },
        },
      ],
      tool_choice: { type: 'function', function: { name: 'read_file' } },
    })
  })

  test('returns tool calls, and names the tools that no server here supports', async () => {
    const calls = ['a', 'b'].map((id) => ({ id, type: 'function', function: { name: 'read_file', arguments: '{}' } }))
    answers[local] = () =>
      completion('', {
        choices: [
          { index: 0, finish_reason: 'tool_calls', message: { role: 'assistant', content: null, tool_calls: calls } },
        ],
      })
    const data = await client().responses.create({
      model: 'local',
      input: QUESTION,
      tools: [...tools, { type: 'web_search' }],
    })
    expect(data.output).toEqual(
      ['a', 'b'].map((call_id) => ({
        type: 'function_call',
        id: expect.stringMatching(/^fc_/),
        status: 'completed',
        call_id,
        name: 'read_file',
        arguments: '{}',
      })),
    )
    expect(about(data)).toMatchObject({ ignored_tools: ['web_search'] })
    expect((await interaction(about(data).interaction_id))?.tags).toBe('["openai","tool_calls"]')
  })

  test.each([
    ['length', 'incomplete', { reason: 'max_output_tokens' }],
    ['content_filter', 'incomplete', { reason: 'content_filter' }],
    ['stop', 'completed', null],
  ])('that ended with %s is %s', async (finish_reason, status, incomplete_details) => {
    answers[local] = () =>
      completion('', { choices: [{ index: 0, finish_reason, message: { role: 'assistant', content: 'Half' } }] })
    const data = await client().responses.create({ model: 'local', input: QUESTION })
    expect(data).toMatchObject({ status, incomplete_details })
  })
})

describe('a streamed response', () => {
  test('of text: events in order, numbered, and the complete response at the end', async () => {
    answers[local] = streaming(
      piece({ role: 'assistant', content: '' }),
      piece({ content: 'Sixty ' }),
      piece({ content: 'seconds.' }),
      piece({}, 'stop'),
      usage,
      DONE,
    )
    const stream = await client().responses.create({ model: 'local', input: QUESTION, stream: true })
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const one of stream) events.push(one)
    expect(events.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, at) => at))
    const last = events.at(-1)
    expect(last?.type === 'response.completed' && last.response).toMatchObject({
      status: 'completed',
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'Sixty seconds.' }] }],
      usage: { total_tokens: 15 },
      hybrid_coordinator: { backend: 'local' },
    })
  })

  test('of text and calls, assembled by the client', async () => {
    const call = (index: number, rest: object) => piece({ tool_calls: [{ index, ...rest }] })
    answers[local] = streaming(
      piece({ content: 'I look.' }),
      call(0, { id: 'a', type: 'function', function: { name: 'read_file', arguments: '' } }),
      call(0, { function: { arguments: '{"path":' } }),
      call(0, { function: { arguments: '"a"}' } }),
      call(1, { id: 'b', type: 'function', function: { name: 'read_file', arguments: '{}' } }),
      piece({}, 'tool_calls'),
      DONE,
    )
    const stream = client().responses.stream({ model: 'local', input: QUESTION, tools })
    const response = await stream.finalResponse()
    expect(response.output).toMatchObject([
      { type: 'message', content: [{ text: 'I look.' }] },
      { type: 'function_call', call_id: 'a', name: 'read_file', arguments: '{"path":"a"}' },
      { type: 'function_call', call_id: 'b', name: 'read_file', arguments: '{}' },
    ])
    expect(response.usage).toBeNull()
  })

  test('that breaks off ends as failed, never as completed', async () => {
    answers[local] = streaming(piece({ content: 'One ' }), event('<html>'))
    const stream = await client().responses.create({ model: 'local', input: QUESTION, stream: true })
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const one of stream) events.push(one)
    const last = events.at(-1)
    expect(last).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { message: expect.stringMatching(/broke off/) } },
    })
  })
})

describe('rejects unsupported input by name', () => {
  test.each([
    [{ previous_response_id: 'resp_1' }, 'previous_response_id', /whole conversation/],
    [{ background: true }, 'background', /background/],
    [{ input: [] }, 'input', /input/],
    [{ input: 5 }, 'input', /array/],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0]', /item_reference/],
    [{ input: [{ type: 'local_shell_call', id: 'x' }] }, 'input[0]', /local_shell_call/],
    [{ input: [{ role: 'robot', content: 'x' }] }, 'input[0].role', /user, assistant/],
    [
      { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'x' }] }] },
      'input[0].content[0]',
      /input_file/,
    ],
    [
      { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'x' }] }] },
      'input[0].content[0].image_url',
      /image_url/,
    ],
    [{ tools: [{ type: 'function' }] }, 'tools[0]', /name/],
    [{ tools, tool_choice: { type: 'web_search' } }, 'tool_choice', /web_search/],
    [{ metadata: { project: '../x' } }, 'project', /project/],
  ])('%j', async (change, param, message) => {
    const request = { model: 'local', input: QUESTION, ...change } as OpenAI.Responses.ResponseCreateParamsNonStreaming
    await expect(client().responses.create(request)).rejects.toMatchObject({
      status: 400,
      param,
      message: expect.stringMatching(message),
    })
    expect(asked).toHaveLength(0)
  })

  test('passes an error of the model server to the client', async () => {
    answers[local] = () =>
      Response.json({ error: { message: 'too long', code: 'context_length_exceeded' } }, { status: 400 })
    for (const stream of [false, true]) {
      await expect(client().responses.create({ model: 'local', input: QUESTION, stream })).rejects.toMatchObject({
        status: 400,
        code: 'context_length_exceeded',
      })
    }
  })
})
