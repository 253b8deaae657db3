/**
 * A proxy between a coordinator and Qdrant that records requests: the number of calls of each kind, the server's time,
 * and the last batch of queries.
 * @module
 */
import { once } from 'node:events'
import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Calls of one kind. */
export interface CallCost {
  calls: number
  /** Time until the complete answer, in milliseconds, for all calls together. */
  totalMs: number
}

export interface QdrantProxy {
  readonly url: string
  /** By method and path, without names of collections. */
  readonly costs: Map<string, CallCost>
  /** The last batch of queries and its path. */
  lastBatch(): { readonly path: string; readonly searches: readonly Record<string, unknown>[] } | null
  /** Called after a request was forwarded and before it is answered; null: none. */
  onRequest: (() => void) | null
  stop(): void
}

/** Starts the proxy for a server. */
export async function startQdrantProxy(upstream: string): Promise<QdrantProxy> {
  const costs = new Map<string, CallCost>()
  let last: ReturnType<QdrantProxy['lastBatch']> = null
  let onRequest: QdrantProxy['onRequest'] = null
  const server = createServer((request, response) => {
    const started = performance.now()
    const path = request.url ?? '/'
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts)
      if (path.includes('/points/query/batch')) last = { path, ...(JSON.parse(body.toString()) as { searches: [] }) }
      const target = new URL(path, upstream)
      const headers = { ...request.headers, host: target.host }
      const asked = send(target, { method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
        answer.on('end', () => {
          const kind = `${request.method} ${path.replace(/\/collections\/[^/?]+/, '/collections/*').replace(/\?.*/, '')}`
          const cost = costs.get(kind) ?? { calls: 0, totalMs: 0 }
          costs.set(kind, { calls: cost.calls + 1, totalMs: cost.totalMs + performance.now() - started })
        })
      })
      asked.on('error', () => response.destroy())
      asked.end(body, () => onRequest?.())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    costs,
    lastBatch: () => last,
    get onRequest() {
      return onRequest
    },
    set onRequest(listener) {
      onRequest = listener
    },
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
