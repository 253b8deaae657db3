/**
 * The HTTP application: request ids, authentication, and the routes of every surface.
 * @module
 */
import { Hono } from 'hono'
import { routePath } from 'hono/route'
import { CoordinatorError } from '../errors.ts'
import { type LogLevel, log } from '../log.ts'
import type { Caller, Operation } from '../operations/operation.ts'
import { isApiKey } from '../security/api-key.ts'
import type { Services } from '../services.ts'
import { readSettings } from '../settings.ts'
import { inTrace, traceFrom, traceparentOf } from '../tracing.ts'
import { authenticate, configuredKey, type KeyLookup, PUBLIC_CALLER, presentedKey } from './authenticate.ts'
import { concurrencyGuard } from './concurrency.ts'
import { type AppContext, type AppEnv, type MakeServices, requestIdOf } from './context.ts'
import { mountDocs } from './docs.ts'
import { mountDownloads } from './downloads.ts'
import { addressLimit, corsGuard, countKey, hostGuard, securityHeaders } from './guards.ts'
import { type McpServerFactory, mountMcp, operationServers } from './mcp/endpoint.ts'
import { callerOfToken, isAccessToken } from './oauth/access.ts'
import { mountOAuth, OAUTH_PATHS } from './oauth/routes.ts'
import { allowsSignIn, challenge, isResource } from './oauth/server.ts'
import { isOpenAiPath, mountOpenAi, OPENAI_ROUTES } from './openai/endpoint.ts'
import { errorResponse } from './openai/errors.ts'
import { problemResponse, reportError } from './problem.ts'
import { mountProgress } from './progress.ts'
import { boundToProject } from './project-binding.ts'
import { mountRest } from './rest.ts'
import { storedKeys } from './stored-keys.ts'

const HEALTH_PATH = '/health'

/** Other paths that need no key: the API description, and the files of the pages. */
const PUBLIC_PATHS = /^\/(?:$|openapi\.json$|docs(?:\/|$)|dashboard\/)/

/**
 * Builds the application.
 * @param makeServices called at most once per request, on first use
 * @param operations the table from which REST, MCP and OpenAPI are generated
 * @param mcpServers servers for `/mcp`; default: the operations
 * @example
 * const app = createApp(makeServices, OPERATIONS)
 * export default { fetch: app.fetch }
 */
export function createApp(
  makeServices: MakeServices,
  operations: readonly Operation[],
  mcpServers: McpServerFactory = operationServers(operations),
): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.use(async (c, next) => {
    c.set('requestId', requestIdOf(c.req.raw.headers))
    c.set(
      'services',
      once(() => makeServices(c.env, executionContext(c))),
    )
    const trace = traceFrom(c.req.header('traceparent'))
    const started = Date.now()
    await inTrace(trace, async () => {
      await next()
      logRequest(c, Date.now() - started)
    })
    c.header('X-Request-ID', c.var.requestId)
    c.header('traceparent', traceparentOf(trace))
  })
  app.use(securityHeaders, corsGuard, hostGuard, addressLimit)
  app.use(async (c, next) => {
    c.set('caller', boundToProject(await callerOf(c), c.req.path, c.req.raw.headers))
    await countKey(c)
    await next()
  })
  app.use(concurrencyGuard)
  mountDocs(app, operations)
  mountOAuth(app, lookupsOf)
  mountMcp(app, mcpServers, (name) => operations.find((operation) => operation.name === name)?.scope)
  mountOpenAi(app)
  mountDownloads(app)
  mountProgress(app)
  mountRest(app, operations)
  app.notFound((c) => refusal(c, notServed(c, app), allowHeader(c, app)))
  app.onError((thrown, c) => {
    const error = reportError(thrown, c.var.requestId, `${c.req.method} ${routePath(c, -1)}`)
    return refusal(c, error, error.code === 'unauthorized' ? { 'WWW-Authenticate': challengeOf(c) } : {})
  })
  return app
}

/** An error in the format that clients of its path expect. */
function refusal(c: AppContext, error: CoordinatorError, headers: Readonly<Record<string, string>>): Response {
  const answer = isOpenAiPath(c.req.path) ? errorResponse : problemResponse
  return answer(error, c.var.requestId, headers)
}

/** Logs one line per request: the operation, the key, and the result. Never logs request or response content. */
function logRequest(c: AppContext, ms: number): void {
  const level = logLevelOf(c)
  if (level === 'warn' || level === 'error') return
  const fields = {
    request_id: c.var.requestId,
    method: c.req.method,
    route: routePath(c, -1).slice(0, 200),
    status: c.res.status,
    duration_ms: ms,
    key: c.var.caller?.id ?? null,
  }
  log('info', 'request', fields, level)
}

