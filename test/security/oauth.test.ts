import { env } from 'cloudflare:workers'
import { Client } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ADMIN_KEY, asAdmin, makeKey, messageOf, ORIGIN, send, toolRequest } from './keyed-worker.ts'
import {
  allow,
  call,
  connect,
  DOCUMENT,
  decide,
  exchange,
  keeper,
  openConsent,
  REDIRECT,
  register,
  transportOf,
} from './oauth-client.ts'

/** Sign-in with the MCP client SDK and with manual requests. */

afterEach(() => {
  vi.restoreAllMocks()
})

describe('discovery', () => {
  test('a refusal at /mcp leads to the sign-in', async () => {
    const response = await send(toolRequest('get_stats', {}))
    expect(response.status).toBe(401)
    const header = response.headers.get('www-authenticate') ?? ''
    const metadata = /resource_metadata="([^"]+)"/.exec(header)?.[1] ?? ''
    const resource = await (await send(new Request(metadata))).json<{
      resource: string
      authorization_servers: string[]
    }>()
    expect(resource).toMatchObject({ resource: `${ORIGIN}/mcp`, authorization_servers: [ORIGIN] })
    const server = await (await send(new Request(`${ORIGIN}/.well-known/oauth-authorization-server`))).json()
    expect(server).toMatchObject({
      issuer: ORIGIN,
      authorization_endpoint: `${ORIGIN}/authorize`,
      token_endpoint: `${ORIGIN}/oauth/token`,
      registration_endpoint: `${ORIGIN}/oauth/register`,
      code_challenge_methods_supported: ['S256'],
      client_id_metadata_document_supported: true,
    })
  })

  test('other paths keep their plain challenge', async () => {
    const response = await send(new Request(`${ORIGIN}/stats`))
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
  })
})

describe('the MCP client SDK', () => {
  test('signs in with dynamic registration, calls tools, and refreshes', async () => {
    const { key, key_id } = await makeKey({ scopes: ['read', 'write', 'learn'], project: 'oauth-1' })
    const { client, provider } = await connect(key, ['read', 'write'])
    const stats = await client.callTool({ name: 'get_stats', arguments: { project: 'oauth-1' } })
    expect(stats.isError).toBeFalsy()
    // The token has the key's project, and only the selected scopes.
    expect((await client.callTool({ name: 'get_stats', arguments: { project: 'another' } })).isError).toBe(true)
    const tracked = { project: 'oauth-1', query: 'q', response: 'r', agent_type: 'remote', model_used: 'm' }
    expect((await client.callTool({ name: 'track_interaction', arguments: tracked })).isError).toBeFalsy()
    const before = provider.kept.tokens
    const refreshed = await exchange({
      grant_type: 'refresh_token',
      refresh_token: before?.refresh_token ?? '',
      client_id: (provider.kept.client as { client_id: string }).client_id,
    })
    const tokens = await refreshed.json<{ access_token: string; refresh_token: string }>()
    expect(refreshed.status).toBe(200)
    expect(tokens.access_token).not.toBe(before?.access_token)
    expect(tokens.refresh_token).not.toBe(before?.refresh_token)
    expect((await call(tokens.access_token, 'get_stats', { project: 'oauth-1' })).status).toBe(200)
    const { acts } = (await asAdmin('list_audit_log', { limit: 50 })) as {
      acts: { operation: string; caller: string }[]
    }
    expect(acts).toContainEqual(expect.objectContaining({ operation: 'grant_access', caller: key_id }))
    await client.close()
  })

  test('signs in with a document that its client id refers to', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
      expect(String(input instanceof Request ? input.url : input)).toBe(DOCUMENT)
      const document = {
        client_id: DOCUMENT,
        client_name: 'Documented',
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
      }
      return Response.json(document)
    })
    const provider = keeper({ documentUrl: DOCUMENT })
    const { client } = await connect(ADMIN_KEY, ['read'], provider)
    expect((provider.kept.client as { client_id: string } | undefined)?.client_id ?? DOCUMENT).toBe(DOCUMENT)
    expect((await client.callTool({ name: 'get_stats', arguments: {} })).isError).toBeFalsy()
    await client.close()
  })
})

