/**
 * Checks requests against Qdrant's published OpenAPI schema, more strictly than the server: unknown properties are
 * rejected.
 */
import openapi from '../../fixtures/qdrant/openapi.json' with { type: 'json' }

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly nullable?: boolean
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly items?: Schema
  readonly minItems?: number
  readonly uniqueItems?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface PublishedOperation {
  readonly operationId: string
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: Schema }[]
  readonly requestBody: Schema | null
}

const schemas = openapi.schemas as unknown as Readonly<Record<string, Schema>>
const paths = openapi.paths as unknown as Readonly<Record<string, Readonly<Record<string, PublishedOperation>>>>

/** Violations of a schema, as paths and reasons; empty: none. */
export function violations(schema: Schema, value: unknown, at = ''): string[] {
  if (schema.$ref) return violations(schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, value, at)
  if (value === null && schema.nullable) return []
  if (schema.anyOf) {
    const tried = schema.anyOf.map((one) => violations(one, value, at))
    const best = tried.reduce((least, one) => (one.length < least.length ? one : least))
    return best.length === 0 ? [] : [`${at}: fits none of ${schema.anyOf.length} forms`, ...best]
  }
  if (schema.nullable && schema.type === undefined) return [`${at}: only null fits`]
  if (schema.enum && !schema.enum.includes(value)) return [`${at}: ${JSON.stringify(value)} is not one of the values`]
  switch (schema.type) {
    case 'object':
      return objectViolations(schema, value, at)
    case 'array':
      if (!Array.isArray(value)) return [`${at}: not an array`]
      if (value.length < (schema.minItems ?? 0)) return [`${at}: fewer than ${schema.minItems} items`]
      return value.flatMap((one, i) => violations(schema.items ?? {}, one, `${at}[${i}]`))
    case 'integer':
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return [`${at}: not a number`]
      if (schema.type === 'integer' && !Number.isInteger(value)) return [`${at}: not an integer`]
      if (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)) return [`${at}: out of range`]
      return []
    case 'string':
      if (typeof value !== 'string') return [`${at}: not a text`]
      // Qdrant answers 400 to a point id that is neither a UUID nor a number.
      if (schema.format === 'uuid' && !UUID.test(value)) return [`${at}: ${value} is not a UUID`]
      return value.length < (schema.minLength ?? 0) ? [`${at}: too short`] : []
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${at}: neither true nor false`]
    default:
      return []
  }
}

function objectViolations(schema: Schema, value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at}: not an object`]
  const { properties = {}, required = [], additionalProperties } = schema
  const found = required.filter((name) => !(name in value)).map((name) => `${at}.${name}: missing`)
  for (const [name, one] of Object.entries(value)) {
    const known = properties[name]
    if (known) found.push(...violations(known, one, `${at}.${name}`))
    else if (typeof additionalProperties === 'object')
      found.push(...violations(additionalProperties, one, `${at}.${name}`))
    else if (additionalProperties !== true) found.push(`${at}.${name}: not a property`)
  }
  return found
}

export interface MatchedRequest {
  readonly operation: string
  readonly parameters: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: unknown
}

/**
 * Finds the published operation of a request and checks its path, query and body.
 * @throws Error that lists the violations
 */
export function matchRequest(method: string, url: URL, body: unknown): MatchedRequest {
  for (const [path, methods] of Object.entries(paths)) {
    const operation = methods[method.toLowerCase()]
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '')
    const match = new RegExp(`^${path.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(url.pathname)
    if (!operation || !match) continue
    const parameters = Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1] ?? '')]))
    const known = new Map(operation.parameters.filter((one) => one.in === 'query').map((one) => [one.name, one.schema]))
    const wrong = [...url.searchParams].flatMap(([name, text]) => {
      const schema = known.get(name)
      return schema ? violations(schema, fromQuery(text), `?${name}`) : [`?${name}: not a parameter`]
    })
    if (operation.requestBody) wrong.push(...violations(operation.requestBody, body, 'body'))
    else if (body !== null) wrong.push('body: not expected')
    if (wrong.length > 0) throw new Error(`${operation.operationId}: ${wrong.slice(0, 6).join('; ')}`)
    return { operation: operation.operationId, parameters, query: url.searchParams, body }
  }
  throw new Error(`No published operation for ${method} ${url.pathname}.`)
}

function fromQuery(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d+$/.test(text) ? Number(text) : text
}
