import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import OpenAI from 'openai'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { Env } from '../../../src/env.ts'
import worker from '../../../src/worker.ts'

/** The official OpenAI client in front of the whole Worker, with model servers behind it. */

/** The requests to the servers behind the coordinator. */
export interface Asked {
  url: string
  body: { model?: string; messages: { role: string; content: unknown }[]; [field: string]: unknown }
  signal: AbortSignal | null
}

export type Answer = (asked: Asked) => Response | Promise<Response>

export let asked: Asked[] = []
export let answers: Record<string, Answer> = {}
let contexts: ExecutionContext[] = []
let servers = 0

/** New addresses for every test, because an open breaker stays with its server. */
export let local = ''
export let remote = ''

beforeEach(() => {
  asked = []
  contexts = []
  servers++
  local = `http://local-${servers}.test`
  remote = `http://remote-${servers}.test`
  answers = {}
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = String(input instanceof Request ? input.url : input)
    const call: Asked = { url, body: JSON.parse(String(init?.body ?? '{}')), signal: init?.signal ?? null }
    asked.push(call)
    const answer = answers[new URL(url).origin]
    if (!answer) throw new TypeError('connection refused')
    return answer(call)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** The official client in front of the whole Worker. */
export function client(
  variables: Partial<Record<keyof Env, string>> = { LLAMA_CPP_BASE_URL: local, LLAMA_CPP_MODEL: 'small' },
  apiKey = 'unused',
) {
  const bindings = {
    ...env,
    JOBS: { send: async () => undefined, sendBatch: async () => undefined },
    ROUTING_EXPLORATION: '0',
    ...variables,
  } as unknown as Env
  return new OpenAI({
    apiKey,
    baseURL: 'http://localhost/v1',
    maxRetries: 0,
    dangerouslyAllowBrowser: true,
    fetch: async (url, init) => {
      const context = createExecutionContext()
      contexts.push(context)
      return worker.fetch(new Request(url as string, init as RequestInit), bindings, context)
    },
  })
}

/** The variables of a coordinator with two servers. */
export const twoServers = () => ({
  LLAMA_CPP_BASE_URL: local,
  REMOTE_MODEL_BASE_URL: `${remote}/v1`,
  REMOTE_MODEL: 'large',
  REMOTE_MODEL_API_KEY: 'secret-of-the-remote-server',
})

/** Waits until all background writes are complete. */
export const settled = () => Promise.all(contexts.map((context) => waitOnExecutionContext(context)))

export async function interaction(id: string | null | undefined): Promise<Record<string, unknown> | null> {
  await settled()
  return env.DB.prepare('SELECT * FROM interactions WHERE id = ?')
    .bind(id ?? '')
    .first()
}

export async function decision(project: string): Promise<{ backend: string; record: Record<string, unknown> }> {
  await settled()
  const row = await env.DB.prepare('SELECT * FROM routing_decisions WHERE project = ? ORDER BY id DESC LIMIT 1')
    .bind(project)
    .first<{ backend: string; record: string }>()
  return { backend: row?.backend ?? '', record: JSON.parse(row?.record ?? '{}') }
}

export const completion = (content: string, extra: object = {}) =>
  Response.json({
    id: 'c1',
    object: 'chat.completion',
    created: 1,
    model: 'small-q4',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    ...extra,
  })

export const event = (data: unknown) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
export const piece = (delta: object, finish: string | null = null) =>
  event({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'small-q4',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })
export const usage = event({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'small-q4',
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
})
export const DONE = event('[DONE]')

/** A streamed answer. A chunk that is a function is called when its turn comes. */
export function streaming(...pieces: (string | (() => Promise<unknown>))[]): Answer {
  return ({ signal }) => {
    const rest = [...pieces]
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        signal?.throwIfAborted()
        const next = rest.shift()
        if (next === undefined) return controller.close()
        if (typeof next === 'string') return controller.enqueue(encoder.encode(next))
        await next()
        controller.enqueue(encoder.encode(': still here\n\n'))
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

export const QUESTION = 'How long is the timeout of the reverse proxy?'
export const messages = [{ role: 'user' as const, content: QUESTION }]
interface About {
  hybrid_coordinator: {
    interaction_id: string
    decision_id: string
    backend: string
    cause: string
    context_ids: string[]
    fallbacks: object[]
    truncated?: object[]
  }
}
export const about = (answer: object) => (answer as unknown as About).hybrid_coordinator

export async function ingest(project: string): Promise<void> {
  const request = new Request('http://localhost/knowledge/items', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      project,
      collection: 'best-practices',
      items: [
        {
          fields: {
            title: 'Timeout of the reverse proxy',
            description: 'The timeout of the reverse proxy is 60 seconds.',
          },
        },
      ],
    }),
  })
  const response = await worker.fetch(request, env as unknown as Env, createExecutionContext())
  expect(response.status).toBe(200)
}

/** Returns the error of a request. */
export async function errorOf(asking: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const outcome = await asking.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(outcome).toBeInstanceOf(OpenAI.APIError)
  return outcome as InstanceType<typeof OpenAI.APIError>
}
