/**
 * JSON Schemas of operations, converted from zod once and cached.
 * @module
 */
import * as z from 'zod'
import type { Operation } from '../operations/operation.ts'

/** A JSON Schema object (draft 2020-12). */
export type JsonSchema = Record<string, unknown>

/** A JSON Schema of an object, as MCP requires for tools. */
export interface ObjectSchema extends JsonSchema {
  type: 'object'
  properties: Record<string, JsonSchema>
  required?: string[]
}

const converted = new WeakMap<z.ZodObject, ObjectSchema>()

/** The input schema of an operation. Fields with a default are optional. */
export function inputSchemaOf(operation: Operation): ObjectSchema {
  return convert(operation.input)
}

/**
 * The output schema of an operation. Unknown fields are allowed, so that a client with an older schema keeps working.
 */
export function outputSchemaOf(operation: Operation): ObjectSchema {
  return convert(operation.output)
}

/**
 * Converts a zod object. Omits `$schema`: MCP assumes 2020-12 by default, and validators that know only draft-07 (those
 * of 2025-era clients) reject a schema that names a newer one.
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

/** Removes uninformative constraints: the integer bounds of a double, and patterns already implied by `format`. */
function simplify(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.format === 'uuid') delete schema.pattern
}
