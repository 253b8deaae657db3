/**
 * The context of a request in all surfaces.
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
    /** Builds the services on the first call, and returns the same ones afterwards. */
    services: () => Services
  }
}

export type AppContext = Context<AppEnv>

/** The caller's request id if it has 1 to 128 visible ASCII characters, otherwise a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get('x-request-id')
  return given !== null && /^[\x21-\x7e]{1,128}$/.test(given) ? given : crypto.randomUUID()
}

/** Maximum size of a request body, in bytes. */
export function bodyLimit(c: AppContext): number {
  return readSettings(c.env).MAX_BODY_BYTES
}
