/**
 * Corrects inputs that don't match the schema where only one value can be meant: `null` or an empty text for an omitted
 * field, numbers, booleans, lists and objects as text, one text instead of a list of one, names in another case. Only
 * values that the schema rejected are examined, so a valid input is never changed. Pure.
 * @module
 */
import type * as z from 'zod'
import { measureInput } from './input-sizes.ts'

/** Corrections can be nested: a list as text that contains numbers as text. */
const ROUNDS = 4

/**
 * Parses an input and corrects it where that is unambiguous.
 * @returns zod's result for the corrected input; on failure, only the issues that no correction resolved
 */
export function parseLeniently<I extends z.ZodObject>(schema: I, raw: unknown): z.ZodSafeParseResult<z.output<I>> {
  let result = schema.safeParse(raw)
  let input = raw
  for (let round = 0; !result.success && round < ROUNDS; round++) {
    const corrected = round === 0 ? structuredClone(input) : input
    const { issues } = result.error
    if (issues.map((issue) => correct(schema, corrected, issue)).every((changed) => !changed)) break
    input = corrected
    result = schema.safeParse(input)
  }
  return result
}

/** Corrects the value that an issue is about, in place. Returns whether it did. */
function correct(schema: z.ZodObject, input: unknown, issue: z.core.$ZodIssue): boolean {
  const name = issue.path.at(-1)
  const parent = issue.path.slice(0, -1).reduce<unknown>(memberOf, input)
  if (name === undefined || typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, name)) return false
  const holder = parent as Record<PropertyKey, unknown>
  const value = holder[name]
  const optional = issue.path.length > 1 || schema.shape[String(name)]?.safeParse(undefined).success === true
  if (!Array.isArray(parent) && (value === null || (value === '' && optional && issue.path.length === 1))) {
    delete holder[name]
    return true
  }
  const meant = meantBy(value, issue)
  if (meant === undefined) return false
  holder[name] = meant
  return true
}

function memberOf(value: unknown, name: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<PropertyKey, unknown>)[name]
    : undefined
}

/** The only value that a rejected text can mean, or undefined if that is ambiguous. */
function meantBy(value: unknown, issue: z.core.$ZodIssue): unknown {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (issue.code === 'invalid_value') {
    const same = issue.values.filter((known) => String(known).toLowerCase() === text.toLowerCase())
    return same.length === 1 && same[0] !== value ? same[0] : undefined
  }
  if (issue.code !== 'invalid_type') return undefined
  switch (issue.expected) {
    case 'number':
    case 'int':
      return /^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined
    case 'boolean':
      return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined
    case 'array':
      return text.startsWith('[') ? structured(text) : text === '' ? undefined : [value]
    case 'object':
    case 'record':
      return text.startsWith('{') ? structured(text) : undefined
    default:
      return undefined
  }
}

function structured(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as object
    // A value that is nested too deeply stays text, which the schema rejects.
    return measureInput(value, text.length) === null ? value : undefined
  } catch {
    return undefined
  }
}
