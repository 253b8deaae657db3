/**
 * Requests of the benchmark, over REST and over MCP.
 * @module
 */
import type { Shot } from './load.ts'

const JSON_HEADERS = { 'content-type': 'application/json' }
const MCP_VERSION = '2026-07-28'

/** A REST call with a JSON body. */
export function post(path: string, body: unknown): Shot {
  return { method: 'POST', path, headers: JSON_HEADERS, body: JSON.stringify(body) }
}

/** A message of MCP 2026-07-28 (Streamable HTTP: the method and the tool's name are also in headers). */
export function mcp(method: string, params: Readonly<Record<string, unknown>> = {}, path = '/mcp'): Shot {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MCP_VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return {
    method: 'POST',
    path,
    headers: {
      ...JSON_HEADERS,
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MCP_VERSION,
      'mcp-method': method,
      ...(typeof params.name === 'string' && { 'mcp-name': params.name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
  }
}

/** A call of a tool. */
export function tool(name: string, input: Readonly<Record<string, unknown>>, path?: string): Shot {
  return mcp('tools/call', { name, arguments: input }, path)
}

/** Cycles through a list repeatedly. */
export function cycle<T, R>(list: readonly T[], make: (entry: T) => R): () => R {
  let at = 0
  return () => {
    const entry = list[at++ % list.length]
    if (entry === undefined) throw new Error('There is nothing to send.')
    return make(entry)
  }
}
