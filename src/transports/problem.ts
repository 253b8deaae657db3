/**
 * Errors for callers: RFC 9457 problem details, the same object in REST answers and MCP results.
 * @module
 */
import { type CoordinatorError, type ErrorCode, toCoordinatorError } from '../errors.ts'
import { log } from '../log.ts'

/** Problem details (RFC 9457, section 3.1) with additional members of the coordinator. */
export interface Problem {
  /** Path of the code's documentation, relative to this coordinator. */
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  field?: string
  limit?: number
  hint?: string
  retry_after?: number
  request_id: string
}

const TITLES: Record<ErrorCode, string> = {
  invalid_input: 'Invalid input',
  unauthorized: 'Not authenticated',
  forbidden: 'Not permitted',
  not_found: 'Not found',
  method_not_allowed: 'Method not allowed',
  request_timeout: 'Request timed out',
  conflict: 'Conflict',
  payload_too_large: 'Payload too large',
  unsupported_media_type: 'Unsupported media type',
  rate_limited: 'Too many requests',
  client_closed_request: 'Client closed the request',
  internal: 'Internal error',
  engine_unavailable: 'Engine unavailable',
  storage_busy: 'Storage busy',
  storage_full: 'Storage full',
}

/** The problem object of an error. `status` differs from the code's own status only if HTTP has a more specific one. */
export function problemOf(error: CoordinatorError, requestId: string, status: number = error.status): Problem {
  const { code, message, ...details } = error.toJSON()
  return {
    type: `/docs/errors#${code}`,
    title: TITLES[code],
    status,
    code,
    detail: message,
    ...details,
    request_id: requestId,
  }
}

/** A problem as an HTTP response. */
export function problemResponse(
  error: CoordinatorError,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
  status: number = error.status,
): Response {
  return new Response(JSON.stringify(problemOf(error, requestId, status)), {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(error.retryAfter !== undefined && { 'Retry-After': String(Math.ceil(error.retryAfter)) }),
      ...headers,
    },
  })
}

/**
 * Maps any exception to the error for callers. Unexpected exceptions are logged with the request id that the caller
 * receives. Bound parameters of a failed query are removed, because they contain user content.
 */
export function reportError(thrown: unknown, requestId: string, doing: string): CoordinatorError {
  const error = toCoordinatorError(thrown)
  if (error.status < 500) return error
  const fault = error.cause ?? error
  log('error', 'request_failed', {
    request_id: requestId,
    doing,
    code: error.code,
    name: fault instanceof Error ? fault.name : typeof fault,
    message: loggable(fault),
    ...(fault instanceof Error && fault.cause instanceof Error && { cause: loggable(fault.cause) }),
    ...(error.code === 'internal' && fault instanceof Error && { stack: stackFrames(fault) }),
  })
  return error
}

/** The message of a fault without user content: query parameters, and quoted text that could not be parsed. */
function loggable(fault: unknown): string {
  if (fault instanceof SyntaxError) return 'A text could not be parsed.'
  const message = fault instanceof Error ? fault.message : String(fault)
  const query = message.search(/\s{0,4}params:/)
  return (query < 0 ? message : message.slice(0, query)).slice(0, 1000)
}

/** Only the call sites, because the head of a stack repeats the message. */
function stackFrames(fault: Error): string[] {
  return (fault.stack ?? '')
    .split('\n')
    .filter((row) => row.trimStart().startsWith('at '))
    .slice(0, 12)
    .map((row) => row.trim())
}
