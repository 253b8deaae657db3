/**
 * The description of the API: a short index, the OpenAPI document, and a documentation page that needs no other host.
 * @module
 */
import type { Hono } from 'hono'
import type { Operation } from '../operations/operation.ts'
import type { AppContext, AppEnv } from './context.ts'
import { openApiDocument } from './openapi.ts'
import { SERVER_INFO } from './server-info.ts'

/** The documentation page may load its own files and nothing else; Swagger UI sets styles from its scripts. */
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ')

const INDEX = {
  name: SERVER_INFO.title,
  version: SERVER_INFO.version,
  mcp: '/mcp',
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/health',
}

/** Adds `/`, `/openapi.json` and `/docs`. */
export function mountDocs(app: Hono<AppEnv>, operations: readonly Operation[]): void {
  let document: string | undefined
  app.get('/', (c) => c.json(INDEX))
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(openApiDocument(operations))
    return c.body(document, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' })
  })
  app.get('/docs', page)
  app.get('/docs/*', page)
}

async function page(c: AppContext): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(c.req.raw)
  if (asset.status === 404) return c.notFound()
  const response = new Response(asset.body, asset)
  response.headers.set('Content-Security-Policy', PAGE_POLICY)
  response.headers.set('Referrer-Policy', 'no-referrer')
  response.headers.set('X-Frame-Options', 'DENY')
  return response
}
