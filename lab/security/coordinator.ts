/**
 * A coordinator with API keys, called over HTTP like any client would.
 * @module
 */
import type { LocalWorker } from '../../cli/harness.ts'

export const ADMIN_KEY = 'lab-admin-key-0123456789'

/** A response as received by the client. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly ms: number
}

/** A route of an operation, from the coordinator's OpenAPI document. */
export interface Route {
  readonly operation: string
  readonly method: string
  readonly path: string
  /** The required scope. */
  readonly scope: string
}

/** Sends requests to a coordinator. */
export class Coordinator {
  readonly worker: LocalWorker
  #routes: Promise<Route[]> | null = null

  constructor(worker: LocalWorker) {
    this.worker = worker
  }

  /** All routes of operations; the first route of an operation is its canonical one. */
  routes(): Promise<Route[]> {
    this.#routes ??= (async () => {
      const { paths } = JSON.parse((await this.get('/openapi.json')).text) as {
        paths: Record<string, Record<string, { operationId?: string; 'x-required-scope'?: string }>>
      }
      return Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).flatMap(([method, { operationId, 'x-required-scope': scope }]) =>
          operationId && scope ? [{ operation: operationId, method: method.toUpperCase(), path, scope }] : [],
        ),
      )
    })()
    return this.#routes
  }

  /** Sends a request. Without an answer within `limitMs` the status is 0. */
  async send(path: string, init: RequestInit, limitMs = 120_000): Promise<Answer> {
    const started = performance.now()
    try {
      const response = await fetch(`${this.worker.url}${path}`, { ...init, signal: AbortSignal.timeout(limitMs) })
      const text = await response.text()
      return { status: response.status, text, ms: performance.now() - started }
    } catch (error) {
      return { status: 0, text: String(error), ms: performance.now() - started }
    }
  }

  /** Posts JSON. */
  post(path: string, body: unknown, key = ADMIN_KEY, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  get(path: string, key = ADMIN_KEY): Promise<Answer> {
    return this.send(path, { headers: { 'x-api-key': key } })
  }

  /** Calls a route with an input: path parameters are put in the path, all others in the query string or the body. */
  call(route: Route, input: Record<string, unknown>, key = ADMIN_KEY): Promise<Answer> {
    const rest = { ...input }
    let path = route.path
    for (const [whole, name = ''] of route.path.matchAll(/\{(\w+)\}/g)) {
      path = path.replace(whole, encodeURIComponent(String(rest[name])))
      delete rest[name]
    }
    if (route.method === 'POST' || route.method === 'PATCH') {
      return this.send(path, {
        method: route.method,
        headers: { 'content-type': 'application/json', 'x-api-key': key },
        body: JSON.stringify(rest),
      })
    }
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(rest)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        query.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one))
      }
    }
    return this.send(`${path}${query.size > 0 ? `?${query}` : ''}`, {
      method: route.method,
      headers: { 'x-api-key': key },
    })
  }

  /** Calls an operation by its canonical route as the admin. */
  async run(name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
    const route = (await this.routes()).find(({ operation }) => operation === name)
    if (!route) throw new Error(`There is no operation ${name}.`)
    const answer = await this.call(route, input)
    if (answer.status < 200 || answer.status > 299) throw new Error(`${name}: ${answer.status} ${answer.text}`)
    return JSON.parse(answer.text)
  }

  /** Creates a key. */
  async makeKey(scopes: readonly string[], project?: string): Promise<string> {
    const made = await this.run('create_key', { name: scopes.join('-'), scopes, ...(project && { project }) })
    return String(made.key)
  }
}
