/**
 * The Worker with the fixtures of the conformance suite instead of the product's tools: the same transport, guards and
 * authentication, from the same application.
 */
import { fromJsonSchema, McpServer } from '@modelcontextprotocol/server'
import { buildServices } from '../../../src/build-services.ts'
import { OPERATIONS } from '../../../src/operations/index.ts'
import { createApp } from '../../../src/transports/app.ts'
import product from '../../../src/worker.ts'
import { addContent, SCHEMA_2020_12 } from './content.ts'
import { addInput, STATE } from './input.ts'

// All Durable Objects bound in wrangler.toml.
export * from '../../../src/worker.ts'

const LISTS = { ttlMs: 300_000, cacheScope: 'public' } as const

function fixtures(): McpServer {
  const server = new McpServer(
    { name: 'conformance', version: '1.0.0' },
    {
      capabilities: { logging: {}, completions: {} },
      requestState: { verify: STATE.verify },
      cacheHints: {
        'tools/list': LISTS,
        'prompts/list': LISTS,
        'resources/list': LISTS,
        'resources/templates/list': LISTS,
        'resources/read': LISTS,
        'server/discover': LISTS,
      },
    },
  )
  addContent(server)
  addInput(server)
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema: fromJsonSchema(SCHEMA_2020_12) },
    () => ({ content: [] }),
  )
  server.registerTool(
    'test_x_mcp_header',
    {
      description: 'Its region stands in a header too.',
      inputSchema: fromJsonSchema({
        type: 'object',
        // The keyword is defined by MCP (2026-07-28, transports, custom headers).
        properties: { region: { type: 'string', 'x-mcp-header': 'Region' } as object, query: { type: 'string' } },
        required: ['region'],
      }),
    },
    () => ({ content: [] }),
  )
  server.server.setRequestHandler('completion/complete', () => ({
    completion: { values: ['paris', 'park'], total: 2, hasMore: false },
  }))
  return server
}

const app = createApp(buildServices, OPERATIONS, fixtures)

export default { ...product, fetch: app.fetch }
