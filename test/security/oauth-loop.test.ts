import { env } from 'cloudflare:workers'
import { Client } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ADMIN_KEY, makeKey, ORIGIN, send, toolRequest } from './keyed-worker.ts'
import { allow, call, connect, decide, exchange, openConsent, REDIRECT, register, transportOf } from './oauth-client.ts'

/** What a client needs for the main loop, and what can be used only once. */

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const tracked = { query: 'q', response: 'r', agent_type: 'remote', model_used: 'm' }

describe('a client that signs in', () => {
  test('is led to all scopes by the refusal and the metadata, and tracks and reports an outcome', async () => {
    const refused = await send(toolRequest('get_stats', {}))
    expect(refused.headers.get('www-authenticate')).toContain('scope="read write learn"')
    const metadata = await (await send(new Request(`${ORIGIN}/.well-known/oauth-protected-resource/mcp`))).json()
    expect(metadata).toMatchObject({ scopes_supported: ['read', 'write', 'learn'] })
    const { key } = await makeKey({ scopes: ['read', 'write', 'learn'], project: 'loop' })
    const { client, provider } = await connect(key, ['read', 'write', 'learn'])
    expect(provider.kept.url?.searchParams.get('scope')).toBe('read write learn')
    const { structuredContent } = await client.callTool({ name: 'track_interaction', arguments: tracked })
    const { interaction_id } = structuredContent as { interaction_id: string }
    const outcome = await client.callTool({ name: 'update_outcome', arguments: { interaction_id, outcome: 'success' } })
    expect(outcome.isError).toBeFalsy()
    const row = await env.DB.prepare('SELECT project, outcome FROM interactions WHERE id = ?')
      .bind(interaction_id)
      .first()
    expect(row).toEqual({ project: 'loop', outcome: 'success' })
    await client.close()
  })

  test('is led to sign in again for scopes that its owner did not select, and keeps its own', async () => {
    const { key } = await makeKey({ scopes: ['read', 'write', 'learn'] })
    const { client, provider } = await connect(key, ['read'])
    const token = provider.kept.tokens?.access_token ?? ''
    const refused = await call(token, 'track_interaction', tracked)
    expect(refused.status).toBe(403)
    const header = refused.headers.get('www-authenticate') ?? ''
    expect(header).toContain('error="insufficient_scope"')
    expect(header).toContain('scope="read write"')
    expect(header).toContain(`resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/mcp"`)
    // The SDK follows the challenge: it requests the union of scopes, and the call succeeds after the sign-in.
    const again = transportOf(provider)
    const second = new Client({ name: 'c', version: '1' })
    await second.connect(again)
    await expect(second.callTool({ name: 'track_interaction', arguments: tracked })).rejects.toThrow(/Unauthorized/)
    expect(provider.kept.url?.searchParams.get('scope')).toContain('write')
    const back = await allow(provider.kept.url as URL, key, ['read', 'write'])
    await again.finishAuth(back.searchParams)
    const third = new Client({ name: 'c', version: '1' })
    await third.connect(transportOf(provider))
    expect((await third.callTool({ name: 'track_interaction', arguments: tracked })).isError).toBeFalsy()
    expect((await third.callTool({ name: 'get_stats', arguments: {} })).isError).toBeFalsy()
    await client.close()
  })

  test('is not sent in circles: what the key itself may not do is a tool error', async () => {
    const { key } = await makeKey({ scopes: ['read'] })
    const { client, provider } = await connect(key, ['read', 'write', 'learn'])
    const refused = await call(provider.kept.tokens?.access_token ?? '', 'track_interaction', tracked)
    expect(refused.status).toBe(200)
    const result = await client.callTool({ name: 'track_interaction', arguments: tracked })
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result.content)).toContain('Use a key with the scope')
    await client.close()
  })

  test('in a batch, is led to sign in too', async () => {
    const { key } = await makeKey({ scopes: ['read', 'write'] })
    const { provider, client } = await connect(key, ['read'])
    const request = toolRequest('track_interaction', tracked, {
      authorization: `Bearer ${provider.kept.tokens?.access_token}`,
    })
    const one = await request.json()
    const batch = new Request(request.url, { method: 'POST', headers: request.headers, body: JSON.stringify([one]) })
    expect((await send(batch)).status).toBe(403)
    await client.close()
  })
})

describe('refresh tokens', () => {
  async function signedIn() {
    const client = await register()
    const code = (await allow(client.authorize({ scope: 'read' }), ADMIN_KEY, ['read'])).searchParams.get('code') ?? ''
    const first = await exchange({
      grant_type: 'authorization_code',
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      code,
      code_verifier: client.verifier,
    })
    const tokens = await first.json<{ access_token: string; refresh_token: string }>()
    const refresh = async (refresh_token: string) => {
      const response = await exchange({ grant_type: 'refresh_token', client_id: client.client_id, refresh_token })
      return { status: response.status, ...(await response.json<{ access_token: string; refresh_token: string }>()) }
    }
    return { tokens, refresh }
  }

  test('that were used long ago end the grant, for every holder', async () => {
    const { tokens, refresh } = await signedIn()
    const second = await refresh(tokens.refresh_token)
    const third = await refresh(second.refresh_token)
    expect(third.status).toBe(200)
    expect((await call(third.access_token)).status).toBe(200)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 })
    expect((await refresh(second.refresh_token)).status).toBe(400)
    expect((await refresh(third.refresh_token)).status).toBe(400)
    expect((await call(third.access_token)).status).toBe(401)
    expect((await call(tokens.access_token)).status).toBe(401)
  })

  test('two rotations back end the grant within the minute too', async () => {
    const { tokens, refresh } = await signedIn()
    const second = await refresh(tokens.refresh_token)
    const third = await refresh(second.refresh_token)
    expect((await refresh(tokens.refresh_token)).status).toBe(400)
    expect((await refresh(third.refresh_token)).status).toBe(400)
    expect((await call(third.access_token)).status).toBe(401)
  })

  test('two rotations back end the grant immediately', async () => {
    const { tokens, refresh } = await signedIn()
    const second = await refresh(tokens.refresh_token)
    const third = await refresh(second.refresh_token)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    expect((await refresh(tokens.refresh_token)).status).toBe(400)
    expect((await refresh(third.refresh_token)).status).toBe(400)
  })

  test('whose answer was lost work once more, within a minute, and only once', async () => {
    const { tokens, refresh } = await signedIn()
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
    const again = await refresh(tokens.refresh_token)
    expect(again.status).toBe(200)
    expect((await call(again.access_token)).status).toBe(200)
    expect((await refresh(tokens.refresh_token)).status).toBe(400)
    expect((await refresh(again.refresh_token)).status).toBe(400)
  })

  test('are not ended by an invalid token', async () => {
    const { tokens, refresh } = await signedIn()
    const [user, grant] = tokens.refresh_token.split(':')
    expect((await refresh(`${user}:${grant}:guessed`)).status).toBe(400)
    expect((await refresh('nobody:nothing:guessed')).status).toBe(400)
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
  })
})

