/**
 * Checks whether a model server can serve, with free read requests.
 * @module
 */
import * as z from 'zod'
import { traceHeaders } from '../../tracing.ts'
import type { Observation } from './dependency.ts'
import { atApi, type EngineEndpoint, isNotLetIn, isWebPage, notLetIn, WEB_PAGE } from './http.ts'

/** Longer bodies are not a list of models, in characters. */
const MAX_LIST_LENGTH = 1_000_000

/** Maximum wait for information beyond the server's health, in milliseconds. */
const MORE_MS = 1_500

const modelList = z.object({
  data: z.array(z.object({ id: z.string(), meta: z.object({ n_embd: z.number().optional() }).nullish() })),
})

/** Sends one GET request. Status 503 means that the server is still loading its model. */
export async function askServer(endpoint: EngineEndpoint, path: string, signal: AbortSignal): Promise<Observation> {
  const response = await get(endpoint, path, signal)
  await response.body?.cancel()
  return observed(endpoint, response)
}

/**
 * Checks a server without a documented health endpoint: any answer except a server error or denied access means that it
 * is available.
 */
export async function askReachable(endpoint: EngineEndpoint, path: string, signal: AbortSignal): Promise<Observation> {
  const response = await get(endpoint, path, signal)
  await response.body?.cancel()
  return response.status === 404 || response.status === 405 ? { state: 'ok' } : observed(endpoint, response)
}

/**
 * Checks llama-server or a similar server: whether it is up (`/health`), accepts the key (`/props`, because
 * llama-server answers `/health` without a key), and serves a model of the expected size. Endpoints that the server
 * doesn't have are skipped.
 * @param dimensions expected size of its vectors; omit it for a server that doesn't embed
 */
export async function askModelServer(
  endpoint: EngineEndpoint,
  signal: AbortSignal,
  dimensions?: number,
): Promise<Observation> {
  // A busy server is up, even if it doesn't answer the other requests.
  const soon = AbortSignal.any([signal, AbortSignal.timeout(MORE_MS)])
  const [health, props, list] = await Promise.all([
    get(endpoint, '/health', signal),
    get(endpoint, '/props', soon).catch(() => null),
    listOf(endpoint, soon).catch(() => null),
  ])
  await Promise.all([health.body?.cancel(), props?.body?.cancel()])
  // A server without `/health`, such as Ollama, is up if it lists its models.
  const seen = health.status === 404 && list !== null ? ({ state: 'ok' } as const) : observed(endpoint, health)
  if (seen.state !== 'ok') return seen
  if (props && isNotLetIn(props.status)) return observed(endpoint, props)
  return sizeProblem(list, dimensions) ?? seen
}

async function listOf(endpoint: EngineEndpoint, signal: AbortSignal): Promise<string | null> {
  const models = await get(atApi(endpoint), '/models', signal)
  return models.ok && !isWebPage(models) ? (await models.text()).slice(0, MAX_LIST_LENGTH) : null
}

function sizeProblem(list: string | null, dimensions: number | undefined): Observation | null {
  if (list === null || dimensions === undefined) return null
  const parsed = modelList.safeParse(parseJson(list))
  const sizes = parsed.data?.data.flatMap(({ id, meta }) => (meta?.n_embd ? [{ id, size: meta.n_embd }] : [])) ?? []
  const [first] = sizes
  if (!first || sizes.some(({ size }) => size === dimensions)) return null
  return {
    state: 'degraded',
    error: `serves ${first.id} with vectors of ${first.size} numbers, where EMBEDDING_MODEL has ${dimensions}: it is another model`,
  }
}

function observed(endpoint: EngineEndpoint, response: Response): Observation {
  if (response.ok) return isWebPage(response) ? notIn(endpoint, WEB_PAGE) : { state: 'ok' }
  if (response.status === 503) return { state: 'loading', error: 'is loading its model' }
  if (isNotLetIn(response.status)) return notIn(endpoint, notLetIn(response.status))
  return { state: 'down', error: `answered with status ${response.status}` }
}

function notIn({ credentials }: EngineEndpoint, said: string): Observation {
  return { state: 'down', error: credentials ? `${said}: check ${credentials}` : said }
}

function get(endpoint: EngineEndpoint, path: string, signal: AbortSignal): Promise<Response> {
  return fetch(endpoint.baseUrl + path, {
    headers: { ...traceHeaders(), ...endpoint.headers },
    redirect: 'manual',
    signal,
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
