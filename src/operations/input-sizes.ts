/**
 * What no input may exceed, whatever its schema allows: the length of one text, and how deep values lie in each other.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'

/** Levels of an input of ours: no schema needs half of them, and open fields must not hold what recursion could not walk. */
const MAX_LEVELS = 32

/**
 * Measures every text and the depth of an input before anything else is done with it.
 * @param most characters of one text
 * @param levels that arrays and objects may lie in each other
 * @throws CoordinatorError `payload_too_large` or `invalid_input` naming the field and the limit
 */
export function assertSizes(value: unknown, most: number, levels = MAX_LEVELS): void {
  measure(value, most, levels, [])
}

function measure(value: unknown, most: number, levels: number, path: readonly PropertyKey[]): void {
  if (typeof value === 'string') {
    if (value.length <= most) return
    const field = fieldName('', path)
    throw new CoordinatorError('payload_too_large', `${field} is over the limit MAX_FIELD_CHARACTERS of ${most}.`, {
      field,
      limit: most,
      hint: 'Send a shorter text.',
    })
  }
  if (typeof value !== 'object' || value === null) return
  if (path.length >= levels) {
    const field = fieldName('', path)
    throw invalidInput(field, `${field} lies deeper than ${levels} levels.`, {
      limit: levels,
      hint: 'Send arrays and objects that are nested less deeply.',
    })
  }
  if (Array.isArray(value)) for (const [at, item] of value.entries()) measure(item, most, levels, [...path, at])
  else for (const [name, item] of Object.entries(value)) measure(item, most, levels, [...path, name])
}

/** A path into an input as callers write it: `items[3].fields.title`. */
export function fieldName(prefix: string, path: readonly PropertyKey[]): string {
  let name = prefix
  for (const part of path) name += typeof part === 'number' ? `[${part}]` : `${name ? '.' : ''}${String(part)}`
  return name.slice(0, 200) || 'input'
}
