/** Sign-in without a key in the client: a client of the MCP SDK, and manual requests. */
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { expect } from 'vitest'
import { ORIGIN, send, toolRequest } from './keyed-worker.ts'

export const REDIRECT = 'https://client.example/callback'
export const DOCUMENT = 'https://client.example/oauth/client.json'

export interface Keeper extends OAuthClientProvider {
  readonly kept: {
    client?: unknown
    tokens?: { access_token: string; refresh_token?: string }
    verifier?: string
    url?: URL
  }
}

/** A client that stores what it receives. */
export function keeper(options: { documentUrl?: string; scope?: string } = {}): Keeper {
  const kept: Keeper['kept'] = {}
  return {
    kept,
    redirectUrl: REDIRECT,
    ...(options.documentUrl && { clientMetadataUrl: options.documentUrl }),
    clientMetadata: {
      client_name: 'A <b>client</b>',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      ...(options.scope && { scope: options.scope }),
    },
    clientInformation: () => kept.client as never,
    saveClientInformation: (client) => {
      kept.client = client
    },
    tokens: () => kept.tokens as never,
    saveTokens: (tokens) => {
      kept.tokens = tokens as never
    },
    redirectToAuthorization: (url) => {
      kept.url = url
    },
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier
    },
    codeVerifier: () => kept.verifier ?? '',
  }
}

/** All requests go to the Worker under test; the metadata of a client is served by its own host. */
export const fetchWorker = (input: string | URL | Request, init?: RequestInit) => send(new Request(input, init))

export function transportOf(provider: Keeper) {
  return new StreamableHTTPClientTransport(new URL(`${ORIGIN}/mcp`), { authProvider: provider, fetch: fetchWorker })
}

export interface Consent {
  readonly html: string
  readonly cookie: string
  readonly handle: string
}

export async function openConsent(url: URL | string): Promise<Consent> {
  const response = await send(new Request(url))
  const html = await response.text()
  expect(response.status, html).toBe(200)
  expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  expect(html).not.toContain('<script')
  return {
    html,
    cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '',
    handle: /name="handle" value="([^"]+)"/.exec(html)?.[1] ?? '',
  }
}

/** The form data that a person submits on the page. */
export function decide(
  url: URL | string,
  { cookie, handle }: Consent,
  fields: Record<string, string | string[]>,
): Promise<Response> {
  const body = new FormData()
  body.set('handle', handle)
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one)
  const { origin, pathname } = new URL(url)
  return send(new Request(origin + pathname, { method: 'POST', body, headers: { cookie }, redirect: 'manual' }))
}

/** Signs in and returns the address to which the browser is redirected. */
export async function allow(url: URL, key: string, scope: string[] = ['read', 'write', 'learn']): Promise<URL> {
  const response = await decide(url, await openConsent(url), { key, scope, decision: 'approve' })
  expect(response.status, await response.clone().text()).toBe(302)
  return new URL(response.headers.get('location') ?? '')
}

/** The whole flow from the first refusal to a connected client. */
export async function connect(
  key: string,
  scope: string[],
  provider = keeper(),
): Promise<{ client: Client; provider: Keeper }> {
  const first = transportOf(provider)
  await expect(new Client({ name: 'c', version: '1' }).connect(first)).rejects.toThrow()
  const back = await allow(provider.kept.url as URL, key, scope)
  expect(back.origin + back.pathname).toBe(REDIRECT)
  expect(back.searchParams.get('iss')).toBe(ORIGIN)
  await first.finishAuth(back.searchParams)
  const client = new Client({ name: 'c', version: '1' })
  await client.connect(transportOf(provider))
  return { client, provider }
}

export const call = (token: string, name = 'get_stats', input: object = {}) =>
  send(toolRequest(name, input, { authorization: `Bearer ${token}` }))

/** A registered client, with everything it needs to request a code. */
export async function register(): Promise<{
  client_id: string
  authorize(changes?: Record<string, string | null>): URL
  verifier: string
}> {
  const response = await send(
    new Request(`${ORIGIN}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'By hand', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }),
    }),
  )
  expect(response.status).toBe(201)
  const { client_id } = await response.json<{ client_id: string }>()
  const verifier = 'v'.repeat(64)
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const code_challenge = btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
  return {
    client_id,
    verifier,
    authorize(changes = {}) {
      const url = new URL(`${ORIGIN}/authorize`)
      const fields: Record<string, string | null> = {
        response_type: 'code',
        client_id,
        redirect_uri: REDIRECT,
        code_challenge,
        code_challenge_method: 'S256',
        resource: `${ORIGIN}/mcp`,
        scope: 'read',
        state: 'a-state',
        ...changes,
      }
      for (const [name, value] of Object.entries(fields)) if (value !== null) url.searchParams.set(name, value)
      return url
    },
  }
}

export function exchange(fields: Record<string, string>): Promise<Response> {
  return send(
    new Request(`${ORIGIN}/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    }),
  )
}
