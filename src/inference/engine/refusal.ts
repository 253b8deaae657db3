/**
 * Parses a model server's error for a rejected request, in the formats that servers use. Pure.
 * @module
 */
import { redact } from '../../security/redact.ts'

/** A server's own error, safe to show to the caller. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly type: string | null
  readonly code: string | null
  readonly param: string | null
}

/** Statuses about the coordinator's access or the connection, not about the caller's request. */
const NOT_THE_CALLERS: ReadonlySet<number> = new Set([401, 402, 403, 407, 408])
/** Statuses that a wrong address also returns. They count only if the body is an API error. */
const ALSO_A_WRONG_ADDRESS: ReadonlySet<number> = new Set([404, 405])

const MAX_MESSAGE = 2000
const MAX_NAME = 200

const TOO_LONG =
  /exceed_context_size|context_length_exceeded|exceeds? the available context|(?:maximum|model'?s?) context (?:length|window|size)|prompt is too long/i

/**
 * Parses an answer's status and body.
 * @param secrets texts that must not appear in the message, such as the key that was sent
 * @returns null if the answer isn't about the caller's request, so that the caller can't fix it
 */
export function readRefusal(status: number, body: string, secrets: readonly string[] = []): Refusal | null {
  const tooLong = TOO_LONG.test(body)
  // Some versions of llama.cpp answer 500 to a prompt that is longer than the context.
  if ((status < 400 || status >= 500) && !tooLong) return null
  if (NOT_THE_CALLERS.has(status)) return null
  const error = errorIn(body)
  if (!error && ALSO_A_WRONG_ADDRESS.has(status)) return null
  const code = name(error?.code)
  return {
    status: status >= 500 ? 400 : status,
    message: clean(String(error?.message ?? ''), secrets) || `The model server refused the request (status ${status}).`,
    type: name(error?.type),
    // Some servers repeat the status as the code.
    code: tooLong ? 'context_length_exceeded' : code === String(status) ? null : code,
    param: name(error?.param),
  }
}

/** The error object in the formats of OpenAI, vLLM, Ollama, FastAPI, Google and Cloudflare; null if there is none. */
function errorIn(body: string): Record<string, unknown> | null {
  const parsed = [parseJson(body)].flat()[0]
  if (!isRecord(parsed)) return null
  const { error, errors, detail, message } = parsed
  if (isRecord(error) && typeof error.message === 'string') return error
  if (typeof error === 'string') return { message: error }
  const first = Array.isArray(errors) ? errors[0] : undefined
  if (isRecord(first) && typeof first.message === 'string') return first
  if (typeof message === 'string') return parsed
  if (typeof detail === 'string') return { message: detail }
  const finding = Array.isArray(detail) ? detail[0] : undefined
  if (isRecord(finding) && typeof finding.msg === 'string') {
    return { message: finding.msg, param: Array.isArray(finding.loc) ? finding.loc.slice(1).join('.') : null }
  }
  return null
}

function clean(message: string, secrets: readonly string[]): string {
  let text = message
  for (const secret of secrets) if (secret.length >= 6) text = text.replaceAll(secret, '[redacted]')
  return redact(text.slice(0, MAX_MESSAGE).toWellFormed(), {}).trim()
}

/** A short identifier as text; null for everything else. */
function name(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? clean(value.slice(0, MAX_NAME), []) : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
