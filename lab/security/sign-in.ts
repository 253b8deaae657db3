/**
 * Signs a client in by OAuth over HTTP, like a person in a browser.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { ADMIN_KEY, type Coordinator } from './coordinator.ts'

const REDIRECT = 'https://client.example/callback'

/** The response of the token endpoint. */
export interface Tokens {
  readonly status: number
  readonly access_token: string
  readonly refresh_token: string
}

/** Registers a client, consents with the admin's key and exchanges the code. */
export async function signIn(c: Coordinator): Promise<{ tokens: Tokens; refresh(token: string): Promise<Tokens> }> {
  const registered = await c.post('/oauth/register', {
    client_name: 'By hand',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
  })
  const { client_id } = JSON.parse(registered.text)
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: `${c.worker.url}/mcp`,
    scope: 'read',
  })
  const page = await fetch(`${c.worker.url}/authorize?${query}`)
  const handle = /name="handle" value="([^"]+)"/.exec(await page.text())?.[1] ?? ''
  const cookie = (page.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const body = new FormData()
  for (const [name, value] of Object.entries({ handle, key: ADMIN_KEY, scope: 'read', decision: 'approve' }))
    body.set(name, value)
  const consent = await fetch(`${c.worker.url}/authorize`, {
    method: 'POST',
    body,
    headers: { cookie },
    redirect: 'manual',
  })
  const code = new URL(consent.headers.get('location') ?? REDIRECT).searchParams.get('code') ?? ''
  const exchange = async (fields: Record<string, string>): Promise<Tokens> => {
    const response = await fetch(`${c.worker.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, ...fields }),
    })
    return { status: response.status, ...((await response.json()) as Omit<Tokens, 'status'>) }
  }
  const tokens = await exchange({
    grant_type: 'authorization_code',
    redirect_uri: REDIRECT,
    code,
    code_verifier: verifier,
  })
  return { tokens, refresh: (refresh_token) => exchange({ grant_type: 'refresh_token', refresh_token }) }
}
