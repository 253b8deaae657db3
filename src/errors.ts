/**
 * The coordinator's error type and its codes. Each surface maps it once: REST to problem+json, MCP to `isError`.
 * @module
 */

/** Every way in which a request can fail, with its HTTP status. */
export const ERROR_STATUS = {
  invalid_input: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  /** The client disconnected before it got an answer, so it never receives this one. */
  client_closed_request: 499,
  internal: 500,
  engine_unavailable: 503,
  storage_busy: 503,
  storage_full: 507,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS

export interface ErrorDetails {
  /** Path of the offending input field, e.g. `items[3].fields.title`. */
  readonly field?: string
  /** The exceeded limit. Its unit is in the message. */
  readonly limit?: number
  /** How to fix the error. */
  readonly hint?: string
  /** Seconds after which the same call may succeed. */
  readonly retryAfter?: number
}

/** An error that may be returned to callers: `message` and `hint` never contain SQL, stack traces or secrets. */
export class CoordinatorError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly field: string | undefined
  readonly limit: number | undefined
  readonly hint: string | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.name = 'CoordinatorError'
    this.code = code
    this.status = ERROR_STATUS[code]
    this.field = details.field
    this.limit = details.limit
    this.hint = details.hint
    this.retryAfter = details.retryAfter
  }

  /** The body of an error answer, the same on every surface. */
  toJSON(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.field !== undefined && { field: this.field }),
      ...(this.limit !== undefined && { limit: this.limit }),
      ...(this.hint !== undefined && { hint: this.hint }),
      ...(this.retryAfter !== undefined && { retry_after: this.retryAfter }),
    }
  }
}

export interface ErrorBody {
  code: ErrorCode
  message: string
  field?: string
  limit?: number
  hint?: string
  retry_after?: number
}

/** Shorthand for the most common error: invalid input. */
export function invalidInput(
  field: string,
  message: string,
  details: Omit<ErrorDetails, 'field'> = {},
): CoordinatorError {
  return new CoordinatorError('invalid_input', message, { ...details, field })
}

/** An id that doesn't exist, or that the caller may not see: the answer is the same. */
export function notFound(what: string, field: string, hint?: string): CoordinatorError {
  return new CoordinatorError('not_found', `No ${what} with this ${field}.`, { field, hint })
}

/** Faults of SQLite, in D1 or a Durable Object, that the operator of the coordinator can fix. */
const STORAGE_FAULTS: readonly [RegExp, () => CoordinatorError][] = [
  [
    /\bSQLITE_FULL\b|database or disk is full|Exceeded maximum DB size/i,
    () =>
      new CoordinatorError('storage_full', 'The database or its disk is full, so that this write failed.', {
        hint: 'Free disk space on a local coordinator; delete data or archive interactions on Cloudflare. Then send the request again.',
      }),
  ],
  [
    /\bSQLITE_(?:BUSY|LOCKED)\b|database (?:table )?is locked/i,
    () =>
      new CoordinatorError('storage_busy', 'Another process holds the lock of the database.', {
        hint: 'Try again. If this persists on a local coordinator, stop the other program that has its folder open.',
        retryAfter: 1,
      }),
  ],
]

/** Maximum depth of a chain of causes. */
const MAX_CAUSES = 5

/** The error for a storage fault anywhere in a chain of causes; null: another fault. */
function storageFault(thrown: unknown): CoordinatorError | null {
  let fault = thrown
  for (let depth = 0; fault instanceof Error && depth < MAX_CAUSES; depth++) {
    // These messages quote SQL, parameters and parsed texts, which may contain anything. Only their causes are
    // reliable.
    const quotes = fault instanceof SyntaxError || fault.message.startsWith('Failed query:')
    for (const [pattern, make] of STORAGE_FAULTS) if (!quotes && pattern.test(fault.message)) return make()
    fault = fault.cause
  }
  return null
}

/**
 * Converts any exception to a CoordinatorError. Unknown exceptions become `internal` and keep their cause only for the
 * log.
 */
export function toCoordinatorError(thrown: unknown): CoordinatorError {
  if (thrown instanceof CoordinatorError) return thrown
  const error =
    storageFault(thrown) ??
    new CoordinatorError('internal', 'The coordinator could not complete this request.', {
      hint: 'Try again; if it happens again, look up the request id in the Worker log.',
    })
  error.cause = thrown
  return error
}
