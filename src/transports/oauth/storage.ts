/**
 * Where a request finds what the authorization server keeps.
 * @module
 */
import type { Env } from '../../env.ts'
import { type GrantStorage, grantStorage, type OAuthGrants } from './grants.ts'

/** Ids of keys, which are the users of the authorization server. */
const USER = /^(?:admin|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
/** The object that holds consent pages until they are decided on. */
const CONSENT = 'consent'

/** The environment with the grants of all keys behind the binding that the library uses. */
export function withGrants(env: Env): Env {
  const storageOf = (key: string) => {
    const [kind, user = ''] = key.split(':')
    const stub = kind === 'transaction' ? objectOf(env, CONSENT) : grantsOf(env, user)
    return (stub ?? NOTHING) as unknown as GrantStorage
  }
  return { ...env, OAUTH_KV: grantStorage(env.OAUTH_KV, storageOf) }
}

/** The object that holds a user's grants; null for what can't be a user, so that nobody makes objects by guessing. */
export function grantsOf(env: Env, user: string): DurableObjectStub<OAuthGrants> | null {
  return USER.test(user) ? objectOf(env, `user:${user}`) : null
}

function objectOf(env: Env, name: string): DurableObjectStub<OAuthGrants> {
  return (env.OAUTH_GRANTS as DurableObjectNamespace<OAuthGrants>).getByName(name)
}

/** The user that a code or token names. */
export function userOf(secret: string): string {
  return secret.split(':')[0] ?? ''
}

/** Holds nothing and keeps nothing. */
const NOTHING: GrantStorage = {
  read: async () => null,
  take: async () => null,
  write: async () => undefined,
  remove: async () => undefined,
  page: async () => ({ keys: [], list_complete: true }),
}
