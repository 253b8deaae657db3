/**
 * The baseline of the benchmark: a minimal implementation of the same surface, with the same bindings.
 * @module
 */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { Hono } from 'hono'
import * as z from 'zod'
import type { Env } from '../../../src/env.ts'
import { OPERATIONS } from '../../../src/operations/index.ts'
import { callable } from '../../../src/transports/mcp/tools.ts'

// All Durable Objects bound in wrangler.toml.
export * from '../../../src/worker.ts'

const SERVER = { name: 'baseline', version: '1.0.0' }
const echoed = z.object({ status: z.string(), version: z.string() })
const STATUS = { status: 'ok', version: '1.0.0' }

/** One tool without input, written as in the SDK's guide. */
const oneTool = createMcpHandler(() => {
  const server = new McpServer(SERVER)
  server.registerTool('status', { title: 'Status', description: 'Says ok.', outputSchema: echoed }, () => ({
    content: [{ type: 'text', text: JSON.stringify(STATUS) }],
    structuredContent: STATUS,
  }))
  return server
})

/** The product's tools with their schemas, registered as in the SDK's guide, without an implementation. */
const allTools = createMcpHandler(() => {
  const server = new McpServer(SERVER)
  for (const { name, title, description, annotations, input, output } of callable(OPERATIONS)) {
    server.registerTool(name, { title, description, annotations, inputSchema: input, outputSchema: output }, () => ({
      content: [],
    }))
  }
  return server
})

const asked = z.strictObject({ query: z.string().min(1) })

const app = new Hono<{ Bindings: Env }>()
app.post('/bare', async (c) => c.json(asked.parse(await c.req.json())))
app.post('/insert', async (c) => {
  const { query } = asked.parse(await c.req.json())
  const id = crypto.randomUUID()
  await c.env.DB.prepare('INSERT INTO bare (id, query, response, created_at) VALUES (?, ?, ?, ?)')
    .bind(id, query, query, Date.now())
    .run()
  return c.json({ id })
})
app.post('/prepare', async (c) => {
  await c.env.DB.prepare(
    'CREATE TABLE IF NOT EXISTS bare (id TEXT PRIMARY KEY, query TEXT, response TEXT, created_at INTEGER)',
  ).run()
  return c.json({})
})
app.all('/mcp', (c) => oneTool.fetch(c.req.raw))
app.all('/mcp-all', (c) => allTools.fetch(c.req.raw))

export default { fetch: app.fetch, queue: () => undefined, scheduled: () => undefined }
