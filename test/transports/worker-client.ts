/** The whole Worker with every operation, called over REST and MCP like its users do. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { Env } from '../../src/env.ts'
import type { HttpRoute, Operation } from '../../src/operations/operation.ts'
import { pathParameters } from '../../src/transports/rest.ts'
import worker from '../../src/worker.ts'

/** Background work runs only on request, so that no answer depends on the speed of the queue. */
const bindings = { ...env, JOBS: { send: async () => undefined, sendBatch: async () => undefined } } as unknown as Env

/** Sends a request to the Worker. */
export async function fetchWorker(request: Request): Promise<Response> {
  const context = createExecutionContext()
  const response = await worker.fetch(request, bindings, context)
  await waitOnExecutionContext(context)
  return response
}

/** Calls a route with an input: parameters in the path, the rest in the query string or the body. */
export function callRoute(route: HttpRoute, input: Record<string, unknown>): Promise<Response> {
  const rest = { ...input }
  let path = route.path
  for (const name of pathParameters(route.path)) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(rest[name])))
    delete rest[name]
  }
  const url = new URL(path, 'http://localhost')
  if (route.method === 'POST' || route.method === 'PATCH') {
    const headers = { 'Content-Type': 'application/json' }
    return fetchWorker(new Request(url, { method: route.method, headers, body: JSON.stringify(rest) }))
  }
  for (const [name, value] of Object.entries(rest)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      url.searchParams.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one))
    }
  }
  return fetchWorker(new Request(url, { method: route.method }))
}

/** Calls an operation by its canonical route and returns its output. */
export async function callRest(operation: Operation, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  const route = operation.http[0]
  const response = await callRoute(route, input)
  if (response.status !== (route.status ?? 200))
    throw new Error(`${operation.name}: ${response.status} ${await response.text()}`)
  return route.as === undefined ? await response.json() : { text: await response.text() }
}
