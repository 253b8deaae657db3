/**
 * What no input may exceed, whatever its schema allows: the length of one text, and how deep values lie in each other.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'

/** Levels of an input of ours: no schema needs half of them, and open fields must not hold what recursion could not walk. */
const MAX_LEVELS = 32
/** Values of an input, in all its arrays and objects. The largest import has a tenth of it. */
const MAX_VALUES = 100_000

/**
 * Measures every text of an input, and how deep it goes.
 * @param most characters of one text
 * @returns the error of what lies too deep, null when nothing does; the schema's own finding comes before it
 * @throws CoordinatorError `payload_too_large` naming the field and the limit
 */
export function measureInput(value: unknown, most: number): CoordinatorError | null {
  const path = tooDeep(value, most, [], { left: MAX_VALUES })
  if (path === null) return null
  const field = fieldName('', path)
  return invalidInput(field, `${field} lies deeper than ${MAX_LEVELS} levels.`, {
    limit: MAX_LEVELS,
    hint: 'Send arrays and objects that are nested less deeply.',
  })
}

function tooDeep(
  value: unknown,
  most: number,
  path: readonly PropertyKey[],
  values: { left: number },
): readonly PropertyKey[] | null {
  if (--values.left < 0) {
    throw new CoordinatorError('payload_too_large', `The input has more than ${MAX_VALUES} values.`, {
      field: fieldName('', path.slice(0, 1)),
      limit: MAX_VALUES,
      hint: 'Send it in several smaller requests.',
    })
  }
  if (typeof value === 'string') {
    if (value.length <= most) return null
    const field = fieldName('', path)
    throw new CoordinatorError('payload_too_large', `${field} is over the limit MAX_FIELD_CHARACTERS of ${most}.`, {
      field,
      limit: most,
      hint: 'Send a shorter text.',
    })
  }
  if (typeof value !== 'object' || value === null) return null
  if (path.length >= MAX_LEVELS) return path
  let found: readonly PropertyKey[] | null = null
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
  for (const [name, item] of entries) found = tooDeep(item, most, [...path, name], values) ?? found
  return found
}

/** A path into an input as callers write it: `items[3].fields.title`. */
export function fieldName(prefix: string, path: readonly PropertyKey[]): string {
  let name = prefix
  for (const part of path) name += typeof part === 'number' ? `[${part}]` : `${name ? '.' : ''}${String(part)}`
  return name.slice(0, 200) || 'input'
}
