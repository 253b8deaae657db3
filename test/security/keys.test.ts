import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { Scope } from '../../src/operations/operation.ts'
import { newApiKey } from '../../src/security/api-key.ts'
import { type Prepared, prepare, SAMPLES } from '../transports/samples.ts'
import {
  asAdmin,
  contentOfDatabase,
  type MadeKey,
  makeKey,
  messageOf,
  ORIGIN,
  operationOf,
  requestOf,
  send,
  toolRequest,
} from './keyed-worker.ts'

const SCOPES: readonly Scope[] = ['read', 'write', 'learn', 'admin']
const ABSENT = '0190b6f0-0000-7000-8000-000000000000'
let theirs: Prepared
/** The same with ids that don't exist. */
let nobody: Prepared
let bound: MadeKey
/** Keys of two projects with the same content. */
const twins: string[] = []
const refused: Record<string, Record<string, string>> = {}

function sampleOf(name: string, prepared: Prepared): Record<string, unknown> {
  const sample = SAMPLES[name]
  if (!sample) throw new Error(`There is no sample for ${name}.`)
  return sample(prepared)
}

/** The answer without parts that differ between requests. */
async function answer(response: Response): Promise<{ status: number; text: string }> {
  const text = await response.text()
  return {
    status: response.status,
    text: text.replace(/"request_id":"[^"]*"/, '').replace(/\\"request_id\\":\\"[^"]*"/, ''),
  }
}

/** An answer without ids, projects and times, which differ whatever was found. */
function unnamed(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/twin-\d/g, 'PROJECT')
    .replaceAll(/"(\w+_(?:at|ms))":[\d.]+/g, '"$1":0')
}

beforeAll(async () => {
  for (const project of ['twin-1', 'twin-2']) twins.push((await makeKey({ project, scopes: SCOPES })).key)
  theirs = await prepare('theirs')
  const absent = Object.keys(theirs).map((name, at) => [
    name,
    name === 'project' ? 'mine' : ABSENT.replace(/0{2}$/, String(at).padStart(2, '0')),
  ])
  nobody = Object.fromEntries(absent) as Prepared
  bound = await makeKey({ project: 'mine', scopes: ['read', 'write', 'learn', 'admin'] })
  const revoked = await makeKey({ scopes: SCOPES })
  await asAdmin('revoke_key', { key_id: revoked.key_id })
  const expired = await makeKey({ scopes: SCOPES, expires_in_days: 1 })
  await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(expired.key_id).run()
  Object.assign(refused, {
    none: {},
    wrong: { 'X-API-Key': newApiKey() },
    'of another form': { Authorization: 'Bearer something-else' },
    expired: { 'X-API-Key': expired.key },
    revoked: { Authorization: `Bearer ${revoked.key}` },
  })
})

