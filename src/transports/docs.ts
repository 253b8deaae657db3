/**
 * The pages: the dashboard, a short index, the OpenAPI document, and a documentation page. None of them loads anything
 * from another host.
 * @module
 */
import type { Hono } from 'hono'
import type { Operation } from '../operations/operation.ts'
import type { AppContext, AppEnv } from './context.ts'
import { openApiDocument } from './openapi.ts'
import { SERVER_INFO } from './server-info.ts'

/** The documentation page may load only its own files. Swagger UI sets styles from its scripts. */
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ')

/** The dashboard may only load its own files and call this coordinator. */
const DASHBOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const INDEX = {
  name: SERVER_INFO.title,
  version: SERVER_INFO.version,
  mcp: '/mcp',
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/health',
}

/** Adds `/` (the dashboard for a browser, an index for a program), `/openapi.json` and `/docs`. */
export function mountDocs(app: Hono<AppEnv>, operations: readonly Operation[]): void {
  let document: string | undefined
  app.get('/', async (c) => {
    c.header('Vary', 'Accept')
    return c.req.header('accept')?.includes('text/html') ? await page(c, DASHBOARD_POLICY) : c.json(INDEX)
  })
  app.get('/dashboard/*', (c) => page(c, DASHBOARD_POLICY))
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(openApiDocument(operations))
    return c.body(document, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' })
  })
  app.get('/docs', (c) => page(c, PAGE_POLICY))
  app.get('/docs/*', (c) => page(c, PAGE_POLICY))
}

async function page(c: AppContext, policy: string): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(c.req.raw)
  if (asset.status === 404) return c.notFound()
  const response = new Response(asset.body, asset)
  response.headers.set('Content-Security-Policy', policy)
  response.headers.set('Referrer-Policy', 'no-referrer')
  response.headers.set('X-Frame-Options', 'DENY')
  return response
}
