/**
 * The platform's own `AI` binding in the built Worker, with our own server in the place of Cloudflare's: checks what is
 * sent, and which parts of the answer are passed on.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'

const CHAT = '@cf/test/chat'
const EMBEDDINGS = '@cf/baai/bge-small-en-v1.5'
const SIZE = 384

interface Asked {
  readonly url: string
  readonly model: string
  readonly inputs: { readonly stream?: boolean; readonly text?: readonly string[]; readonly pooling?: string }
}

const asked: Asked[] = []
let busy = false
let server: Server
let worker: LocalWorker

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const { inputs } = JSON.parse(body) as Pick<Asked, 'inputs'>
    const header = (name: string) => String(request.headers[name])
    asked.push({ url: header('mf-url'), model: header('mf-header-cf-consn-model-id'), inputs })
    const json = { 'content-type': 'application/json' }
    if (busy) {
      response.writeHead(429, { ...json, 'retry-after': '9' })
      response.end(
        '{"internalCode":3040,"name":"AiError","description":"No more data centers to forward the request to"}',
      )
    } else if (inputs.text) {
      const data = inputs.text.map((_, i) => Array.from({ length: SIZE }, (__, at) => Math.sin(at + i)))
      response.writeHead(200, json).end(JSON.stringify({ shape: [data.length, SIZE], data, pooling: inputs.pooling }))
    } else {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('data: {"response":"Sixty "}\n\ndata: {"response":"seconds."}\n\ndata: [DONE]\n\n')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  worker = await startLocalWorker({
    workersAi: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    variables: { WORKERS_AI_LOCAL_MODEL: CHAT, WORKERS_AI_EMBEDDING_MODEL: EMBEDDINGS, LOG_LEVEL: 'error' },
  })
})
afterAll(async () => {
  await worker?.stop()
  server?.close()
})

function post(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(worker.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
}

it('embeds stored items and streams an answer', async () => {
  const items = [{ fields: { description: 'The reverse proxy waits sixty seconds.' } }]
  const stored = await post('/knowledge/items', { collection: 'best-practices', items })
  expect(stored.status).toBe(200)
  const { collections } = (await (await fetch(`${worker.url}/collections`)).json()) as {
    collections: { name: string; items: number; with_vector: number }[]
  }
  expect(collections.find(({ name }) => name === 'best-practices')).toMatchObject({ items: 1, with_vector: 1 })
  const messages = [{ role: 'user', content: 'How long does the reverse proxy wait?' }]
  const text = await (await post('/v1/chat/completions', { model: 'local', messages, stream: true })).text()
  expect(text).toContain('"content":"Sixty "')
  expect(text).toContain('"finish_reason":"stop"')
  expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
  expect(new Set(asked.map(({ url }) => new URL(url).origin + new URL(url).pathname))).toEqual(
    new Set(['https://workers-binding.ai/run']),
  )
  // The stored item, the questions for measuring the collection's scale, the question, and the chat.
  expect(new Set(asked.slice(0, -1).map(({ model }) => model))).toEqual(new Set([EMBEDDINGS]))
  expect(asked.at(-1)?.model).toBe(CHAT)
  expect(asked[0]?.inputs.pooling).toBe('cls')
})

it('reports overload by status and header', async () => {
  busy = true
  const messages = [{ role: 'user', content: 'And the gateway?' }]
  const response = await post('/v1/chat/completions', { model: 'local', messages })
  expect(response.status).toBe(429)
  expect(response.headers.get('retry-after')).toBe('9')
})