describe.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('%s', (name, operation) => {
  test('is refused without a valid key, and all invalid keys get the same answer', async () => {
    const before = await contentOfDatabase()
    const answers = new Set<string>()
    for (const [kind, headers] of Object.entries(refused)) {
      const requests = [
        ...operation.http.map((route) => requestOf(route, sampleOf(name, theirs), headers)),
        toolRequest(name, sampleOf(name, theirs), headers),
      ]
      for (const request of requests) {
        if (new URL(request.url).pathname === '/health') continue
        const { status, text } = await answer(await send(request))
        expect(status, `${kind} ${request.url}`).toBe(401)
        if (kind !== 'none') answers.add(text)
      }
    }
    expect(answers.size).toBe(1)
    expect(await contentOfDatabase()).toBe(before)
  })

  test('needs its scope', async () => {
    const others = operation.scope === 'read' ? (['write', 'learn'] as const) : SCOPES.slice(0, 3)
    const scopes = others.filter((scope) => scope !== operation.scope)
    const headers = { 'X-API-Key': (await makeKey({ scopes, project: 'theirs' })).key }
    const before = await contentOfDatabase()
    for (const route of operation.http) {
      if (route.path === '/health') continue
      const response = await send(requestOf(route, sampleOf(name, theirs), headers))
      expect(response.status).toBe(403)
      expect(await response.json()).toMatchObject({
        code: 'forbidden',
        detail: `This key lacks the scope "${operation.scope}".`,
      })
    }
    const { result, error } = await messageOf(await send(toolRequest(name, sampleOf(name, theirs), headers)))
    if (operation.offeredTo === 'rest') expect(error).toMatchObject({ code: -32602 })
    else expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('"forbidden"') }] })
    expect(await contentOfDatabase()).toBe(before)
  })

  test('reveals nothing to a key of another project: existing and missing data give the same answer', async () => {
    const headers = { 'X-API-Key': bound.key }
    const before = await contentOfDatabase()
    const input = sampleOf(name, theirs)
    if ('project' in input) {
      for (const route of operation.http) {
        const { status, text } = await answer(await send(requestOf(route, input, headers)))
        expect(status).toBe(403)
        expect(text).toContain('bound to the project mine')
      }
    }
    const ids = Object.values(theirs).filter((value) => value !== 'theirs')
    const carries = JSON.stringify(input)
    if (!('project' in input) && ids.some((id) => carries.includes(id))) {
      for (const call of [
        (given: object) => requestOf(operation.http[0], given as Record<string, unknown>, headers),
        (given: object) => toolRequest(name, given, headers),
      ]) {
        const there = await answer(await send(call(input)))
        const absent = await answer(await send(call(sampleOf(name, nobody))))
        expect(there).toEqual(absent)
        expect(there.text).toMatch(/not_found|Unknown tool/)
      }
    }
    expect(await contentOfDatabase(), 'a refusal changes nothing').toBe(before)
  })

  test('answers the same in its own project for ids of another one as for ids that do not exist', async () => {
    const { project: _, ...there } = sampleOf(name, theirs)
    const { project: __, ...absent } = sampleOf(name, nobody)
    if (JSON.stringify(there) === JSON.stringify(absent)) return
    const [first = '', second = ''] = twins
    const route = operation.http[0]
    const ofTheirs = await send(requestOf(route, there, { 'X-API-Key': first }))
    const ofNobody = await send(requestOf(route, absent, { 'X-API-Key': second }))
    expect(ofTheirs.status).toBe(ofNobody.status)
    expect(unnamed(await ofTheirs.text())).toBe(unnamed(await ofNobody.text()))
  })

  test('finds nothing of another project under its ids', async () => {
    const { project: _, ...input } = sampleOf(name, theirs)
    if (['metrics', 'check_health'].includes(name)) return
    const response = await send(requestOf(operation.http[0], input, { 'X-API-Key': bound.key }))
    const text = await response.text()
    expect(response.status, text).toBeLessThan(500)
    expect(text).not.toContain('"theirs"')
    expect(text).not.toContain('Rotating signing keys')
    expect(text).not.toContain('Deploy from the main branch')
    expect(text).not.toContain('npx rotate-keys')
  })
})

describe('a key', () => {
  test('is shown once and stored as a digest', async () => {
    const made = await makeKey({ name: 'once' })
    expect(made.key).toMatch(/^hck_[\w-]{43}$/)
    const { results } = await env.DB.prepare('SELECT * FROM keys').all()
    const stored = JSON.stringify([results, await env.DB.prepare('SELECT * FROM audit_log').all()])
    expect(stored).not.toContain(made.key)
    expect(stored).not.toContain(made.key.slice(10))
    const listed = JSON.stringify(await asAdmin('list_keys', { limit: 100 }))
    expect(listed).toContain(made.key_id)
    expect(listed).not.toContain(made.key)
    expect(listed).not.toContain('hash')
  })

  test('works until it is revoked, and never after', async () => {
    const made = await makeKey({ scopes: ['read'], project: 'mine' })
    const call = () =>
      send(
        requestOf(operationOf('list_knowledge').http[0], { collection: 'best-practices' }, { 'X-API-Key': made.key }),
      )
    expect((await call()).status).toBe(200)
    expect((await call()).status).toBe(200)
    await asAdmin('revoke_key', { key_id: made.key_id })
    expect((await call()).status).toBe(401)
    const again = await asAdmin('revoke_key', { key_id: made.key_id })
    expect(again).toMatchObject({ state: 'revoked', last_used_at: expect.any(Number) })
  })

  test('expires', async () => {
    const made = await makeKey({ scopes: ['read'], expires_in_days: 1 })
    const call = () => send(requestOf(operationOf('list_collections').http[0], {}, { 'X-API-Key': made.key }))
    expect((await call()).status).toBe(200)
    await env.DB.prepare('UPDATE keys SET expires_at = ? WHERE id = ?')
      .bind(Date.now() - 1, made.key_id)
      .run()
    expect((await call()).status).toBe(401)
    expect(JSON.stringify(await asAdmin('list_keys', {}))).toContain('"expired"')
  })

  test('also opens an MCP connection and a coordinator without an admin key, from anywhere', async () => {
    const made = await makeKey({ scopes: ['read'], project: 'mine' })
    const request = () => toolRequest('list_collections', {}, { 'X-API-Key': made.key })
    expect((await messageOf(await send(request()))).result?.isError).toBeFalsy()
    expect((await send(request(), { HYBRID_API_KEY: undefined })).status).toBe(200)
    expect((await send(toolRequest('list_collections', {}), { HYBRID_API_KEY: undefined })).status).toBe(401)
  })

  test('cannot create a key with more permissions than its own, nor see or revoke those of others', async () => {
    const other = await makeKey({ project: 'theirs' })
    const call = (name: string, input: Record<string, unknown>) =>
      send(requestOf(operationOf(name).http[0], input, { 'X-API-Key': bound.key }))
    expect((await call('create_key', { name: 'x', project: null })).status).toBe(403)
    expect((await call('create_key', { name: 'x', project: 'theirs' })).status).toBe(403)
    const own = (await (await call('create_key', { name: 'x', scopes: ['read'] })).json()) as {
      project: string
      key_id: string
    }
    expect(own.project).toBe('mine')
    expect(await (await call('list_keys', {})).text()).not.toContain(other.key_id)
    expect((await call('revoke_key', { key_id: other.key_id })).status).toBe(404)
    expect((await call('revoke_key', { key_id: own.key_id })).status).toBe(200)
  })

  test('on the loopback of an open coordinator is checked as well', async () => {
    const request = new Request('http://localhost/collections', { headers: { 'X-API-Key': newApiKey() } })
    expect((await send(request, { HYBRID_API_KEY: undefined })).status).toBe(401)
    expect((await send(new Request('http://localhost/collections'), { HYBRID_API_KEY: undefined })).status).toBe(200)
  })
})

