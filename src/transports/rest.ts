/**
 * REST: one route for every `http` entry of every operation.
 * @module
 */
import type { Hono } from 'hono'
import { CoordinatorError, invalidInput } from '../errors.ts'
import { invoke } from '../operations/invoke.ts'
import type { HttpRoute, Operation } from '../operations/operation.ts'
import { assertJson, readJsonObject } from './body.ts'
import { type AppContext, type AppEnv, bodyLimit } from './context.ts'
import { inputSchemaOf, type ObjectSchema } from './json-schema.ts'
import { coerceQuery, coerceText } from './query-string.ts'

/** The route for both kinds of feedback: a correction, or an outcome. */
export const FEEDBACK_PATH = '/feedback'

/** The operation for each kind of body sent to `/feedback`. */
export const FEEDBACK_OPERATIONS = { correction: 'learning_feedback', outcome: 'update_outcome' } as const

/** Adds the routes of all operations to the application. */
export function mountRest(app: Hono<AppEnv>, operations: readonly Operation[]): void {
  for (const { operation, route } of routesOf(operations)) {
    app.on(route.method, honoPath(route.path), (c) => answer(c, operation, route))
  }
  mountFeedback(app, operations)
}

/** Every route with its operation. Literal segments come before parameters, so that no route hides another. */
export function routesOf(operations: readonly Operation[]): { operation: Operation; route: HttpRoute }[] {
  return operations
    .flatMap((operation) => operation.http.map((route) => ({ operation, route })))
    .sort((a, b) => compareSegments(a.route.path, b.route.path))
}

/** Names of a path's parameters, in order. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')
}

function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function compareSegments(a: string, b: string): number {
  const left = a.split('/')
  const right = b.split('/')
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = Number(left[at]?.startsWith('{')) - Number(right[at]?.startsWith('{'))
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

async function answer(c: AppContext, operation: Operation, route: HttpRoute): Promise<Response> {
  const schema = inputSchemaOf(operation)
  if (route.method === 'POST') assertPostedAsJson(c)
  const body = route.method === 'GET' ? {} : await readJsonObject(c.req.raw, bodyLimit(c))
  const input = rename(collectInput(c, schema, route, body), route.rename ?? {})
  const output = await invoke(operation, c.var.services(), input, c.var.caller)
  const up = route.available === undefined || (output as Record<string, unknown>)[route.available] !== false
  if (route.as === undefined) return json(output, up ? (route.status ?? 200) : 503)
  const text = (output as { text?: unknown }).text
  return new Response(String(text ?? ''), { headers: { 'Content-Type': route.as, 'Cache-Control': 'no-store' } })
}

/**
 * Requires JSON for POST requests. A page of another site can make a browser send a POST without a preflight request,
 * but not one that declares JSON.
 * @throws CoordinatorError `unsupported_media_type`, or `invalid_input` for input in the query string
 */
function assertPostedAsJson(c: AppContext): void {
  assertJson(c.req.raw.headers)
  const [parameter] = new URL(c.req.url).searchParams.keys()
  if (parameter === undefined) return
  throw invalidInput(parameter.slice(0, 100), 'The input of a POST is its JSON body, not the query string.', {
    hint: 'Send the fields as one JSON object in the body.',
  })
}

function json(output: object, status = 200): Response {
  return new Response(JSON.stringify(output), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
  })
}

/**
 * Combines path, query string and body. A field may be in only one of them, unless the values are equal.
 * @throws CoordinatorError `invalid_input` naming a field that is given twice with different values
 */
function collectInput(
  c: AppContext,
  schema: ObjectSchema,
  route: HttpRoute,
  body: Record<string, unknown>,
): Map<string, unknown> {
  const input = new Map(Object.entries(body))
  const add = (name: string, value: unknown, from: string) => {
    if (input.has(name) && JSON.stringify(input.get(name)) !== JSON.stringify(value)) {
      throw invalidInput(name, `${name} in the ${from} differs from ${name} elsewhere in the request.`, {
        hint: `Send ${name} once.`,
      })
    }
    input.set(name, value)
  }
  for (const [name, value] of coerceQuery(new URL(c.req.url).searchParams, renamedSchema(schema, route.rename ?? {}))) {
    add(name, value, 'query string')
  }
  for (const name of pathParameters(route.path)) {
    add(name, coerceText(schema.properties[name], c.req.param(name) ?? '', name), 'path')
  }
  return input
}

/** Maps alternative field names to the original ones. */
function rename(input: Map<string, unknown>, names: Readonly<Record<string, string>>): object {
  for (const [alias, name] of Object.entries(names)) {
    if (!input.has(alias)) continue
    if (input.has(name) && input.get(name) !== input.get(alias)) {
      throw invalidInput(alias, `${alias} and ${name} are the same field and differ.`, { hint: `Send ${name} alone.` })
    }
    input.set(name, input.get(alias))
    input.delete(alias)
  }
  return Object.fromEntries(input)
}

function renamedSchema(schema: ObjectSchema, names: Readonly<Record<string, string>>): ObjectSchema {
  const properties = { ...schema.properties }
  for (const [alias, name] of Object.entries(names)) {
    const property = schema.properties[name]
    if (property) properties[alias] = property
  }
  return { ...schema, properties }
}

function mountFeedback(app: Hono<AppEnv>, operations: readonly Operation[]): void {
  const correction = operations.find(({ name }) => name === FEEDBACK_OPERATIONS.correction)
  const outcome = operations.find(({ name }) => name === FEEDBACK_OPERATIONS.outcome)
  if (!correction || !outcome) return
  app.post(FEEDBACK_PATH, async (c) => {
    assertPostedAsJson(c)
    const body = await readJsonObject(c.req.raw, bodyLimit(c))
    const corrects = body.correction !== undefined && body.correction !== null
    if (!corrects && !('interaction_id' in body)) {
      throw new CoordinatorError('invalid_input', 'Neither a correction nor an interaction id is given.', {
        field: 'correction',
        hint: 'Send query and correction, or interaction_id and outcome.',
      })
    }
    return json(await invoke(corrects ? correction : outcome, c.var.services(), body, c.var.caller))
  })
}
