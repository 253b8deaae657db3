/**
 * What search doesn't cover because a text exceeds a limit. Every limit that cuts a text reports it in this form, and
 * operations return it in the field `truncated`. Pure.
 * @module
 */

export interface Truncation {
  /** The exceeded limit. Its unit is in the message. */
  readonly limit: number
  /** What is covered. */
  readonly message: string
  /** How to get the rest covered. */
  readonly hint: string
  /** The only search that doesn't cover the rest. Missing: none covers it. */
  readonly search?: 'keyword' | 'semantic'
}

/** The hint for an item that is too long to be indexed completely. */
export const SPLIT_ITEM = 'Store the text as several items.'
/** The hint for a query of which only a part is searched. */
export const ASK_LESS = 'Send a shorter query, or several queries.'

/** A limit as a message shows it: 16,384. */
export function shownLimit(limit: number): string {
  return limit.toLocaleString('en-US')
}