describe('other endpoints', () => {
  test('the download of another project looks like a missing one', async () => {
    const headers = { 'X-API-Key': bound.key }
    const there = await answer(
      await send(new Request(`${ORIGIN}/learning/datasets/${theirs.dataset}/download`, { headers })),
    )
    const absent = await answer(await send(new Request(`${ORIGIN}/learning/datasets/${ABSENT}/download`, { headers })))
    expect(there).toEqual(absent)
    expect(there.status).toBe(404)
    for (const headers of Object.values(refused)) {
      const request = new Request(`${ORIGIN}/learning/datasets/${theirs.dataset}/download`, { headers })
      expect((await send(request)).status).toBe(401)
    }
  })

  test('the OpenAI surface requires a key, its scope and its project', async () => {
    const paths = {
      'GET /v1/models': 'read',
      'POST /v1/embeddings': 'read',
      'POST /v1/chat/completions': 'write',
    } as const
    const call = (route: string, headers: Record<string, string>) => {
      const [method = '', path = ''] = route.split(' ')
      const body = JSON.stringify({
        model: 'auto',
        input: 'x',
        messages: [{ role: 'user', content: 'x' }],
        metadata: { project: 'theirs' },
      })
      const json = { ...headers, 'Content-Type': 'application/json' }
      return send(new Request(`${ORIGIN}${path}`, { method, headers: json, ...(method === 'POST' && { body }) }))
    }
    const before = await contentOfDatabase()
    for (const [route, scope] of Object.entries(paths)) {
      for (const headers of Object.values(refused)) expect((await call(route, headers)).status, route).toBe(401)
      const other = await makeKey({ scopes: [scope === 'read' ? 'learn' : 'read'] })
      expect((await call(route, { 'X-API-Key': other.key })).status, route).toBe(403)
    }
    expect((await call('POST /v1/chat/completions', { 'X-API-Key': bound.key })).status).toBe(403)
    expect(await contentOfDatabase()).toBe(before)
  })

  test('POST /feedback is guarded', async () => {
    for (const headers of Object.values(refused)) {
      const body = JSON.stringify({ query: 'q', correction: 'c' })
      const json = { ...headers, 'Content-Type': 'application/json' }
      expect((await send(new Request(`${ORIGIN}/feedback`, { method: 'POST', headers: json, body }))).status).toBe(401)
    }
  })

  test('the audit log records who did what, without secrets', async () => {
    const made = await makeKey({ name: 'audited' })
    await asAdmin('revoke_key', { key_id: made.key_id })
    await asAdmin('revoke_key', { key_id: ABSENT }).catch(() => undefined)
    const { acts } = (await asAdmin('list_audit_log', { limit: 3 })) as { acts: Record<string, unknown>[] }
    expect(acts).toMatchObject([
      { caller: 'admin', operation: 'revoke_key', input: { key_id: ABSENT }, outcome: 'not_found' },
      { caller: 'admin', operation: 'revoke_key', input: { key_id: made.key_id }, outcome: 'done' },
      { caller: 'admin', operation: 'create_key', input: { name: 'audited' }, outcome: 'done' },
    ])
  })
})
