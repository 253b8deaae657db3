/**
 * Stores data that may be used only once: grants, codes, tokens and consent pages, in one Durable Object per signed-in
 * key. Its storage is consistent and its exchanges run sequentially, so only one of several exchanges of a code
 * succeeds. (KV, the library's default, is only eventually consistent.)
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { toHex } from '../../encoding.ts'
import type { Env } from '../../env.ts'
import { digestOf } from '../../security/api-key.ts'
import { authorizationServer, REFRESH_TOKEN_S } from './server.ts'

/** A stored value with its metadata. */
interface Entry {
  readonly value: string
  readonly metadata?: unknown
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
}

/** An exchanged refresh token. */
interface Exchanged {
  readonly at: number
  /** Whether it was exchanged a second time. */
  readonly again: boolean
}

export interface WriteOptions {
  /** In seconds. */
  readonly expirationTtl?: number
  readonly metadata?: unknown
}

export interface KeyPage {
  readonly keys: { name: string; metadata?: unknown }[]
  readonly list_complete: boolean
  readonly cursor?: string
}

/** How long a client that lost the answer may exchange a refresh token a second time, in milliseconds. */
const GRACE_MS = 60_000
const MAX_PAGE = 1000
/** Number of entries that one alarm checks before it sets the next one. */
const SWEEP = 1000
const EXCHANGED = 'exchanged:'

/** The storage of one key's grants, and their token endpoint. */
export class OAuthGrants extends DurableObject<Env> {
  #queue: Promise<unknown> = Promise.resolve()

  async read(key: string): Promise<string | null> {
    return (await this.#entry(key))?.value ?? null
  }

  /** Returns the value and removes it, so that it can be used only once. */
  async take(key: string): Promise<string | null> {
    const entry = await this.#entry(key)
    await this.ctx.storage.delete(key)
    return entry?.value ?? null
  }

  async write(key: string, value: string, { expirationTtl, metadata }: WriteOptions = {}): Promise<void> {
    const expiresAt = expirationTtl === undefined ? undefined : Date.now() + expirationTtl * 1000
    await this.ctx.storage.put<Entry>(key, {
      value,
      ...(metadata !== undefined && { metadata }),
      ...(expiresAt !== undefined && { expiresAt }),
    })
    if (expiresAt !== undefined) await this.#wakeAt(expiresAt)
  }

  async remove(key: string): Promise<void> {
    await this.ctx.storage.delete(key)
  }

  /** Names of keys, in order. `cursor` is the last name of the previous page. */
  async page(prefix: string, limit = MAX_PAGE, cursor?: string): Promise<KeyPage> {
    const now = Date.now()
    const found = await this.ctx.storage.list<Entry>({
      prefix,
      limit: limit + 1,
      ...(cursor !== undefined && { startAfter: cursor }),
    })
    const shown = [...found].slice(0, limit)
    const keys = shown
      .filter(([, { expiresAt }]) => expiresAt === undefined || expiresAt > now)
      .map(([name, { metadata }]) => ({ name, ...(metadata !== undefined && { metadata }) }))
    const last = shown.at(-1)?.[0]
    return found.size > limit && last !== undefined
      ? { keys, list_complete: false, cursor: last }
      : { keys, list_complete: true }
  }

  /** The token endpoint. Processes one request at a time. */
  override fetch(request: Request): Promise<Response> {
    const answer = this.#queue.then(() => this.#exchange(request))
    this.#queue = answer.catch(() => undefined)
    return answer
  }

  override async alarm(): Promise<void> {
    const now = Date.now()
    const entries = await this.ctx.storage.list<Entry>({ limit: SWEEP })
    const expired = [...entries].filter(([, { expiresAt }]) => expiresAt !== undefined && expiresAt <= now)
    for (let at = 0; at < expired.length; at += 128) {
      await this.ctx.storage.delete(expired.slice(at, at + 128).map(([key]) => key))
    }
    const times = [...entries.values()].flatMap(({ expiresAt }) => ((expiresAt ?? 0) > now ? (expiresAt ?? []) : []))
    if (times.length > 0 || entries.size === SWEEP) {
      await this.ctx.storage.setAlarm(Math.max(now + 1000, times.length > 0 ? Math.min(...times) : 0))
    }
  }

  async #exchange(request: Request): Promise<Response> {
    const form = new URLSearchParams(new TextDecoder().decode(await request.clone().arrayBuffer()))
    const token = form.get('grant_type') === 'refresh_token' ? (form.get('refresh_token') ?? '') : ''
    const [, grant = ''] = token.split(':')
    const key = token === '' ? '' : `${EXCHANGED}${grant}:${toHex(await digestOf(token))}`
    const before = key === '' ? null : await this.#exchanged(key)
    if (before && (before.again || Date.now() - before.at > GRACE_MS)) return this.#endGrant(token)
    const { origin } = new URL(request.url)
    const env = { ...this.env, OAUTH_KV: ownStorage(this, this.env.OAUTH_KV) }
    const context = this.ctx as unknown as ExecutionContext
    const response = await authorizationServer(origin).fetch(request, env, context)
    // The library accepts the token before the current one. Older ones are refused, even if recently exchanged.
    if (before && response.status === 400) return this.#endGrant(token)
    if (response.ok && key !== '') {
      const exchanged: Exchanged = { at: before?.at ?? Date.now(), again: before !== null }
      await this.write(key, JSON.stringify(exchanged), { expirationTtl: REFRESH_TOKEN_S })
    }
    return response
  }

