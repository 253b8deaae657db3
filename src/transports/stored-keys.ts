/**
 * Keys from the database, looked up by digest.
 *
 * Permissions are never cached: every request reads its key's row, so that a revoked key is rejected from the next
 * request on, on every machine. Refusals are cached, because an unknown, expired or revoked digest can't become valid.
 * So trying keys costs one read per key, not one per request.
 * @module
 */
import { findKeyByHash, type KeyRow, touchKey } from '../database/queries/keys.ts'
import { toHex } from '../encoding.ts'
import type { Caller } from '../operations/operation.ts'
import { fromHex, isApiKey } from '../security/api-key.ts'
import type { Services } from '../services.ts'
import type { KeyLookup } from './authenticate.ts'

/** Accuracy of a key's last use, in milliseconds, so that it isn't written with every request. */
const TOUCH_MS = 60_000
/** How long a refusal is cached, in milliseconds, and the maximum number of cached refusals. */
const REFUSAL_MS = 60_000
const MAX_REFUSALS = 1000

const refusals = new Map<string, number>()

/**
 * The look-up for keys created by `create_key`.
 * @param services built only if a key with our format is presented
 * @param defer runs work that the answer doesn't wait for
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
