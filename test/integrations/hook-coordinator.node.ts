/** A coordinator for the hooks, started for each test. It records every request and answers like a real one. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach } from 'vitest'
import { hook } from './hook-process.node.ts'

export type Body = Record<string, unknown>
export type Answer = (path: string, body: Body, response: ServerResponse) => unknown

let server: Server
export const coordinator = {
  url: '',
  requests: [] as { path: string; body: Body }[],
  /** Replaces the default answer if it returns something; `true`: it has already answered. */
  answer: (() => undefined) as Answer,
}

/** The bodies of the requests to a path. */
export const of = (path: string) =>
  coordinator.requests.filter((request) => request.path === path).map(({ body }) => body)

beforeEach(async () => {
  coordinator.requests = []
  coordinator.answer = () => undefined
  server = createServer(async (request: IncomingMessage, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const path = (request.url ?? '').split('?')[0] ?? ''
    const body: Body = pieces.length > 0 ? JSON.parse(Buffer.concat(pieces).toString()) : {}
    coordinator.requests.push({ path, body })
    const special = await coordinator.answer(path, body, response)
    if (special === true) return
    const number = of('/track_interaction').length
    const usual: Body = {
      '/augment_query': {
        augmented_prompt: `${body.query}\n\n---\n\n[1] retry\n<context>\nattempts counts the first call\n</context>`,
        original_query: body.query,
        context_ids: ['codebase-context/1'],
        context_count: 1,
        retrieval_id: 'r1',
      },
      '/track_interaction': { interaction_id: `i${number}` },
      '/update_outcome': { interaction_id: body.interaction_id },
      '/collections': { collections: [] },
      '/hybrid_search': { degraded: [] },
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(special ?? usual[path] ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  coordinator.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

/** Runs a hook with this coordinator. */
export const run = (event: unknown, env: Record<string, string> = {}, parameters: string[] = []) =>
  hook(event, { HYBRID_URL: coordinator.url, ...env }, parameters)
