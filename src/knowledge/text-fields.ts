/**
 * Text as every input accepts it: bounded, no NUL, no half of a surrogate pair (SQLite and JSON can't carry either faithfully).
 * @module
 */
import * as z from 'zod'

/** Longest text of one field of a knowledge item, in characters. */
export const MAX_ITEM_TEXT = 32_000
/** Longest query, in characters. */
export const MAX_QUERY = 100_000
/** Longest answer that is stored, in characters. */
export const MAX_RESPONSE = 200_000

const clean = (schema: z.ZodString) =>
  schema
    .refine((text) => !text.includes('\0'), { error: 'contains a NUL character; remove it', params: { code: 'nul' } })
    .refine((text) => text.isWellFormed(), {
      error: 'contains half of a surrogate pair; send valid Unicode',
      params: { code: 'surrogate' },
    })

/** Text of 1 to `max` characters that isn't only white space. */
export function line(max: number) {
  return clean(z.string().min(1).max(max).regex(/\S/, 'must not be only white space'))
}

/** Text of 0 to `max` characters. */
export function optionalText(max: number) {
  return clean(z.string().max(max))
}

/** The text of a knowledge item's field. */
export const itemText = line(MAX_ITEM_TEXT)

/** What a person or an agent asks. */
export const queryText = line(MAX_QUERY)

/** What was answered. */
export const responseText = line(MAX_RESPONSE)
