/**
 * Text fields of inputs: bounded, without NUL and lone surrogates (SQLite and JSON can't store either faithfully).
 * @module
 */
import * as z from 'zod'

/** Maximum length of one text field of a knowledge item, in characters. */
export const MAX_ITEM_TEXT = 32_000
/** Maximum length of a query, in characters. */
export const MAX_QUERY = 100_000
/** Maximum length of a stored answer, in characters. */
export const MAX_RESPONSE = 200_000

const clean = (schema: z.ZodString) =>
  schema
    .refine((text) => !text.includes('\0'), { error: 'contains a NUL character; remove it', params: { code: 'nul' } })
    .refine((text) => text.isWellFormed(), {
      error: 'contains half of a surrogate pair; send valid Unicode',
      params: { code: 'surrogate' },
    })

/** Text of 1 to `max` characters, not only white space. */
export function line(max: number) {
  return clean(z.string().min(1).max(max).regex(/\S/, 'must not be only white space'))
}

/** Text of 0 to `max` characters. */
export function optionalText(max: number) {
  return clean(z.string().max(max))
}

/** The text of a knowledge item's field. */
export const itemText = line(MAX_ITEM_TEXT)

/** The question of a person or an agent. */
export const queryText = line(MAX_QUERY)

/** An answer. */
export const responseText = line(MAX_RESPONSE)