  async #exchanged(key: string): Promise<Exchanged | null> {
    const value = await this.read(key)
    return value === null ? null : (JSON.parse(value) as Exchanged)
  }

  /**
   * Ends the grant of a token that its owner has already replaced (RFC 9700, section 4.14.2), because it is impossible
   * to tell which of the two is the client.
   * @returns the refusal
   */
  async #endGrant(token: string): Promise<Response> {
    const [user, grant] = token.split(':')
    await this.remove(`grant:${user}:${grant}`)
    for (const prefix of [`token:${user}:${grant}:`, `${EXCHANGED}${grant}:`]) {
      for (;;) {
        const keys = [...(await this.ctx.storage.list({ prefix, limit: 128 })).keys()]
        if (keys.length === 0) break
        await this.ctx.storage.delete(keys)
      }
    }
    return refusal('invalid_grant', 'This refresh token was used before, so its grant has ended. Sign in again.')
  }

  async #entry(key: string): Promise<Entry | null> {
    const entry = await this.ctx.storage.get<Entry>(key)
    return entry && (entry.expiresAt === undefined || entry.expiresAt > Date.now()) ? entry : null
  }

  async #wakeAt(time: number): Promise<void> {
    const next = await this.ctx.storage.getAlarm()
    if (next === null || next > time) await this.ctx.storage.setAlarm(time)
  }
}

/** The interface of an object's storage, for callers inside and outside. */
export type GrantStorage = Pick<OAuthGrants, 'read' | 'take' | 'write' | 'remove' | 'page'>

const isClient = (key: string) => key.startsWith('client:')
const isTransaction = (key: string) => key.startsWith('transaction:')

/**
 * Storage with the library's interface. Clients can be used repeatedly and are read globally, so they stay in KV.
 * @param storageOf returns the object that stores a key
 */
export function grantStorage(kv: KVNamespace, storageOf: (key: string) => GrantStorage): KVNamespace {
  const storage = {
    async get(key: string, options?: { type?: string } | string) {
      if (isClient(key)) return kv.get(key, options as never)
      const own = storageOf(key)
      // A consent page is read only when the owner decides, and only once.
      const value = await (isTransaction(key) ? own.take(key) : own.read(key))
      const type = typeof options === 'string' ? options : options?.type
      return value !== null && type === 'json' ? JSON.parse(value) : value
    },
    put: (key: string, value: string, options?: WriteOptions) =>
      isClient(key) ? kv.put(key, value, options as never) : storageOf(key).write(key, value, options),
    delete: (key: string) => (isClient(key) ? kv.delete(key) : storageOf(key).remove(key)),
    list: ({ prefix = '', limit, cursor }: { prefix?: string; limit?: number; cursor?: string }) =>
      isClient(prefix) ? kv.list({ prefix, limit, cursor } as never) : storageOf(prefix).page(prefix, limit, cursor),
  }
  return storage as unknown as KVNamespace
}

/** Within an object, everything except clients is in its own storage. */
function ownStorage(own: GrantStorage, kv: KVNamespace): KVNamespace {
  return grantStorage(kv, () => own)
}

/** An error of the token endpoint (RFC 6749, section 5.2). */
export function refusal(error: string, description: string, status = 400): Response {
  return Response.json(
    { error, error_description: description },
    { status, headers: { 'Cache-Control': 'no-store', 'Access-Control-Allow-Origin': '*' } },
  )
}
