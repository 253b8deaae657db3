/**
 * Locates the authorization server's data for a request.
 * @module
 */
import type { Env } from '../../env.ts'
import { type GrantStorage, grantStorage, type OAuthGrants } from './grants.ts'

/** Ids of keys. Keys are the users of the authorization server. */
const USER = /^(?:admin|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
/** The object that stores consent pages until the owner decides. */
const CONSENT = 'consent'

/** The environment in which the library's binding refers to the grants of all keys. */
export function withGrants(env: Env): Env {
  const storageOf = (key: string) => {
    const [kind, user = ''] = key.split(':')
    const stub = kind === 'transaction' ? objectOf(env, CONSENT) : grantsOf(env, user)
    return (stub ?? NOTHING) as unknown as GrantStorage
  }
  return { ...env, OAUTH_KV: grantStorage(env.OAUTH_KV, storageOf) }
}

/** The object with a user's grants; null for an invalid user name, so that guessing can't create objects. */
export function grantsOf(env: Env, user: string): DurableObjectStub<OAuthGrants> | null {
  return USER.test(user) ? objectOf(env, `user:${user}`) : null
}

function objectOf(env: Env, name: string): DurableObjectStub<OAuthGrants> {
  return (env.OAUTH_GRANTS as DurableObjectNamespace<OAuthGrants>).getByName(name)
}

/** The user in a code or token. */
export function userOf(secret: string): string {
  return secret.split(':')[0] ?? ''
}

/** A storage that is always empty. */
const NOTHING: GrantStorage = {
  read: async () => null,
  take: async () => null,
  write: async () => undefined,
  remove: async () => undefined,
  page: async () => ({ keys: [], list_complete: true }),
}
