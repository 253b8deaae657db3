/**
 * Converts operations to REST and MCP requests, with their own kinds of damage: methods, headers, paths and messages.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'
import { bend, damage, pick, type Schema, sampleValue } from './generate.ts'
import type { Pool } from './pool.ts'

/** A way to reach an operation. */
export interface Target {
  readonly name: string
  /** Null: only available as a tool. */
  readonly route: { readonly method: string; readonly path: string } | null
  readonly input: Schema
  readonly tool: boolean
}

/** A request as sent, so that it can be repeated. */
export interface Shot {
  readonly surface: 'REST' | 'MCP'
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS']
const MCP_METHODS = [
  'tools/call',
  'tools/list',
  'resources/read',
  'resources/list',
  'prompts/get',
  'completion/complete',
  'ping',
  'server/discover',
  'no/such',
  '',
]
const VERSIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28', '1999-01-01', 'x']

/** One request: half of them valid, half with an error. */
export function shoot(targets: readonly Target[], pool: Pool, random: Random): Shot {
  const target = pick(targets, random)
  let input = sampleValue(target.input, target.name, pool, random) as Record<string, unknown>
  const bends = random() < 0.5 ? 0 : 1 + Math.floor(random() * 2)
  for (let i = 0; i < bends; i++) input = bend(input, random)
  const mcp = target.tool && (target.route === null || random() < 0.5)
  return mcp ? message(target, input, random) : request(target, input, random)
}

function request({ name, route, input: schema }: Target, given: Record<string, unknown>, random: Random): Shot {
  const input = { ...given }
  let { method, path } = route ?? { method: 'POST', path: '/' }
  for (const [whole, parameter = ''] of path.matchAll(/\{(\w+)\}/g)) {
    path = path.replace(whole, encode(input[parameter]))
    delete input[parameter]
  }
  if (random() < 0.03) method = pick(METHODS, random)
  if (random() < 0.02) path += pick(['/', '//', '/x', '%00', '/..', '?a=b&a=c', '/%ff', '#'], random)
  const headers: Record<string, string> = {}
  let body: string | null = null
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE' || method === 'OPTIONS') {
    const query = Object.entries(input).flatMap(([field, value]) => {
      const list = Array.isArray(value) && schema.properties?.[field]?.type === 'array' ? value.slice(0, 50) : [value]
      return list.map((one) => `${encode(field)}=${encode(typeof one === 'object' ? JSON.stringify(one) : one)}`)
    })
    if (query.length > 0) path += `${path.includes('?') ? '&' : '?'}${query.join('&').slice(0, 8000)}`
  } else {
    body = JSON.stringify(input)
    headers['content-type'] =
      random() < 0.97 ? 'application/json' : pick(['text/plain', 'application/xml', 'x', 'multipart/form-data'], random)
    if (random() < 0.08) body = damage(body, random)
  }
  return { surface: 'REST', operation: name, method, path, headers, body }
}

function message({ name }: Target, input: Record<string, unknown>, random: Random): Shot {
  const method = random() < 0.9 ? 'tools/call' : pick(MCP_METHODS, random)
  const params =
    method === 'resources/read'
      ? { uri: pick(['knowledge://fuzz/best-practices', 'knowledge://%/x', 'x', ''], random) }
      : { name, arguments: input }
  const envelope: Record<string, unknown> = { jsonrpc: '2.0', id: 1, method, params }
  const whole = random() < 0.08 ? bend(envelope, random) : envelope
  let body = JSON.stringify(whole)
  if (random() < 0.04) body = damage(body, random)
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  if (random() < 0.9) headers['mcp-protocol-version'] = random() < 0.9 ? '2025-06-18' : pick(VERSIONS, random)
  return { surface: 'MCP', operation: name, method: 'POST', path: '/mcp', headers, body }
}

function encode(value: unknown): string {
  const text =
    value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return encodeURIComponent(text.slice(0, 3000).toWellFormed())
}

/** Whether an answer rejects its request: by status, or inside a JSON-RPC message. */
export function isRefusal(status: number, body: string): boolean {
  return status >= 400 || /"isError":\s*true|^(?:data: )?\{"jsonrpc":"2\.0",(?:"id":[^,]{1,20},)?"error"/m.test(body)
}

/** A message with invalid parameters, which the MCP library answers with the code of an internal error. */
export function isMisnamed(body: string): boolean {
  return /"error":\{"code":-32603,"message":"\[\\n/.test(body)
}

/** Faults: a status of 500 or above, or a problem of 500 inside another answer. */
export function isFault(status: number, body: string): boolean {
  if (status >= 500 && status !== 503) return true
  return /\\?"code\\?":\\?"internal\\?"/.test(body) || (/"code":\s*-32603/.test(body) && !isMisnamed(body))
}
