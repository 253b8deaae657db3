/**
 * The OpenAPI 3.1 document, generated from the same schemas that validate requests.
 * @module
 */
import { ERROR_STATUS, type ErrorCode } from '../errors.ts'
import { GROUPS, type HttpRoute, type Operation } from '../operations/operation.ts'
import { DOWNLOAD_PATH } from './downloads.ts'
import { inputSchemaOf, type JsonSchema, type ObjectSchema, outputSchemaOf } from './json-schema.ts'
import { PROGRESS_PATH } from './progress.ts'
import { FEEDBACK_OPERATIONS, FEEDBACK_PATH, pathParameters, routesOf } from './rest.ts'
import { SERVER_INFO } from './server-info.ts'

const TAGS = Object.values(GROUPS).map(({ title, description }) => ({ name: title, description }))

/** Errors that every operation can return. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  'invalid_input',
  'unauthorized',
  'forbidden',
  'internal',
  'engine_unavailable',
  'storage_full',
]
const BODY_ERRORS: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type']

/** An OpenAPI document as JSON. */
export interface OpenApiDocument {
  openapi: string
  paths: Record<string, Record<string, JsonSchema>>
  components: {
    schemas: Record<string, JsonSchema>
    responses: Record<string, JsonSchema>
    securitySchemes: JsonSchema
  }
  [field: string]: unknown
}

/** Builds the document. The server converts each schema once and caches the document. */
export function openApiDocument(operations: readonly Operation[]): OpenApiDocument {
  const document: OpenApiDocument = {
    openapi: '3.1.0',
    info: { title: SERVER_INFO.title, version: SERVER_INFO.version, description: SERVER_INFO.description },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { apiKey: [] }],
    tags: TAGS,
    paths: {},
    components: {
      schemas: { Problem: problemSchema() },
      responses: Object.fromEntries(
        (Object.keys(ERROR_STATUS) as ErrorCode[]).map((code) => [
          code,
          {
            description: code,
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        ]),
      ),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  }
  for (const operation of operations) {
    addSchema(document, inputName(operation), inputSchemaOf(operation))
    addSchema(document, outputName(operation), outputSchemaOf(operation))
  }
  for (const { operation, route } of routesOf(operations)) {
    addPath(document, route.path, route.method, describeRoute(operation, route))
  }
  addFeedback(document, operations)
  addPath(document, DOWNLOAD_PATH, 'GET', downloadRoute())
  addPath(document, PROGRESS_PATH, 'GET', progressRoute())
  return document
}

function addPath(document: OpenApiDocument, path: string, method: string, described: JsonSchema): void {
  const item = document.paths[path] ?? {}
  item[method.toLowerCase()] = described
  document.paths[path] = item
}

function describeRoute(operation: Operation, route: HttpRoute): JsonSchema {
  const schema = inputSchemaOf(operation)
  const inPath = pathParameters(route.path)
  const hasBody = route.method === 'POST' || route.method === 'PATCH'
  const canonical = route === operation.http[0]
  return {
    operationId: canonical
      ? operation.name
      : `${operation.name}_${route.method.toLowerCase()}${route.path.replace(/\W+/g, '_')}`,
    summary: operation.title,
    description: operation.description,
    tags: [GROUPS[operation.group].title],
    ...(route.path === '/health' && { security: [] }),
    'x-required-scope': operation.scope,
    parameters: [
      ...inPath.map((name) => parameter('path', name, schema.properties[name] ?? { type: 'string' }, true)),
      ...(hasBody ? [] : queryParameters(schema, inPath)),
    ],
    ...(hasBody && { requestBody: requestBody(operation, route, schema, inPath) }),
    responses: {
      [String(route.status ?? 200)]: {
        description: route.status === 202 ? 'What was begun.' : 'What the operation answers.',
        content: answerContent(operation, route),
      },
      ...errorResponses([
        ...COMMON_ERRORS,
        ...(inPath.length > 0 ? (['not_found'] as const) : []),
        ...(hasBody ? BODY_ERRORS : []),
      ]),
    },
  }
}

function answerContent(operation: Operation, route: HttpRoute): JsonSchema {
  if (route.as !== undefined) return { [route.as.split(';')[0] ?? route.as]: { schema: { type: 'string' } } }
  return { 'application/json': { schema: reference(outputName(operation)) } }
}

function queryParameters(schema: ObjectSchema, except: readonly string[]): JsonSchema[] {
  return Object.entries(schema.properties)
    .filter(([name]) => !except.includes(name))
    .map(([name, property]) => parameter('query', name, property, schema.required?.includes(name) ?? false))
}

function parameter(place: 'path' | 'query', name: string, schema: JsonSchema, required: boolean): JsonSchema {
  const { description, ...rest } = hoistReferences(schema)
  const value = rest.type === 'object' ? { content: { 'application/json': { schema: rest } } } : { schema: rest }
  return { name, in: place, required, ...(description !== undefined && { description }), ...value }
}

/**
 * A body is the whole input without the fields in the path. Alternative field names are described next to the original
 * ones.
 */
function requestBody(
  operation: Operation,
  route: HttpRoute,
  schema: ObjectSchema,
  inPath: readonly string[],
): JsonSchema {
  const renames = Object.entries(route.rename ?? {})
  const required = (schema.required ?? []).filter((name) => !inPath.includes(name))
  const content = (body: JsonSchema) => ({
    required: required.length > 0,
    content: { 'application/json': { schema: body } },
  })
  if (inPath.length === 0 && renames.length === 0) return content(reference(inputName(operation)))
  const properties = Object.fromEntries(Object.entries(schema.properties).filter(([name]) => !inPath.includes(name)))
  for (const [alias, name] of renames) {
    properties[alias] = { ...schema.properties[name], description: `Another name of ${name}.` }
  }
  const renamed = new Set(renames.map(([, name]) => name))
  const { $defs: _, ...rest } = schema
  return content(hoistReferences({ ...rest, properties, required: required.filter((name) => !renamed.has(name)) }))
}

function addFeedback(document: OpenApiDocument, operations: readonly Operation[]): void {
  const names = Object.values(FEEDBACK_OPERATIONS)
  const targets = names.flatMap((name) => operations.find((operation) => operation.name === name) ?? [])
  if (targets.length < names.length) return
  addPath(document, FEEDBACK_PATH, 'POST', {
    operationId: 'feedback',
    summary: 'Give feedback',
    description:
      'A correction (as learning_feedback) when the body has `correction`, else an outcome (as update_outcome).',
    tags: ['Interactions'],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: { anyOf: targets.map((target) => reference(inputName(target))) } } },
    },
    responses: {
      '200': {
        description: 'As the operation that took it.',
        content: { 'application/json': { schema: { anyOf: targets.map((target) => reference(outputName(target))) } } },
      },
      ...errorResponses([...COMMON_ERRORS, 'not_found', ...BODY_ERRORS]),
    },
  })
}

