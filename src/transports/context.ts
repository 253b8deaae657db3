/**
 * What every request carries through the surfaces.
 * @module
 */
import type { Context } from 'hono'
import type { Env } from '../env.ts'
import type { Caller } from '../operations/operation.ts'
import type { Services } from '../services.ts'
import { readSettings } from '../settings.ts'

/** Builds the services of one invocation. */
export type MakeServices = (env: Env, context: ExecutionContext) => Services

/** Hono's types for this application. */
export interface AppEnv {
  Bindings: Env
  Variables: {
    requestId: string
    caller: Caller
    /** Builds the services on the first call, returns the same ones afterwards. */
    services: () => Services
  }
}

export type AppContext = Context<AppEnv>

/** A caller's own request id when it is 1 to 128 visible ASCII characters, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get('x-request-id')
  return given !== null && /^[\x21-\x7e]{1,128}$/.test(given) ? given : crypto.randomUUID()
}

/** Bytes that a request's body may have. */
export function bodyLimit(c: AppContext): number {
  return readSettings(c.env).MAX_BODY_BYTES
}
