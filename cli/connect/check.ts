/**
 * Checks whether a connection to a coordinator will work: address, key, project, scopes, MCP endpoint.
 * @module
 */
import { createHttpClient, HttpError } from '../shared/http.ts'
import { explain, type Target, TargetError } from '../shared/target.ts'
import { mcpUrl } from './clients.ts'

/** Operations that an agent needs in addition to reading, with their scopes. */
const NEEDED = [
  { path: '/track_interaction', scope: 'write' },
  { path: '/update_outcome', scope: 'learn' },
] as const

/**
 * Makes the same calls as an agent, without changing anything.
 * @param tools whether the agent gets the MCP tools
 * @returns number of items in the project
 * @throws TargetError
 */
export async function checkConnection(target: Target, tools: boolean): Promise<{ items: number }> {
  const { url, key, project } = target
  const http = createHttpClient({ url, ...(key !== undefined && { key }), attempts: 1, timeoutMs: 20_000 })
  const { collections } = await http
    .get<{ collections: { items: number }[] }>(`/collections?project=${encodeURIComponent(project)}`)
    .catch((error: unknown) => {
      throw explain(error, target)
    })
  if (!Array.isArray(collections))
    throw new TargetError(`${url} answers but is not a Hybrid Coordinator.`, 'Check --url.')
  for (const { path, scope } of NEEDED) {
    // An empty request is rejected, either for its missing fields or, before that, because of the key.
    const error = await http.post(path, {}).then(
      () => null,
      (problem: unknown) => problem,
    )
    if (error instanceof HttpError && error.status === 403)
      throw new TargetError(
        `The key lacks the scope "${scope}".`,
        `Create one with npm run keys -- create --name my-agent --scopes read,write,learn --project ${project}`,
      )
    if (!(error instanceof HttpError && error.status === 400)) throw explain(error, target)
  }
  if (tools) await checkMcp(target)
  return { items: collections.reduce((sum, { items }) => sum + items, 0) }
}

/** Opens an MCP session like a 2025-era client. Later clients may do the same. */
export async function checkMcp(target: Target): Promise<void> {
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
    throw new TargetError(`${address} does not answer (${(error as Error).message}).`, 'Check --url.')
  })
  const text = await response.text().catch(() => '')
  if (!response.ok || !text.includes('serverInfo'))
    throw new TargetError(
      `${address} is not an MCP endpoint (HTTP ${response.status}).`,
      'The coordinator may be older than this command: upgrade it.',
    )
}
