/**
 * Query strings. They contain only text, so values are converted to the types in the operation's JSON Schema.
 * @module
 */
import { type CoordinatorError, invalidInput } from '../errors.ts'
import type { JsonSchema, ObjectSchema } from './json-schema.ts'

/**
 * Converts a query string to input fields. Arrays are written as repeated parameters or with commas, objects as JSON.
 * Parameters that are not in the schema stay text, and the operation rejects them.
 * @throws CoordinatorError `invalid_input` naming the parameter whose text is not a value of its type
 */
export function coerceQuery(query: URLSearchParams, schema: ObjectSchema): Map<string, unknown> {
  const fields = new Map<string, unknown>()
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name)
    const type = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    fields.set(name, coerce(type ?? {}, values, name))
  }
  return fields
}

/** Converts one path parameter to its type. */
export function coerceText(schema: JsonSchema | undefined, text: string, field: string): unknown {
  return coerce(schema ?? {}, [text], field)
}

function coerce(schema: JsonSchema, values: readonly string[], field: string): unknown {
  const kinds = alternatives(schema)
  const list = kinds.find((kind) => kind.type === 'array')
  if (list && (values.length > 1 || kinds.length === 1 || values[0]?.includes(','))) {
    const items = values.flatMap((value) => value.split(',')).filter((value) => value !== '')
    return items.map((value, index) => coerce((list.items ?? {}) as JsonSchema, [value], `${field}[${index}]`))
  }
  const [text = ''] = values
  if (values.length > 1) throw invalidInput(field, `${field} is given more than once.`, { hint: `Send ${field} once.` })
  let error: CoordinatorError | null = null
  for (const kind of kinds) {
    const value = scalar(kind, text, field)
    if (value.ok) return value.value
    error ??= value.error
  }
  if (error) throw error
  return text
}

/** The plain types that a schema allows, in order. Text is last, because it matches everything. */
function alternatives(schema: JsonSchema): JsonSchema[] {
  const union = Array.isArray(schema.type)
    ? schema.type.map((type) => ({ ...schema, type }))
    : (schema.anyOf ?? schema.oneOf)
  if (!Array.isArray(union)) return [schema]
  return union
    .flatMap((kind: JsonSchema) => alternatives(kind))
    .sort((a, b) => Number(a.type === 'string') - Number(b.type === 'string'))
}

type Coerced = { ok: true; value: unknown } | { ok: false; error: CoordinatorError }

function scalar(schema: JsonSchema, text: string, field: string): Coerced {
  switch (schema.type) {
    case 'integer':
      if (/^-?\d{1,15}$/.test(text)) return { ok: true, value: Number(text) }
      // Numbers that are not integers or out of range are left to the schema, whose error states the limit.
      return number(text) === null ? wrong(field, 'a number') : { ok: true, value: Number(text) }
    case 'number':
      return number(text) === null ? wrong(field, 'a number') : { ok: true, value: Number(text) }
    case 'boolean':
      if (text === 'true' || text === '1') return { ok: true, value: true }
      if (text === 'false' || text === '0') return { ok: true, value: false }
      return wrong(field, 'true or false')
    case 'null':
      return text === 'null' ? { ok: true, value: null } : wrong(field, 'null')
    case 'object':
      try {
        return { ok: true, value: JSON.parse(text) }
      } catch {
        return wrong(field, 'an object')
      }
    default:
      return { ok: true, value: text }
  }
}

function number(text: string): number | null {
  return /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : null
}

function wrong(field: string, what: string): Coerced {
  return { ok: false, error: invalidInput(field, `${field} must be ${what}.`, { hint: `Send ${field} as ${what}.` }) }
}
