/**
 * Asks a coordinator whether a connection would work: address, key, project, scopes, MCP endpoint.
 * @module
 */
import { createHttpClient, HttpError, UnreachableError } from '../shared/http.ts'
import { mcpUrl } from './clients.ts'

/** What a connection needs. */
export interface Target {
  readonly url: string
  readonly key: string | undefined
  readonly project: string
}

/** Why a connection would not work, and what to do. */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  readonly fix: string

  constructor(message: string, fix: string) {
    super(message)
    this.fix = fix
  }
}

/** Operations that an agent needs beside reading, with their scopes. */
const NEEDED = [
  { path: '/track_interaction', scope: 'write' },
  { path: '/update_outcome', scope: 'learn' },
] as const

/**
 * Makes the calls that an agent would make, without changing anything.
 * @returns how many items the project holds
 * @throws ConnectionError
 */
export async function checkConnection(target: Target): Promise<{ items: number }> {
  const { url, key, project } = target
  const http = createHttpClient({ url, ...(key !== undefined && { key }), attempts: 1, timeoutMs: 20_000 })
  const { collections } = await http
    .get<{ collections: { items: number }[] }>(`/collections?project=${encodeURIComponent(project)}`)
    .catch((error: unknown) => {
      throw explain(error, target)
    })
  if (!Array.isArray(collections))
    throw new ConnectionError(`${url} answers, but is no Hybrid Coordinator.`, 'Check --url.')
  for (const { path, scope } of NEEDED) {
    // An empty request is refused: for what is missing in it, or, before that, for the key.
    const error = await http.post(path, {}).then(
      () => null,
      (problem: unknown) => problem,
    )
    if (error instanceof HttpError && error.status === 403)
      throw new ConnectionError(
        `The key lacks the scope "${scope}".`,
        `Create one with npm run keys -- create --name my-agent --scopes read,write,learn --project ${project}`,
      )
    if (!(error instanceof HttpError && error.status === 400)) throw explain(error, target)
  }
  await checkMcp(target)
  return { items: collections.reduce((sum, { items }) => sum + items, 0) }
}

/** Opens an MCP session as a client of 2025 does; every later one may too. */
async function checkMcp(target: Target): Promise<void> {
  const address = mcpUrl(target)
  const response = await fetch(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(target.key !== undefined && { 'x-api-key': target.key }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'hybrid-coordinator-connect', version: '1' },
      },
    }),
    signal: AbortSignal.timeout(20_000),
  }).catch((error: unknown) => {
    throw new ConnectionError(`${address} does not answer (${(error as Error).message}).`, 'Check --url.')
  })
  const text = await response.text().catch(() => '')
  if (!response.ok || !text.includes('serverInfo'))
    throw new ConnectionError(
      `${address} is no MCP endpoint (HTTP ${response.status}).`,
      'The coordinator may be older than this command: upgrade it.',
    )
}

function explain(error: unknown, { url, key, project }: Target): unknown {
  if (error instanceof UnreachableError)
    return new ConnectionError(`${error.message}.`, 'Start it with npm run dev, or name a running one with --url.')
  if (!(error instanceof HttpError)) return error
  const { hint, code } = error.problem
  if (error.status === 401)
    return new ConnectionError(
      key === undefined ? `${url} needs an API key.` : `${url} refuses this key.`,
      `Create one with npm run keys -- create --name my-agent --scopes read,write,learn --project ${project}, and pass it with --key.`,
    )
  if (error.status === 404 && !code) return new ConnectionError(`${url} is no Hybrid Coordinator.`, 'Check --url.')
  return new ConnectionError(error.message, hint ?? 'Correct this, then run the command again.')
}