test('a code is exchanged once, even with concurrent attempts', async () => {
  const client = await register()
  const code = (await allow(client.authorize(), ADMIN_KEY, ['read'])).searchParams.get('code') ?? ''
  const fields = { grant_type: 'authorization_code', client_id: client.client_id, redirect_uri: REDIRECT }
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => exchange({ ...fields, code, code_verifier: client.verifier })),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
})

test('a consent page is decided once, even with concurrent attempts', async () => {
  const { authorize } = await register()
  const consent = await openConsent(authorize())
  const decisions = await Promise.all(
    Array.from({ length: 5 }, () =>
      decide(authorize(), consent, { key: ADMIN_KEY, scope: 'read', decision: 'approve' }),
    ),
  )
  expect(decisions.filter(({ status }) => status === 302)).toHaveLength(1)
})

describe('sign-in is not offered', () => {
  const PATHS = [
    ['GET', '/.well-known/oauth-protected-resource'],
    ['GET', '/.well-known/oauth-protected-resource/mcp'],
    ['GET', '/.well-known/oauth-protected-resource/mcp/my-project'],
    ['GET', '/.well-known/oauth-authorization-server'],
    ['POST', '/oauth/register'],
    ['POST', '/oauth/token'],
    ['GET', '/authorize'],
    ['POST', '/authorize'],
  ] as const

  test.each(PATHS)('without a key: %s %s on the local machine', async (method, path) => {
    const request = new Request(`http://localhost${path}`, { method, headers: { origin: 'http://localhost' } })
    const response = await send(request, { HYBRID_API_KEY: undefined })
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('HYBRID_API_KEY')
  })

  test.each(PATHS)('without https: %s %s under another name', async (method, path) => {
    for (const host of ['evil.example', '192.168.1.5']) {
      const response = await send(new Request(`http://${host}${path}`, { method }))
      expect(response.status).toBe(403)
      expect(await response.text()).toContain('https')
    }
  })

  test('without https, a refusal does not lead to it', async () => {
    const request = toolRequest('get_stats', {})
    const insecure = new Request(request.url.replace('https:', 'http:'), request)
    expect((await send(insecure)).headers.get('www-authenticate')).toBe('Bearer')
  })
})

describe('a client without a key is limited', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    new Request(`${ORIGIN}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
  const registration = (rest: object) =>
    JSON.stringify({ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', ...rest })

  test.each([
    ['a long name', registration({ client_name: 'x'.repeat(1000) }), 400],
    ['a name that turns the text around', registration({ client_name: 'a\u202eb' }), 400],
    ['many addresses', registration({ redirect_uris: Array.from({ length: 11 }, (_, n) => `${REDIRECT}/${n}`) }), 400],
    ['much of anything', registration({ client_name: 'x', tos_uri: `https://c.example/${'x'.repeat(20_000)}` }), 413],
  ])('%s', async (_, body, status) => {
    const response = await send(post(body))
    expect(response.status).toBe(status)
    expect(JSON.stringify(await response.json()).length).toBeLessThan(2000)
  })

  test('many registrations of one address', async () => {
    let left = 2
    const REGISTER_LIMIT = { limit: async () => ({ success: left-- > 0 }) } as unknown as RateLimit
    const statuses: number[] = []
    for (let n = 0; n < 3; n++) {
      const request = post(registration({ client_name: 'x' }), { 'cf-connecting-ip': '203.0.113.9' })
      statuses.push((await send(request, { REGISTER_LIMIT })).status)
    }
    expect(statuses).toEqual([201, 201, 429])
  })

  test.each([
    'https://127.0.0.1:9/x',
    'https://localhost/x',
    'https://[::1]/x',
    'https://10.0.0.1/x',
    'https://nas.local/x',
  ])('no document is fetched from %s', async (id) => {
    const fetched = vi.spyOn(globalThis, 'fetch')
    const url = new URL(`${ORIGIN}/authorize`)
    url.search = new URLSearchParams({ response_type: 'code', client_id: id, redirect_uri: REDIRECT }).toString()
    expect((await send(new Request(url))).status).toBe(400)
    const fields = { grant_type: 'authorization_code', client_id: id, code: 'admin:a:b', code_verifier: 'v' }
    expect((await exchange(fields)).status).toBe(400)
    expect(fetched).not.toHaveBeenCalled()
  })
})
