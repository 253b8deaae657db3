import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { Scope } from '../../src/operations/operation.ts'
import { routesOf } from '../../src/transports/rest.ts'
import { type Prepared, prepare, SAMPLES } from '../transports/samples.ts'
import { makeKey, ORIGIN, requestOf, send, toolRequest } from './keyed-worker.ts'

/** Routes × scopes × effects: no key may do by one route what it may not do by another. */

const SCOPES = ['read', 'write', 'learn'] as const
/** Part of the stored data; anyone who gets it has read access. */
const MARKER = 'zebrafinch'
const MODEL = 'http://model.test'
const variables = { LLAMA_CPP_BASE_URL: MODEL, RELEVANCE_THRESHOLD: '0.0001' }

const keys = new Map<string, string>()
let prepared: Prepared
let prompts: string[] = []

beforeAll(async () => {
  prepared = await prepare('scoped')
  const admin = await makeKey({ scopes: ['read', 'write', 'learn'], project: 'scoped' })
  const item = {
    fields: { title: `Timeout of ${MARKER}`, description: `The timeout of the ${MARKER} proxy is 60 seconds.` },
  }
  const stored = await send(json('/knowledge/items', { collection: 'best-practices', items: [item] }, admin.key))
  expect(stored.status).toBe(200)
  for (const scopes of subsets(SCOPES)) {
    if (scopes.length > 0) keys.set(scopes.join(), (await makeKey({ scopes, project: 'scoped' })).key)
  }
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A model that repeats its input. */
function echoingModel(): void {
  prompts = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
    const asked = String(init?.body ?? '')
    prompts.push(asked)
    const content = asked
    return Response.json({
      model: 'm',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    })
  })
}

function subsets<T>(all: readonly T[]): T[][] {
  return Array.from({ length: 2 ** all.length }, (_, set) => all.filter((__, at) => set & (1 << at)))
}

function json(path: string, body: object, key: string): Request {
  return new Request(ORIGIN + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify(body),
  })
}

const get = (path: string, key: string) => new Request(ORIGIN + path, { headers: { 'x-api-key': key } })

function rpc(method: string, params: object, key: string): Request {
  return new Request(`${ORIGIN}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      'x-api-key': key,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
}

const QUESTION = `How long is the timeout of the proxy, ${MARKER.slice(0, 5)}?`
const messages = [{ role: 'user', content: `What is the timeout of the proxy?` }]

/** Endpoints that are not operations, and all scopes that each needs. */
const OTHERS: readonly [name: string, needs: readonly Scope[], request: (key: string) => Request][] = [
  [
    'POST /v1/chat/completions',
    ['read', 'write'],
    (key) => json('/v1/chat/completions', { model: 'local', messages }, key),
  ],
  [
    'POST /v1/responses',
    ['read', 'write'],
    (key) => json('/v1/responses', { model: 'local', input: 'What is the timeout of the proxy?' }, key),
  ],
  ['POST /v1/embeddings', ['read'], (key) => json('/v1/embeddings', { input: 'proxy timeout' }, key)],
  ['GET /v1/models', ['read'], (key) => get('/v1/models', key)],
  ['GET /v1/models/{id}', ['read'], (key) => get('/v1/models/local', key)],
  [
    'a conversation by augment_query',
    ['read', 'write'],
    (key) => json('/augment_query', { query: QUESTION, conversation_id: 'c1' }, key),
  ],
  [
    'MCP prompt',
    ['read'],
    (key) => rpc('prompts/get', { name: 'answer_with_context', arguments: { query: QUESTION } }, key),
  ],
]

describe.each(OTHERS)('%s', (_, needs, request) => {
  test.each(subsets(SCOPES).filter(({ length }) => length > 0))('with %j', async (...scopes) => {
    echoingModel()
    const before = await tracked()
    const response = await send(request(keys.get(scopes.join()) ?? ''), variables)
    const text = await response.text()
    const may = needs.every((scope) => scopes.some((own) => own === scope))
    expect(refused(response.status, text), text.slice(0, 300)).toBe(!may)
    if (may) return
    expect(text).not.toContain(MARKER)
    expect(prompts).toEqual([])
    expect(await tracked()).toBe(before)
  })
})

describe('operations with one scope', () => {
  const cases = routesOf(OPERATIONS)
    .filter(({ operation }) => operation.scope !== 'admin')
    .flatMap(({ operation, route }) =>
      SCOPES.map((scope) => [`${route.method} ${route.path}`, scope, operation, route] as const),
    )

  test.each(cases)('%s with %s shows and changes no more than the scope allows', async (_, scope, operation, route) => {
    echoingModel()
    const key = keys.get(scope) ?? ''
    const before = scope === 'read' ? await tracked() : 0
    const input = SAMPLES[operation.name]?.(prepared) ?? {}
    const text = await (await send(requestOf(route, input, { 'x-api-key': key }), variables)).text()
    if (scope !== 'read' && !['/health', '/ready'].includes(route.path)) expect(text).not.toContain(MARKER)
    if (scope === 'read') expect(await tracked()).toBe(before)
  })

  test('the same over MCP', async () => {
    for (const operation of OPERATIONS.filter(({ scope, offeredTo }) => scope !== 'admin' && offeredTo !== 'rest')) {
      for (const scope of SCOPES.filter((one) => one !== operation.scope)) {
        const request = toolRequest(operation.name, SAMPLES[operation.name]?.(prepared) ?? {}, {
          'x-api-key': keys.get(scope) ?? '',
        })
        const text = await (await send(request)).text()
        expect(text, `${operation.name} ${scope}`).toMatch(/lacks the scope/)
      }
    }
  })
})

function refused(status: number, text: string): boolean {
  return status === 403 || text.includes('lacks the scope')
}

/** Everything that only writing and learning change: interactions, outcomes, and turns of conversations. */
async function tracked(): Promise<number> {
  const tables = ['interactions', 'outcome_events', 'exports', 'jobs']
  const counts = await Promise.all(
    tables.map((table) => env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first<number>('n')),
  )
  return counts.reduce<number>((sum, n) => sum + (n ?? 0), 0)
}