function downloadRoute(): JsonSchema {
  return {
    operationId: 'download_dataset',
    summary: 'Download a dataset',
    description:
      'Streams a dataset, one JSON object a line. A range of bytes can be asked for, to go on after an interruption.',
    tags: ['Training data'],
    parameters: [
      parameter('path', 'dataset_id', { type: 'string', description: 'From generate_training_data.' }, true),
      { name: 'Range', in: 'header', required: false, schema: { type: 'string' }, example: 'bytes=0-1023' },
    ],
    responses: {
      '200': { description: 'The whole dataset.', content: { 'application/x-ndjson': { schema: { type: 'string' } } } },
      '206': {
        description: 'The range that was asked for.',
        content: { 'application/x-ndjson': { schema: { type: 'string' } } },
      },
      '416': {
        description: 'The range lies beyond the end.',
        content: { 'application/problem+json': { schema: reference('Problem') } },
      },
      ...errorResponses([...COMMON_ERRORS, 'not_found']),
    },
  }
}

function progressRoute(): JsonSchema {
  return {
    operationId: 'watch_progress',
    summary: 'Watch long work',
    description:
      'Server-sent events: jobs that wait or run, by kind, and how many items have their vector. One event for each change; the stream ends ' +
      'when nothing is under way, or after five minutes.',
    tags: ['Administration'],
    parameters: [parameter('query', 'project', { type: 'string', default: 'default' }, false)],
    responses: {
      '200': { description: 'The events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      ...errorResponses(COMMON_ERRORS),
    },
  }
}

function errorResponses(codes: readonly ErrorCode[]): JsonSchema {
  return Object.fromEntries(
    codes.map((code) => [String(ERROR_STATUS[code]), { $ref: `#/components/responses/${code}` }]),
  )
}

/** Adds a schema and its definitions to the components. */
function addSchema(document: OpenApiDocument, name: string, schema: ObjectSchema): void {
  const { $defs, ...rest } = schema
  document.components.schemas[name] = hoistReferences(rest)
  for (const [definition, value] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>)) {
    document.components.schemas[definition] = hoistReferences(value)
  }
}

/** Rewrites references to definitions, so that they refer to the components added by addSchema. */
function hoistReferences(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema
}

function problemSchema(): JsonSchema {
  return {
    type: 'object',
    description: 'Problem details (RFC 9457).',
    required: ['type', 'title', 'status', 'code', 'detail', 'request_id'],
    properties: {
      type: { type: 'string', description: 'Where the code is explained.' },
      title: { type: 'string' },
      status: { type: 'integer' },
      code: { type: 'string', enum: Object.keys(ERROR_STATUS) },
      detail: { type: 'string', description: 'What is wrong with this request.' },
      field: { type: 'string', description: 'Path of the offending field.' },
      limit: { type: 'number', description: 'The limit that was exceeded.' },
      hint: { type: 'string', description: 'What to do about it.' },
      retry_after: { type: 'number', description: 'Seconds after which the same request may succeed.' },
      request_id: { type: 'string', description: 'The X-Request-ID of the answer.' },
    },
  }
}

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` }
}

function inputName(operation: Operation): string {
  return `${operation.name}_input`
}

function outputName(operation: Operation): string {
  return `${operation.name}_output`
}
