/**
 * HTTP requests to engines, with answers classified for the policy in resilience.ts.
 * @module
 */
import { traceHeaders } from '../../tracing.ts'
import { readRefusal } from './refusal.ts'
import { EngineFailure } from './resilience.ts'

/** Maximum size of an answer, in bytes. */
const MAX_ANSWER = 64 * 1024 * 1024
/** Maximum characters read from an error body. */
const MAX_ERROR = 65_536
/** Maximum wait that a server can request with Retry-After, in milliseconds. */
const MAX_RETRY_AFTER_MS = 600_000

/** The address and credentials of an engine. */
export interface EngineEndpoint {
  /** Without a trailing slash. */
  readonly baseUrl: string
  /** Base URL of its OpenAI-compatible API. Default: `/v1` below `baseUrl`. */
  readonly apiUrl?: string
  readonly headers: Readonly<Record<string, string>>
  /** Names of the variables with the credentials, for messages. Missing: none. */
  readonly credentials?: string
}

/** The headers for a service token of Cloudflare Access; none without a token. */
export function accessHeaders(id: string | undefined, secret: string | undefined): Record<string, string> {
  return id && secret ? { 'cf-access-client-id': id, 'cf-access-client-secret': secret } : {}
}

/** Whether an answer is a web page: a login page, or a server other than the engine. */
export function isWebPage(response: Response): boolean {
  return /^\s*(?:text\/html|application\/xhtml)/i.test(response.headers.get('content-type') ?? '')
}

/** Message for an engine at whose address a web page answers. */
export const WEB_PAGE = 'answered with a web page, such as a login page, instead of its API'

/** Message for an engine that denies access to the coordinator. */
export function notLetIn(status: number): string {
  return `did not accept its key or access headers (status ${status})`
}

/** Whether a status means that access is denied. A redirect leads to a login page. */
export function isNotLetIn(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400)
}

/** Normalises a base URL, with or without a trailing slash or `/v1`. */
export function normalBaseUrl(url: string): string {
  return url.replace(/\/+$/, '').replace(/\/v1$/, '')
}

/**
 * Base URL of an OpenAI-compatible API: a URL with a path is used as given, `/v1` is added to a bare host. Base URLs
 * for OpenAI's own clients work here too.
 */
export function openAiBase(url: string): string {
  const base = url.replace(/\/+$/, '').replace(/\/chat\/completions$/, '')
  return /^[a-z]+:\/\/[^/]+$/i.test(base) ? `${base}/v1` : base
}

/** The same engine, addressed at its OpenAI-compatible API. */
export function atApi(endpoint: EngineEndpoint): EngineEndpoint {
  return { ...endpoint, baseUrl: endpoint.apiUrl ?? `${endpoint.baseUrl}/v1` }
}

/**
 * Sends one request and returns its answer once the headers report success.
 * @throws EngineFailure for any other answer
 */
export async function openEngine(
  { baseUrl, headers }: EngineEndpoint,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response
  try {
    response = await fetch(baseUrl + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...traceHeaders(),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      // A redirect to a login page must not be followed and treated as an answer.
      redirect: 'manual',
      signal,
    })
  } catch {
    if (signal.aborted) throw new EngineFailure('timeout', 'did not answer in time')
    throw new EngineFailure('unreachable', 'could not be reached')
  }
  return successful(
    response,
    Object.values(headers).map((value) => value.replace(/^Bearer /, '')),
  )
}

/** Sends one request and reads the complete answer as JSON. */
export async function askEngine(
  endpoint: EngineEndpoint,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  return readJson(await openEngine(endpoint, path, body, signal), signal)
}

/**
 * Returns the answer if its status is a success.
 * @param secrets the credentials that were sent; removed from the engine's message
 * @throws EngineFailure for any other status
 */
export async function successful(response: Response, secrets: readonly string[] = []): Promise<Response> {
  if (!response.ok) throw await failureOf(response, secrets)
  if (!isWebPage(response)) return response
  await response.body?.cancel()
  throw new EngineFailure('unauthorized', WEB_PAGE)
}

/** Reads a complete answer as JSON. */
export async function readJson(response: Response, signal: AbortSignal): Promise<unknown> {
  if (Number(response.headers.get('content-length') ?? 0) > MAX_ANSWER) {
    await response.body?.cancel()
    throw new EngineFailure('refused', 'sent more than the coordinator reads')
  }
  let text: string
  try {
    text = await response.text()
  } catch {
    if (signal.aborted) throw new EngineFailure('timeout', 'did not answer in time')
    throw new EngineFailure('unreachable', 'broke off in the middle of its answer')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new EngineFailure('invalid', 'did not answer with JSON')
  }
}

async function failureOf(response: Response, secrets: readonly string[]): Promise<EngineFailure> {
  const { status } = response
  const retryAfterMs = retryAfter(response.headers.get('retry-after'))
  const said = await errorText(response)
  if (isNotLetIn(status)) return new EngineFailure('unauthorized', notLetIn(status))
  if (status === 408) return new EngineFailure('timeout', 'did not answer in time')
  const refusal = readRefusal(status, said, secrets) ?? undefined
  if (status === 429) return new EngineFailure('busy', 'has too much to do (status 429)', retryAfterMs, refusal)
  if (status === 503 && /loading/i.test(said)) return new EngineFailure('loading', 'is still loading', retryAfterMs)
  // llama.cpp answers 500 for a text that is longer than its batch. Repeating the request doesn't help.
  if (/too large to process|exceeds the available context|exceed_context_size/i.test(said)) {
    return new EngineFailure('refused', 'got a text that is longer than it can take', undefined, refusal)
  }
  if (status >= 500 && status !== 501)
    return new EngineFailure('failed', `answered with status ${status}`, retryAfterMs)
  return new EngineFailure('refused', `refused the request (status ${status})`, undefined, refusal)
}

/** The beginning of an error body. {@link readRefusal} filters what callers receive. */
async function errorText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true })
      if (text.length > MAX_ERROR) break
    }
  } catch {
    // Use what was received so far.
  }
  return text.slice(0, MAX_ERROR)
}

/** `Retry-After` (RFC 9110, section 10.2.3) in milliseconds. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : undefined
}