describe('consent', () => {
  test('shows the client, escaped, the target, and the permissions', async () => {
    const provider = keeper()
    await expect(new Client({ name: 'c', version: '1' }).connect(transportOf(provider))).rejects.toThrow()
    const { html } = await openConsent(provider.kept.url as URL)
    expect(html).toContain('A &#60;b&#62;client&#60;/b&#62;')
    expect(html).toContain('client.example')
    expect(html).toContain('value="read"')
    expect(html).not.toContain('value="admin"')
  })

  test('is refused with an unknown, revoked or expired key, and grants nothing', async () => {
    const { authorize } = await register()
    const revoked = await makeKey({ scopes: ['read'] })
    await asAdmin('revoke_key', { key_id: revoked.key_id })
    for (const key of ['', 'wrong', revoked.key]) {
      const response = await decide(authorize(), await openConsent(authorize()), {
        key,
        scope: 'read',
        decision: 'approve',
      })
      expect(response.status).toBe(401)
      expect(response.headers.get('location')).toBeNull()
    }
  })

  test('grants no more than the permissions of the key', async () => {
    const { authorize } = await register()
    const { key } = await makeKey({ scopes: ['read'] })
    const url = authorize({ scope: 'write' })
    const response = await decide(url, await openConsent(url), { key, scope: 'write', decision: 'approve' })
    expect(response.status).toBe(403)
  })

  test('binds a client to the selected project, within the project of the key', async () => {
    const { authorize, client_id, verifier } = await register()
    const signIn = async (key: string, project: string) =>
      decide(authorize(), await openConsent(authorize()), { key, scope: 'read', decision: 'approve', project })
    expect((await signIn(ADMIN_KEY, 'a b')).status).toBe(400)
    const { key } = await makeKey({ scopes: ['read'], project: 'oauth-2' })
    expect((await signIn(key, 'another')).status).toBe(403)
    const approved = await signIn(ADMIN_KEY, 'oauth-3')
    const code = new URL(approved.headers.get('location') ?? '').searchParams.get('code') ?? ''
    const granted = await exchange({
      grant_type: 'authorization_code',
      code,
      client_id,
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      resource: `${ORIGIN}/mcp`,
    })
    const { access_token: token } = await granted.json<{ access_token: string }>()
    const errorOf = async (path: string, input: object) => {
      const request = toolRequest('get_stats', input, { authorization: `Bearer ${token}` })
      const response = await send(new Request(`${ORIGIN}${path}`, request))
      return response.ok ? (await messageOf(response)).result?.isError === true : response.status
    }
    expect(await errorOf('/mcp', {})).toBe(false)
    expect(await errorOf('/mcp', { project: 'another' })).toBe(true)
    expect(await errorOf('/mcp/oauth-3', {})).toBe(false)
    expect(await errorOf('/mcp/another', {})).toBe(403)
  })

  test('that is declined redirects with access_denied', async () => {
    const { authorize } = await register()
    const response = await decide(authorize(), await openConsent(authorize()), { decision: 'deny' })
    const back = new URL(response.headers.get('location') ?? '')
    expect(Object.fromEntries(back.searchParams)).toMatchObject({
      error: 'access_denied',
      state: 'a-state',
      iss: ORIGIN,
    })
  })

  test('cannot be forged: without the cookie of the page, or twice, it is refused', async () => {
    const { authorize } = await register()
    const consent = await openConsent(authorize())
    const fields = { key: ADMIN_KEY, scope: 'read', decision: 'approve' }
    expect((await decide(authorize(), { ...consent, cookie: '' }, fields)).status).toBe(400)
    const again = await openConsent(authorize())
    expect((await decide(authorize(), again, fields)).status).toBe(302)
    expect((await decide(authorize(), again, fields)).status).toBe(400)
  })

  test('is not offered by a coordinator without a key', async () => {
    const { authorize } = await register()
    const response = await send(new Request(authorize()), { HYBRID_API_KEY: undefined })
    expect(response.status).toBe(401)
    expect(await response.text()).toContain('HYBRID_API_KEY')
  })
})

