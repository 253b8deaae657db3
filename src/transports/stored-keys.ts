/**
 * Keys from the database, looked up by digest.
 *
 * A permission is never cached: every request reads its key's row, so that a revoked key is refused from the next request on,
 * on every machine. A refusal is cached: a digest that is not stored, expired or revoked can't come to life again, so that
 * somebody who tries keys costs one read a key and not one a request.
 * @module
 */
import { findKeyByHash, type KeyRow, touchKey } from '../database/queries/keys.ts'
import { toHex } from '../encoding.ts'
import type { Caller } from '../operations/operation.ts'
import { fromHex, isApiKey } from '../security/api-key.ts'
import type { Services } from '../services.ts'
import type { KeyLookup } from './authenticate.ts'

/** The last use of a key is true to this many milliseconds, so that it isn't written with every request. */
const TOUCH_MS = 60_000
/** How long a refusal is remembered, in milliseconds, and how many are. */
const REFUSAL_MS = 60_000
const MAX_REFUSALS = 1000

const refusals = new Map<string, number>()

/**
 * The lookup of keys that `create_key` made.
 * @param services built only when a key of our form is presented
 * @param defer takes work that the answer doesn't wait for
 */
export function storedKeys(services: () => Services, defer: (work: Promise<unknown>) => void): KeyLookup {
  return async (digest, key) => {
    if (!isApiKey(key)) return null
    const hash = toHex(digest)
    const { database, now } = services()
    const at = now()
    if ((refusals.get(hash) ?? 0) > at) return null
    const row = await findKeyByHash(database, hash)
    if (!row || !crypto.subtle.timingSafeEqual(digest, fromHex(row.hash)) || !isActive(row, at)) {
      refuse(hash, at + REFUSAL_MS)
      return null
    }
    const stale = at - TOUCH_MS
    if ((row.lastUsedAt ?? 0) < stale) defer(touchKey(database, row.id, at, stale).catch(() => undefined))
    return callerOf(row)
  }
}

function isActive({ revokedAt, expiresAt }: KeyRow, now: number): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now)
}

function callerOf({ id, scopes, project }: KeyRow): Caller {
  return { id, scopes, project }
}

function refuse(hash: string, until: number): void {
  if (refusals.size >= MAX_REFUSALS) refusals.clear()
  refusals.set(hash, until)
}
