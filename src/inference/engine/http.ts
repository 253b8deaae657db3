/**
 * Requests to engines over HTTP: what each answer means for the policy in resilience.ts.
 * @module
 */
import { traceHeaders } from '../../tracing.ts'
import { readRefusal } from './refusal.ts'
import { EngineFailure } from './resilience.ts'

/** Answers larger than this are not read, in bytes. */
const MAX_ANSWER = 64 * 1024 * 1024
/** Characters of an error body that are read. */
const MAX_ERROR = 65_536
/** A server that names no time to come back is not waited for longer than this, in milliseconds. */
const MAX_RETRY_AFTER_MS = 600_000

/** Where an engine is and how to be let in. */
export interface EngineEndpoint {
  /** Without a slash at the end. */
  readonly baseUrl: string
  /** Base of its OpenAI-compatible interface; left out: `/v1` below `baseUrl`. */
  readonly apiUrl?: string
  readonly headers: Readonly<Record<string, string>>
  /** Names of the variables that let the coordinator in, for messages; left out: there are none. */
  readonly credentials?: string
}

/** What a service token of Cloudflare Access adds to a request; nothing without one. */
export function accessHeaders(id: string | undefined, secret: string | undefined): Record<string, string> {
  return id && secret ? { 'cf-access-client-id': id, 'cf-access-client-secret': secret } : {}
}

/** Whether an answer is a page for people: a login page, or another server than the engine. */
export function isWebPage(response: Response): boolean {
  return /^\s*(?:text\/html|application\/xhtml)/i.test(response.headers.get('content-type') ?? '')
}

/** What is said of an engine in front of which a web page answers. */
export const WEB_PAGE = 'answered with a web page, such as a login page, instead of its API'

/** What is said of an engine that does not let the coordinator in. */
export function notLetIn(status: number): string {
  return `did not accept its key or access headers (status ${status})`
}

/** Whether a status says that the coordinator is not let in; a redirect leads to a login page. */
export function isNotLetIn(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400)
}

/** A base URL as people write it, with or without a slash or `/v1` at the end, in one form. */
export function normalBaseUrl(url: string): string {
  return url.replace(/\/+$/, '').replace(/\/v1$/, '')
}

/**
 * Base of an OpenAI-compatible interface: a URL with a path as it is written, `/v1` added to a bare host. What OpenAI's own
 * clients take as base URL is right here too.
 */
export function openAiBase(url: string): string {
  const base = url.replace(/\/+$/, '').replace(/\/chat\/completions$/, '')
  return /^[a-z]+:\/\/[^/]+$/i.test(base) ? `${base}/v1` : base
}

/** The same engine, addressed at its OpenAI-compatible interface. */
export function atApi(endpoint: EngineEndpoint): EngineEndpoint {
  return { ...endpoint, baseUrl: endpoint.apiUrl ?? `${endpoint.baseUrl}/v1` }
}

/**
 * Sends one request and gives its answer once the headers are there and say success.
 * @throws EngineFailure for every other answer
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
      // A login page instead of the engine must not be followed and taken for an answer.
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

/** Sends one request and reads its whole answer as JSON. */
export async function askEngine(
  endpoint: EngineEndpoint,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  return readJson(await openEngine(endpoint, path, body, signal), signal)
}

/**
 * The answer, when its status says success.
 * @param secrets what was sent to be let in; taken out of what the engine says
 * @throws EngineFailure for every other one
 */
export async function successful(response: Response, secrets: readonly string[] = []): Promise<Response> {
  if (!response.ok) throw await failureOf(response, secrets)
  if (!isWebPage(response)) return response
  await response.body?.cancel()
  throw new EngineFailure('unauthorized', WEB_PAGE)
}

/** Reads a whole answer as JSON. */
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
  // llama.cpp blames itself (500) for a text that is longer than its batch; it will say so every time.
  if (/too large to process|exceeds the available context|exceed_context_size/i.test(said)) {
    return new EngineFailure('refused', 'got a text that is longer than it can take', undefined, refusal)
  }
  if (status >= 500 && status !== 501)
    return new EngineFailure('failed', `answered with status ${status}`, retryAfterMs)
  return new EngineFailure('refused', `refused the request (status ${status})`, undefined, refusal)
}

/** The beginning of an error body. What callers get of it goes through {@link readRefusal}. */
async function errorText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true })
      if (text.length > MAX_ERROR) break
    }
  } catch {
    // What has come so far is all that there is.
  }
  return text.slice(0, MAX_ERROR)
}

/** `Retry-After` (RFC 9110, section 10.2.3) in milliseconds. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : undefined
}