describe('rejected requests', () => {
  test('a wrong redirect address is never followed', async () => {
    const { authorize } = await register()
    const response = await send(new Request(authorize({ redirect_uri: 'https://evil.example/callback' })))
    expect(response.status).toBe(400)
    expect(response.headers.get('location')).toBeNull()
  })

  test.each([
    ['a wrong resource', { resource: 'https://other.example/mcp' }, 'invalid_target'],
    ['no PKCE', { code_challenge: null, code_challenge_method: null }, 'invalid_request'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
  ])('%s', async (_, changes, code) => {
    const { authorize } = await register()
    const response = await send(new Request(authorize(changes), { redirect: 'manual' }))
    expect(response.status).toBe(302)
    const back = new URL(response.headers.get('location') ?? '')
    expect(back.origin + back.pathname).toBe(REDIRECT)
    expect(back.searchParams.get('error')).toBe(code)
  })

  test('a code that was used, with another verifier, or for another client', async () => {
    const client = await register()
    const codeOf = async () => (await allow(client.authorize(), ADMIN_KEY, ['read'])).searchParams.get('code') ?? ''
    const fields = { grant_type: 'authorization_code', client_id: client.client_id, redirect_uri: REDIRECT }
    const wrong = await exchange({ ...fields, code: await codeOf(), code_verifier: 'w'.repeat(64) })
    expect(wrong.status).toBe(400)
    const other = await register()
    const stolen = await exchange({
      ...fields,
      client_id: other.client_id,
      code: await codeOf(),
      code_verifier: client.verifier,
    })
    expect(stolen.status).toBe(400)
    const code = await codeOf()
    const used = await exchange({ ...fields, code, code_verifier: client.verifier })
    expect(used.status).toBe(200)
    const { access_token } = await used.json<{ access_token: string }>()
    expect((await call(access_token)).status).toBe(200)
    const replayed = await exchange({ ...fields, code, code_verifier: client.verifier })
    expect(replayed.status).toBe(400)
    expect(await replayed.json()).toMatchObject({ error: 'invalid_grant' })
    // A replayed code reveals that its tokens may be stolen, so they are revoked.
    expect((await call(access_token)).status).toBe(401)
  })
})

describe('tokens', () => {
  async function tokenOf(key: string, scope: string[] = ['read']): Promise<{ token: string; client_id: string }> {
    const client = await register()
    const code = (await allow(client.authorize({ scope: scope.join(' ') }), key, scope)).searchParams.get('code') ?? ''
    const response = await exchange({
      grant_type: 'authorization_code',
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      code,
      code_verifier: client.verifier,
    })
    return { token: (await response.json<{ access_token: string }>()).access_token, client_id: client.client_id }
  }

  test('end immediately when the key behind them is revoked', async () => {
    const { key, key_id } = await makeKey({ scopes: ['read'] })
    const { token } = await tokenOf(key)
    expect((await call(token)).status).toBe(200)
    await asAdmin('revoke_key', { key_id })
    expect((await call(token)).status).toBe(401)
  })

  test('end when the key behind them expires', async () => {
    const { key, key_id } = await makeKey({ scopes: ['read'], expires_in_days: 1 })
    const { token } = await tokenOf(key)
    await env.DB.prepare('UPDATE keys SET expires_at = 1 WHERE id = ?').bind(key_id).run()
    expect((await call(token)).status).toBe(401)
  })

  test('end when HYBRID_API_KEY changes', async () => {
    const { token } = await tokenOf(ADMIN_KEY)
    const request = () => toolRequest('get_stats', {}, { authorization: `Bearer ${token}` })
    expect((await send(request())).status).toBe(200)
    expect((await send(request(), { HYBRID_API_KEY: 'another-key-of-the-owner' })).status).toBe(401)
  })

  test('can be revoked', async () => {
    const { token, client_id } = await tokenOf(ADMIN_KEY)
    const response = await exchange({ token, client_id, token_type_hint: 'access_token' })
    expect(response.status).toBe(200)
    expect((await call(token)).status).toBe(401)
  })

  test('open only /mcp, and never administration', async () => {
    const { token } = await tokenOf(ADMIN_KEY, ['read', 'write', 'learn'])
    const rest = await send(new Request(`${ORIGIN}/stats`, { headers: { authorization: `Bearer ${token}` } }))
    expect(rest.status).toBe(401)
    const { result } = await messageOf(
      await call(token, 'route_query', { query: 'SELECT * FROM interactions', mode: 'sql' }),
    )
    expect(result?.isError).toBe(true)
  })

  test('of another host, or with one changed character, are refused', async () => {
    const { token } = await tokenOf(ADMIN_KEY)
    const changed = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a')
    expect((await call(changed)).status).toBe(401)
    const elsewhere = new Request(toolRequest('get_stats', {}, { authorization: `Bearer ${token}` }))
    const moved = new Request(elsewhere.url.replace(ORIGIN, 'https://other.example'), elsewhere)
    expect((await send(moved)).status).toBe(401)
  })
})
