/**
 * Limits for every input, whatever its schema allows: the length of one text, and how deeply values are nested.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'

/**
 * Maximum nesting depth of an input. No schema needs half of it, and open fields must not be too deep for recursive
 * code.
 */
const MAX_LEVELS = 32
/** Maximum number of values in an input, in all its arrays and objects. The largest import has a tenth of it. */
const MAX_VALUES = 100_000

/**
 * Checks the length of every text in an input, and its nesting depth.
 * @param most maximum characters of one text
 * @returns the error for a value nested too deeply, or null; the caller reports schema errors first
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

/** The path of an input field in the notation that callers use: `items[3].fields.title`. */
export function fieldName(prefix: string, path: readonly PropertyKey[]): string {
  let name = prefix
  for (const part of path) name += typeof part === 'number' ? `[${part}]` : `${name ? '.' : ''}${String(part)}`
  return name.slice(0, 200) || 'input'
}
