/**
 * A model server without a model: it implements the four APIs that agents use, calls the given tools, and then answers
 * with one sentence. It records its requests, which are what a model would have received.
 * @module
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The final answer, when there are no more tools to call. */
export const ANSWER = 'As the note says, set keepAliveTimeout to 50 seconds.'

/** A tool that the model calls if it is offered. Matched by the end of its name, because agents add a prefix. */
export interface ToolCall {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** A running server. */
export interface ModelServer {
  readonly url: string
  /** Bodies of the answer requests, as text. */
  readonly seen: string[]
  close(): Promise<void>
}

/** The model's next step, in one of the APIs. */
interface Step {
  readonly text?: string
  readonly call?: Offered & { readonly id: string; readonly arguments: ToolCall['arguments'] }
}

/** A tool with the name used by an agent. Codex puts a server's tools in a namespace. */
interface Offered {
  readonly name: string
  readonly namespace?: string
}

type Body = Record<string, unknown>

/**
 * Starts the server.
 * @param calls tools to call, in order, once per conversation, if the agent offers them
 */
export async function startModelServer(calls: readonly ToolCall[] = []): Promise<ModelServer> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const raw = Buffer.concat(pieces).toString()
      const path = (request.url ?? '').split('?')[0] ?? ''
      const body = parsed(raw)
      const form = FORMS.find(({ matches }) => matches.test(path))
      if (!form) return void json(response, elsewhere(path))
      seen.push(raw)
      // Counts the tool results in the request: the conversation itself shows its progress.
      const results = raw.match(form.result)?.length ?? 0
      const next = calls[results]
      const tool = next && offered(body.tools, next.name)
      const step: Step =
        next && tool ? { call: { id: `call_${results}`, ...tool, arguments: next.arguments } } : { text: ANSWER }
      form.answer(response, step, body, path)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Finds a tool by the end of its name, in the tool list of any API. */
function offered(tools: unknown, wanted: string): Offered | undefined {
  for (const tool of Array.isArray(tools) ? tools : []) {
    const { type, name: group, tools: inner } = tool as { type?: string; name?: string; tools?: unknown }
    if (type === 'namespace') {
      const found = offered(inner, wanted)
      if (found) return { ...found, ...(group && { namespace: group }) }
      continue
    }
    const name = new RegExp(`"name":"([\\w.-]*${wanted})"`).exec(JSON.stringify(tool))?.[1]
    if (name) return { name }
  }
  return undefined
}

function parsed(raw: string): Body {
  try {
    return JSON.parse(raw) as Body
  } catch {
    return {}
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** Lists of models, counts of tokens, telemetry. */
function elsewhere(path: string): unknown {
  if (path.endsWith('/models')) return { object: 'list', data: [{ id: 'fake', object: 'model' }], models: [] }
  if (path.includes('count')) return { input_tokens: 10, totalTokens: 10 }
  return {}
}

function stream(response: ServerResponse, events: readonly { event?: string; data: unknown }[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const { event, data } of events)
    response.write(
      `${event ? `event: ${event}\n` : ''}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
    )
  response.end()
}

interface Form {
  readonly matches: RegExp
  /** A pattern that matches once per tool result in a request. */
  readonly result: RegExp
  answer(response: ServerResponse, step: Step, body: Body, path: string): void
}

const FORMS: readonly Form[] = [
  {
    // Anthropic Messages.
    matches: /\/v1\/messages$/,
    result: /"type":"tool_result"/g,
    answer(response, { text, call }, { stream: streamed, model }) {
      const block = call
        ? { type: 'tool_use', id: call.id, name: call.name, input: call.arguments }
        : { type: 'text', text }
      const reason = call ? 'tool_use' : 'end_turn'
      const message = { id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null }
      const usage = { input_tokens: 10, output_tokens: 10 }
      if (!streamed) return json(response, { ...message, content: [block], stop_reason: reason, usage })
      const empty = call ? { ...block, input: {} } : { type: 'text', text: '' }
      const delta = call
        ? { type: 'input_json_delta', partial_json: JSON.stringify(call.arguments) }
        : { type: 'text_delta', text }
      const events: Body[] = [
        { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage } },
        { type: 'content_block_start', index: 0, content_block: empty },
        { type: 'content_block_delta', index: 0, delta },
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage },
        { type: 'message_stop' },
      ]
      stream(
        response,
        events.map((data) => ({ event: String(data.type), data })),
      )
    },
  },
  {
    // OpenAI Responses.
    matches: /\/responses$/,
    result: /"type":"function_call_output"/g,
    answer(response, { text, call }, { stream: streamed, model }) {
      const item = call
        ? {
            id: `fc_${call.id}`,
            type: 'function_call',
            call_id: call.id,
            name: call.name,
            ...(call.namespace && { namespace: call.namespace }),
            arguments: JSON.stringify(call.arguments),
            status: 'completed',
          }
        : {
            id: 'msg_1',
            type: 'message',
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text, annotations: [] }],
          }
      const usage = { input_tokens: 10, output_tokens: 10, total_tokens: 20 }
      const base = { id: 'resp_1', object: 'response', model, created_at: 1 }
      const done = { ...base, status: 'completed', output: [item], usage }
      if (!streamed) return json(response, done)
      const events: Body[] = [
        { type: 'response.created', response: { ...base, status: 'in_progress', output: [] } },
        { type: 'response.output_item.added', output_index: 0, item },
        ...(call ? [] : [{ type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, delta: text }]),
        { type: 'response.output_item.done', output_index: 0, item },
        { type: 'response.completed', response: done },
      ]
      stream(
        response,
        events.map((data) => ({ event: String(data.type), data })),
      )
    },
  },
  {
    // OpenAI Chat Completions.
    matches: /\/chat\/completions$/,
    result: /"role":"tool"/g,
    answer(response, { text, call }, { stream: streamed, model }) {
      const calls = call && [
        {
          index: 0,
          id: call.id,
          type: 'function',
          function: { name: call.name, arguments: JSON.stringify(call.arguments) },
        },
      ]
      const said = calls
        ? { role: 'assistant', content: null, tool_calls: calls }
        : { role: 'assistant', content: text }
      const finish_reason = calls ? 'tool_calls' : 'stop'
      const base = { id: 'chatcmpl-1', created: 1, model }
      const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 }
      if (!streamed)
        return json(response, {
          ...base,
          object: 'chat.completion',
          choices: [{ index: 0, message: said, finish_reason }],
          usage,
        })
      const chunk = { ...base, object: 'chat.completion.chunk' }
      stream(response, [
        { data: { ...chunk, choices: [{ index: 0, delta: said, finish_reason: null }] } },
        { data: { ...chunk, choices: [{ index: 0, delta: {}, finish_reason }], usage } },
        { data: '[DONE]' },
      ])
    },
  },
  {
    // Gemini.
    matches: /:(?:stream)?[gG]enerateContent$/,
    result: /"functionResponse":/g,
    answer(response, { text, call }, _, path) {
      const part = call ? { functionCall: { name: call.name, args: call.arguments } } : { text }
      const value = {
        candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 10, totalTokenCount: 20 },
      }
      if (path.includes('stream')) stream(response, [{ data: value }])
      else json(response, value)
    },
  },
]
