/**
 * Stand-in servers for engines, each with one weakness.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface StandIn {
  readonly url: string
  stop(): void
}

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => Promise<void> | void

/** Starts a server on a free local port. */
export async function serve(answer: Answer): Promise<StandIn> {
  const server: Server = createServer((request, response) => {
    void readBody(request)
      .then((body) => answer(request, body, response))
      .catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Answers every request with a sign-in page and status 200. */
export const loginPage = () =>
  serve((_, __, response) => void response.setHeader('content-type', 'text/html').end('<html>Sign in</html>'))

/** Qdrant before 1.18: another version, and no endpoint for named vectors. */
export const oldQdrant = (upstream: string) =>
  serve(async (request, body, response) => {
    if (request.url === '/') return json(response, { title: 'qdrant', version: '1.17.2' })
    if (/\/vectors\//.test(request.url ?? '')) return void response.writeHead(404).end()
    await forward(upstream, request, body, response)
  })

/** Answers 401 to requests without the key. */
export const lockedQdrant = (upstream: string, key: string) =>
  serve(async (request, body, response) => {
    if (request.headers['api-key'] !== key) return void response.writeHead(401).end('Must provide an API key')
    await forward(upstream, request, body, response)
  })

/**
 * An embedding server that takes a fixed time per text, processes one request at a time, and stops if its client
 * disconnects.
 * @param upstream source of the vectors; null: generated vectors
 */
export async function slowEmbedder(paceMs: number, dimensions: number, upstream: string | null): Promise<StandIn> {
  let queue = Promise.resolve()
  return serve((request, body, response) => {
    if (request.method !== 'POST') return json(response, {})
    const { input } = JSON.parse(body) as { input: string[] }
    queue = queue.then(async () => {
      for (const _ of input) {
        if (response.destroyed) return
        await sleep(paceMs)
      }
      if (upstream) return forward(upstream, request, body, response)
      const data = input.map((text, index) => ({ index, embedding: madeUp(text, dimensions) }))
      return json(response, { data })
    })
    return queue
  })
}

function madeUp(text: string, dimensions: number): number[] {
  return Array.from({ length: dimensions }, (_, i) => Math.sin((i + 1) * (text.length + 1)))
}

/** A chat server that sends a word at a fixed interval and never ends, unless a limit is given. */
export const talkative = (wordMs: number) =>
  serve(async (request, body, response) => {
    if (request.method !== 'POST') return json(response, { data: [{ id: 'talker' }] })
    const { stream, max_tokens: most = 10_000 } = JSON.parse(body) as { stream?: boolean; max_tokens?: number }
    const chunk = (delta: object, reason: string | null) =>
      `data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', created: 1, model: 'talker', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
    if (stream) response.setHeader('content-type', 'text/event-stream')
    for (let i = 0; i < most && !response.destroyed; i++) {
      await sleep(wordMs)
      if (stream) response.write(chunk({ content: ' word' }, null))
    }
    if (stream) return void response.end(`${chunk({}, 'length')}data: [DONE]\n\n`)
    const choice = { index: 0, message: { role: 'assistant', content: ' word'.repeat(most) }, finish_reason: 'length' }
    return json(response, { id: '1', object: 'chat.completion', created: 1, model: 'talker', choices: [choice] })
  })

/** A chat server whose answers match every schema but are meaningless. */
export const rubbish = () =>
  serve((request, body, response) => {
    if (request.method !== 'POST') return json(response, { data: [{ id: 'rubbish' }] })
    const { response_format: format } = JSON.parse(body) as {
      response_format?: { json_schema?: { schema: Schema }; schema?: Schema }
    }
    const schema = format?.json_schema?.schema ?? format?.schema
    const content = schema ? JSON.stringify(filled(schema)) : '1.1.1.1'
    const choice = { index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }
    return json(response, { id: '1', object: 'chat.completion', created: 1, model: 'rubbish', choices: [choice] })
  })

interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

function filled(schema: Schema): unknown {
  if (schema.enum) return schema.enum[0]
  if (schema.type === 'object')
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, filled(one)]))
  if (schema.type === 'array')
    return ['1.1.1.1', '1.1.1.2', '1.1.1.3'].map((text) =>
      schema.items?.type === 'string' ? text : filled(schema.items ?? {}),
    )
  if (schema.type === 'number' || schema.type === 'integer') return 1
  if (schema.type === 'boolean') return true
  return '100000000000'
}

async function forward(
  upstream: string,
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
): Promise<void> {
  const headers: Record<string, string> = {}
  for (const name of ['content-type', 'accept', 'api-key', 'authorization']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  const answer = await fetch(`${upstream}${request.url}`, {
    method: request.method ?? 'GET',
    headers,
    ...(body !== '' && { body }),
  })
  const type = answer.headers.get('content-type')
  response.writeHead(answer.status, type ? { 'content-type': type } : {}).end(Buffer.from(await answer.arrayBuffer()))
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}
