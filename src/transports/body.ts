/**
 * Reads request bodies: JSON only, with a size limit. Errors state the position and the cause.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'
import { locateJsonError } from './json-error.ts'

/**
 * Reads a JSON body.
 * @returns the parsed value; undefined if there is no body
 * @throws CoordinatorError `payload_too_large`, `unsupported_media_type`, or `invalid_input` with line and column
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const text = await readBodyText(request, maxBytes)
  if (text === '') return undefined
  assertJson(request.headers)
  try {
    return JSON.parse(text)
  } catch {
    const where = locateJsonError(text)
    throw invalidInput(
      'body',
      where
        ? `The body is not valid JSON: line ${where.line}, column ${where.column}: expected ${where.expected}.`
        : 'The body is not valid JSON.',
      { hint: 'Send one JSON value in UTF-8.' },
    )
  }
}

/**
 * The body of a request whose input is an object. A missing body counts as an empty object.
 * @throws CoordinatorError like readJsonBody, and `invalid_input` if the body is another type of value
 */
export async function readJsonObject(request: Request, maxBytes: number): Promise<Record<string, unknown>> {
  const value = await readJsonBody(request, maxBytes)
  if (value === undefined) return {}
  if (isObject(value)) return value
  throw invalidInput('body', 'The body must be a JSON object.', {
    hint: 'Send the fields of the input as one JSON object.',
  })
}

/** Whether a parsed JSON value is an object, not an array or null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Deadline for reading a request body, in milliseconds. */
const BODY_DEADLINE_MS = 60_000

/**
 * Reads the whole body as text.
 * @param deadlineMs maximum duration of the read, in milliseconds
 * @throws CoordinatorError `payload_too_large`, `invalid_input` if it is not UTF-8, `request_timeout`, or
 *   `client_closed_request` if the client disconnects
 */
export async function readBodyText(
  request: Request,
  maxBytes: number,
  deadlineMs: number = BODY_DEADLINE_MS,
): Promise<string> {
  if (request.body === null) return ''
  const reader = request.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  let received = 0
  let text = ''
  let timer: ReturnType<typeof setTimeout> | null = null
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow(deadlineMs)), deadlineMs)
  })
  try {
    for (;;) {
      const { done, value } = await Promise.race([nextOf(reader), late])
      if (done) return text + decode(decoder)
      received += value.byteLength
      if (received > maxBytes) throw tooLarge(maxBytes)
      text += decode(decoder, value)
    }
  } catch (thrown) {
    reader.cancel().catch(() => undefined)
    throw thrown
  } finally {
    clearTimeout(timer)
  }
}

/** The next chunk of a body. A failed read means that the client disconnected. */
async function nextOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read()
  } catch {
    throw new CoordinatorError('client_closed_request', 'The client closed the request before its body was complete.')
  }
}

function tooSlow(deadlineMs: number): CoordinatorError {
  const limit = deadlineMs / 1000
  return new CoordinatorError('request_timeout', `The body did not arrive within ${limit} s.`, {
    field: 'body',
    limit,
    hint: 'Send it in several smaller requests.',
  })
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
  } catch {
    throw invalidInput('body', 'The body is not valid UTF-8.', { hint: 'Send the JSON in UTF-8.' })
  }
}

/** @throws CoordinatorError `unsupported_media_type` if the headers don't declare uncompressed JSON */
export function assertJson(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  if (!/^\s*application\/(?:json|[\w.+-]+\+json)\s*(?:;|$)/i.test(type)) {
    throw new CoordinatorError('unsupported_media_type', 'The body must be sent as application/json.', {
      field: 'Content-Type',
      hint: 'Add the header `Content-Type: application/json`.',
    })
  }
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new CoordinatorError('unsupported_media_type', 'Compressed request bodies are not read.', {
      field: 'Content-Encoding',
      hint: 'Send the JSON uncompressed.',
    })
  }
}

function tooLarge(maxBytes: number): CoordinatorError {
  return new CoordinatorError('payload_too_large', `The body is over the limit MAX_BODY_BYTES of ${maxBytes} bytes.`, {
    field: 'body',
    limit: maxBytes,
    hint: 'Send it in several smaller requests.',
  })
}
