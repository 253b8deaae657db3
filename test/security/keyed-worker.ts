/** The whole Worker as deployed: with an admin key, called from a remote address, over REST and MCP. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { Env } from '../../src/env.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { HttpRoute, Operation } from '../../src/operations/operation.ts'
import { pathParameters } from '../../src/transports/rest.ts'
import worker from '../../src/worker.ts'

export const ADMIN_KEY = 'the-admin-key-of-these-tests'
export const ORIGIN = 'https://hybrid.example'

export type Headers = Readonly<Record<string, string>>

/** Sends a request to the deployed Worker, with variables in addition to the admin key. */
export async function send(request: Request, variables: Partial<Env> = {}): Promise<Response> {
  const context = createExecutionContext()
  const quiet = { send: async () => undefined, sendBatch: async () => undefined }
  const bindings = {
    ...env,
    HYBRID_API_KEY: ADMIN_KEY,
    JOBS: quiet,
    KEY_LIMIT: undefined,
    ...variables,
  } as unknown as Env
  const response = await worker.fetch(request, bindings, context)
  await waitOnExecutionContext(context)
  return response
}

/** The request that calls a route with an input: parameters in the path, the rest in the query string or the body. */
export function requestOf(route: HttpRoute, input: Readonly<Record<string, unknown>>, headers: Headers = {}): Request {
  const rest = { ...input }
  for (const [alias, name] of Object.entries(route.rename ?? {})) {
    if (!(name in rest)) continue
    rest[alias] = rest[name]
    delete rest[name]
  }
  let path = route.path
  for (const name of pathParameters(route.path)) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(rest[name])))
    delete rest[name]
  }
  const url = new URL(path, ORIGIN)
  if (route.method === 'POST' || route.method === 'PATCH') {
    const json = { ...headers, 'Content-Type': 'application/json' }
    return new Request(url, { method: route.method, headers: json, body: JSON.stringify(rest) })
  }
  for (const [name, value] of Object.entries(rest)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      url.searchParams.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one))
    }
  }
  return new Request(url, { method: route.method, headers })
}

/** The request that calls a tool in the 2025 protocol, which needs no handshake on a stateless server. */
export function toolRequest(name: string, input: object, headers: Headers = {}): Request {
  return new Request(`${ORIGIN}/mcp`, {
    method: 'POST',
    headers: {
      ...headers,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2025-06-18',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } }),
  })
}

/** The answer to a tool call: the JSON-RPC message, whether it was sent as JSON or as an event. */
export async function messageOf(response: Response): Promise<{ result?: ToolResult; error?: unknown }> {
  const text = await response.text()
  const data = /^data: (.*)$/m.exec(text)?.[1]
  return JSON.parse(data ?? text)
}

export interface ToolResult {
  isError?: boolean
  structuredContent?: Record<string, unknown>
  content: { type: string; text: string }[]
}

/** Runs an operation as admin over REST. */
export async function asAdmin(name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  const operation = operationOf(name)
  const response = await send(requestOf(operation.http[0], input, { 'X-API-Key': ADMIN_KEY }))
  if (response.status !== 200) throw new Error(`${name}: ${response.status} ${await response.text()}`)
  return response.json()
}

export interface MadeKey {
  key: string
  key_id: string
}

/** Creates a key. */
export async function makeKey(input: Record<string, unknown>): Promise<MadeKey> {
  return (await asAdmin('create_key', { name: 'test', ...input })) as unknown as MadeKey
}

/** The operation with a name. */
export function operationOf(name: string): Operation {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return operation
}

/** Tables that administration itself writes to, whatever the result of a request. */
const ADMINISTRATION = ['keys', 'audit_log', 'd1_migrations', 'sqlite_sequence']

/** All rows of all tables with user data, as one text. */
export async function contentOfDatabase(): Promise<string> {
  const { results: tables } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
  ).all<{ name: string }>()
  const dumps: string[] = []
  for (const { name } of tables) {
    if (ADMINISTRATION.includes(name)) continue
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}" ORDER BY 1, 2`).all()
    dumps.push(`${name}\n${results.map((row) => JSON.stringify(row)).join('\n')}`)
  }
  return dumps.join('\n\n')
}
