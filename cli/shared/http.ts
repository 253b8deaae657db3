/**
 * HTTP client of the command line: JSON in and out, problem details as errors, bounded retries.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'

/** Problem details (RFC 9457) from the coordinator. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  code?: string
  detail?: string
  field?: string
  limit?: number
  hint?: string
}

/** The coordinator answered with an error. */
export class HttpError extends Error {
  override name = 'HttpError'
  readonly status: number
  readonly problem: Problem

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`)
    this.status = status
    this.problem = problem
  }
}

/** No answer, or the connection broke permanently. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
}

/** Options of a client. */
export interface HttpOptions {
  /** Base URL without a path. */
  url: string
  /** API key, sent as `X-API-Key`. */
  key?: string
  /** Maximum attempts for one request, including the first. */
  attempts?: number
  /** First pause between attempts in milliseconds. It doubles each time, up to 15 seconds. */
  pauseMs?: number
  /** Maximum wait for one answer in milliseconds. */
  timeoutMs?: number
  /** Aborts every request. */
  signal?: AbortSignal
  /** Called before each pause. */
  onRetry?: (reason: string, pauseMs: number) => void
}

/** Requests with a JSON body and answer. */
export interface HttpClient {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
  delete<T>(path: string): Promise<T>
}

const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 520, 522, 523, 524])
const MAX_PAUSE_MS = 15_000

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'no answer in time'
  const cause = error.cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  return code ?? (cause instanceof Error ? cause.message : error.message)
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '')
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) return body
  } catch {
    // Not JSON: a proxy's page, or empty.
  }
  return { title: `HTTP ${response.status} ${response.statusText}`.trim(), detail: text.slice(0, 200) || undefined }
}

/** Pause requested by `Retry-After` (RFC 9110, section 10.2.3) in milliseconds, if given in seconds. */
function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, 4 * MAX_PAUSE_MS) : undefined
}

/**
 * A client for one coordinator. All its requests can safely be repeated, so 408, 429, 5xx and broken connections are
 * retried with exponential backoff and full jitter. A connection refused before the first answer is not retried.
 * @throws HttpError for an error answer, UnreachableError if there is no answer
 */
export function createHttpClient(options: HttpOptions): HttpClient {
  const { attempts = 6, pauseMs = 500, timeoutMs = 120_000 } = options
  const base = options.url.replace(/\/+$/, '')
  let answered = false

  async function send<T>(method: string, path: string, given?: unknown): Promise<T> {
    // A POST request sends JSON even without input.
    const body = given === undefined && method === 'POST' ? {} : given
    const headers: Record<string, string> = { accept: 'application/json' }
    if (options.key) headers['x-api-key'] = options.key
    if (body !== undefined) headers['content-type'] = 'application/json'
    const payload = body === undefined ? undefined : JSON.stringify(body)
    for (let attempt = 1; ; attempt++) {
      const timeout = AbortSignal.timeout(timeoutMs)
      const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
      let reason: string
      let asked: number | undefined
      try {
        const response = await fetch(base + path, { method, headers, body: payload, signal })
        answered = true
        if (response.ok) return (await response.json()) as T
        const problem = await problemOf(response)
        if (!RETRIED_STATUS.has(response.status) || attempt >= attempts) throw new HttpError(response.status, problem)
        reason = problem.detail ?? problem.title ?? `HTTP ${response.status}`
        asked = retryAfter(response)
      } catch (error) {
        if (error instanceof HttpError) throw error
        if (options.signal?.aborted) throw options.signal.reason
        reason = reasonOf(error)
        if (!answered || attempt >= attempts)
          throw new UnreachableError(`${base} does not answer (${reason})`, { cause: error })
      }
      const pause = asked ?? Math.min(MAX_PAUSE_MS, pauseMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2)
      options.onRetry?.(reason, pause)
      await sleep(pause, undefined, { signal: options.signal })
    }
  }

  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    delete: (path) => send('DELETE', path),
  }
}
