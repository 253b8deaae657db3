/**
 * Errors in OpenAI's format.
 * @module
 */
import type { CoordinatorError } from '../../errors.ts'
import { UpstreamRefusal } from '../../inference/chat-upstream.ts'
import { problemOf } from '../problem.ts'

/** OpenAI's error types for our error codes. */
const ERROR_TYPES: Partial<Record<CoordinatorError['code'], string>> = {
  unauthorized: 'authentication_error',
  forbidden: 'permission_error',
  rate_limited: 'rate_limit_error',
  internal: 'server_error',
  engine_unavailable: 'server_error',
  storage_busy: 'server_error',
  storage_full: 'server_error',
}

/** An error in OpenAI's format. Passes on a model server's message about the request. */
export function errorBody(error: CoordinatorError, requestId: string) {
  const type = ERROR_TYPES[error.code] ?? 'invalid_request_error'
  if (error instanceof UpstreamRefusal) {
    const { message, code, param } = error.refusal
    return { error: { message, type: error.refusal.type ?? type, code: code ?? error.code, param } }
  }
  const { detail, field = null, hint } = problemOf(error, requestId)
  return {
    error: {
      message: hint ? `${detail} ${hint}` : detail,
      type,
      code: error.code,
      param: field,
    },
  }
}

/** The same as an HTTP response. */
export function errorResponse(
  error: CoordinatorError,
  requestId: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const headers = new Headers({ ...more, 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  if (error.retryAfter !== undefined) headers.set('Retry-After', String(Math.ceil(error.retryAfter)))
  const status = error instanceof UpstreamRefusal ? error.refusal.status : error.status
  return new Response(JSON.stringify(errorBody(error, requestId)), { status, headers })
}
