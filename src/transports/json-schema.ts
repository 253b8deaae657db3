/**
 * JSON Schemas of operations, converted from zod once and kept.
 * @module
 */
import * as z from 'zod'
import type { Operation } from '../operations/operation.ts'

/** A JSON Schema object (draft 2020-12). */
export type JsonSchema = Record<string, unknown>

/** A JSON Schema of an object, as MCP wants it for tools. */
export interface ObjectSchema extends JsonSchema {
  type: 'object'
  properties: Record<string, JsonSchema>
  required?: string[]
}

const converted = new WeakMap<z.ZodObject, ObjectSchema>()

/** What an operation takes: fields with a default are optional. */
export function inputSchemaOf(operation: Operation): ObjectSchema {
  return convert(operation.input)
}

/** What an operation answers. Unknown fields are allowed, so that a client with an older schema keeps working. */
export function outputSchemaOf(operation: Operation): ObjectSchema {
  return convert(operation.output)
}

/**
 * Converts a zod object. `$schema` is left out: 2020-12 is what MCP assumes without it, and validators that know only
 * draft-07 (those of 2025-era clients) refuse a schema that names a newer one.
 */
function convert(schema: z.ZodObject): ObjectSchema {
  const known = converted.get(schema)
  if (known) return known
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => simplify(jsonSchema as JsonSchema),
  }) as JsonSchema
  const result: ObjectSchema = {
    ...rest,
    type: 'object',
    properties: (rest.properties ?? {}) as ObjectSchema['properties'],
  }
  converted.set(schema, result)
  return result
}

/** Drops what tells a reader nothing: the bounds of a double's integers and a pattern that `format` already implies. */
function simplify(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.format === 'uuid') delete schema.pattern
}