/** The caller gets the error of an invalid setting; it must not prevent logging. */
function logLevelOf(c: AppContext): LogLevel {
  try {
    return readSettings(c.env).LOG_LEVEL
  } catch {
    return 'error'
  }
}

function isPublic(path: string): boolean {
  return PUBLIC_PATHS.test(path) || OAUTH_PATHS.test(path)
}

async function callerOf(c: AppContext): Promise<Caller> {
  const { HYBRID_API_KEY: adminKey, ALLOWED_ORIGINS: origins } = readSettings(c.env)
  // Without an admin key there is nothing to read and no sign-in: remote callers can only read the health.
  const free = c.req.path === HEALTH_PATH || (adminKey !== undefined && isPublic(c.req.path))
  if (free) return PUBLIC_CALLER
  const presented = presentedKey(c.req.raw.headers) ?? ''
  // A token is valid only for the resource that it was issued for, and is checked only there.
  if (isResource(c.req.path) && isAccessToken(presented)) {
    const caller = await callerOfToken(c.req.raw, presented, c.env, c.var.services)
    if (caller) return caller
  }
  // A presented coordinator key is checked even where none is needed, so that it can be tried on the machine where it
  // was created.
  const open = adminKey === undefined && !isApiKey(presented)
  return authenticate(c.req.raw, open ? [] : lookups(c, adminKey), origins)
}

/** The key look-ups of the coordinator; empty while it has no admin key. */
function lookupsOf(c: AppContext): readonly KeyLookup[] {
  const { HYBRID_API_KEY: adminKey } = readSettings(c.env)
  return adminKey === undefined ? [] : lookups(c, adminKey)
}

function lookups(c: AppContext, adminKey: string | undefined): KeyLookup[] {
  const made = storedKeys(c.var.services, (work) => executionContext(c).waitUntil(work))
  return adminKey === undefined ? [made] : [configuredKey(adminKey), made]
}

/** For `/mcp`, the challenge of a 401 shows clients where to sign in. */
function challengeOf(c: AppContext): string {
  const { origin } = new URL(c.req.url)
  return isResource(c.req.path) && allowsSignIn(origin) ? challenge(origin) : 'Bearer'
}

function notServed(c: AppContext, app: Hono<AppEnv>): CoordinatorError {
  const methods = methodsOf(c.req.path, app)
  if (isOpenAiPath(c.req.path) && methods.length === 0) {
    return new CoordinatorError('not_found', `There is no ${c.req.method} at this path.`, {
      hint: `There are ${OPENAI_ROUTES.join(', ')}.`,
    })
  }
  if (methods.length === 0 || methods.includes(c.req.method)) {
    return new CoordinatorError('not_found', 'There is nothing at this path.', {
      hint: 'See /docs for all routes, /openapi.json for the same to a program, /mcp for MCP clients.',
    })
  }
  return new CoordinatorError('method_not_allowed', `${c.req.method} is not allowed at this path.`, {
    hint: `Use ${methods.join(' or ')}.`,
  })
}

function allowHeader(c: AppContext, app: Hono<AppEnv>): Record<string, string> {
  const methods = methodsOf(c.req.path, app)
  return methods.length === 0 || methods.includes(c.req.method) ? {} : { Allow: methods.join(', ') }
}

/** Methods of the routes whose pattern matches a path. */
function methodsOf(path: string, app: Hono<AppEnv>): string[] {
  const methods = new Set<string>()
  for (const route of app.routes) {
    if (route.method !== 'ALL' && matches(route.path, path)) methods.add(route.method)
  }
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].sort()
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('/')
  const given = path.split('/')
  if (parts.at(-1) === '*')
    return parts.slice(0, -1).every((part, at) => part === given[at]) && given.length >= parts.length
  return (
    parts.length === given.length &&
    parts.every((part, at) => (part.startsWith(':') ? given[at] !== '' : part === given[at]))
  )
}

function executionContext(c: AppContext): ExecutionContext {
  try {
    return c.executionCtx as ExecutionContext
  } catch {
    // Some tests call the app without an execution context.
    return {
      waitUntil: () => undefined,
      passThroughOnException: () => undefined,
      props: {},
    } as unknown as ExecutionContext
  }
}

function once(make: () => Services): () => Services {
  let made: Services | undefined
  return () => (made ??= make())
}
