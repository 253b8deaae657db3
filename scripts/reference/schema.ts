/**
 * JSON Schema in few words, for tables. Pure functions.
 * @module
 */

/** The keywords that the tables show. */
export interface Schema {
  type?: string | string[]
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  required?: string[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
}

/** Numbers beyond which JSON can't tell integers apart: a limit of the format, not of the field. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER

/**
 * A type in few words: `integer 1…100`, `list of string`, `success | partial | failure`.
 * @example typeOf({ type: 'array', items: { type: 'string' }, maxItems: 5 }) // 'list of string, at most 5'
 */
export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum)
    return schema.enum.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ')
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : (schema.type ?? 'any')
  if (type === 'array') {
    const most = schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`
    return `list of ${typeOf(schema.items ?? {})}${most}`
  }
  if (type === 'object') {
    const fields = Object.keys(schema.properties ?? {})
    return fields.length > 0 ? `{ ${fields.join(', ')} }` : 'object'
  }
  if (type === 'integer' || type === 'number') return `${type}${range(schema)}`
  if (type === 'string' && schema.maxLength !== undefined) return `string, at most ${schema.maxLength} characters`
  return type
}

function range({ minimum, maximum }: Schema): string {
  const low = minimum !== undefined && minimum > -UNBOUNDED ? minimum : undefined
  const high = maximum !== undefined && maximum < UNBOUNDED ? maximum : undefined
  if (low === undefined && high === undefined) return ''
  return high === undefined ? ` from ${low}` : low === undefined ? ` to ${high}` : ` ${low}…${high}`
}

/** Text that can stand in a cell of a Markdown table. */
export function cell(text: string): string {
  return text.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ')
}
