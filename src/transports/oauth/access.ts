/**
 * Resolves a token to its caller: the key that its owner signed in with, in its current state.
 * @module
 */
import { findKeyById } from '../../database/queries/keys.ts'
import { toHex } from '../../encoding.ts'
import type { Env } from '../../env.ts'
import type { Caller, Scope } from '../../operations/operation.ts'
import { digestOf } from '../../security/api-key.ts'
import type { Services } from '../../services.ts'
import { authorizationServer, GRANTABLE, type GrantProps, RESOURCE_PATH } from './server.ts'
import { withGrants } from './storage.ts'

/** The format of the authorization server's tokens: the grant's user, grant and secret. */
const TOKEN = /^[^:\s]{1,200}:[^:\s]{1,200}:[^:\s]{1,200}$/

/** Whether a bearer credential looks like a token of the authorization server rather than a key. */
export function isAccessToken(text: string): boolean {
  return TOKEN.test(text)
}

/**
 * The caller of a token at `/mcp`; null if the token, or the key behind it, is no longer valid. The key's row is read
 * on every request, so that revoking the key revokes its tokens immediately.
 */
export async function callerOfToken(
  request: Request,
  token: string,
  env: Env,
  services: () => Services,
): Promise<Caller | null> {
  const { origin } = new URL(request.url)
  const valid = await authorizationServer(origin)
    .validateToken<GrantProps>(origin + RESOURCE_PATH, token, withGrants(env))
    .catch(() => null)
  if (!valid) return null
  const owner = await ownerOf(valid.props, env, services)
  if (!owner) return null
  const granted = (valid.scope ?? []).filter((scope): scope is Scope => GRANTABLE.includes(scope as Scope))
  const grantable = GRANTABLE.filter((scope) => owner.scopes.includes(scope) || owner.scopes.includes('admin'))
  const scopes = granted.filter((scope) => grantable.includes(scope))
  return { ...owner, scopes, grantable, project: owner.project ?? valid.props.project ?? null }
}

async function ownerOf(props: GrantProps, env: Env, services: () => Services): Promise<Caller | null> {
  if (props.keyId === 'admin') {
    const { HYBRID_API_KEY: key } = env
    if (!key || toHex(await digestOf(key)) !== props.keyHash) return null
    return { id: 'admin', scopes: ['admin'], project: null }
  }
  const { database, now } = services()
  const row = await findKeyById(database, props.keyId)
  if (!row || row.hash !== props.keyHash || row.revokedAt !== null) return null
  if (row.expiresAt !== null && row.expiresAt <= now()) return null
  return { id: row.id, scopes: row.scopes, project: row.project }
}
