/**
 * Stored items as returned to a model: each item once, with its text limited to a number of tokens and without the
 * fields that only programs need.
 * @module
 */
import { longestPrefix, type TokenCounter, tokenCounter } from '../text/token-counter.ts'
import type { ItemView } from './knowledge/knowledge-views.ts'

/** Maximum tokens of one item's text: of a search result, and of an entry of a list. */
export const SEARCH_ITEM_TOKENS = 250
export const LIST_ITEM_TOKENS = 100

/** Shorter texts are never truncated: names, paths, kinds. */
const SHORT_TEXT = 60
/** Fields for search and bookkeeping. They add nothing for a reader who has the text. */
const UNSHOWN = new Set([
  'symbols',
  'source',
  'extracted_by',
  'end_line',
  'kind',
  'context_provided',
  'conversation_id',
  'turn',
])

export interface BriefItem {
  readonly context_id: string
  readonly score?: number
  readonly fields: Record<string, unknown>
  /** Whether a text of the item was truncated. get_context_items returns the full text. */
  readonly truncated?: true
  readonly suspected_instructions?: string[]
}

/**
 * Shortens items for a model.
 * @param most limit on the total tokens of each item's longer texts
 */
export async function briefItems(
  items: readonly (Pick<ItemView, 'context_id' | 'fields' | 'suspected_instructions'> & { score?: number })[],
  most: number,
): Promise<BriefItem[]> {
  const count = await tokenCounter()
  const known = new Map<string, number>()
  const countTokens = (text: string) => {
    const tokens = known.get(text) ?? count(text)
    known.set(text, tokens)
    return tokens
  }
  return items.map(({ context_id, score, fields, suspected_instructions }) => {
    const cut = briefFields(fields, most, countTokens)
    return {
      context_id,
      ...(score !== undefined && { score: rounded(score) }),
      fields: cut.fields,
      ...(cut.truncated && { truncated: true as const }),
      ...(suspected_instructions && { suspected_instructions }),
    }
  })
}

/** A probability rounded to three decimal places. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** Shortens a text to a number of tokens and marks where it was truncated. */
export function shortened(text: string, most: number, countTokens: TokenCounter): string {
  const end = longestPrefix(text, most, countTokens)
  return end === text.length ? text : `${text.slice(0, end)}…`
}

function briefFields(fields: Readonly<Record<string, unknown>>, most: number, countTokens: TokenCounter) {
  const shown: Record<string, unknown> = {}
  let left = most
  let truncated = false
  for (const [name, value] of Object.entries(fields)) {
    if (UNSHOWN.has(name)) continue
    if (typeof value === 'string' && value.length > SHORT_TEXT) {
      const text = shortened(value, left, countTokens)
      truncated ||= text !== value
      // A truncated text takes all that was left.
      left = text === value ? left - countTokens(text) : 0
      if (text !== '…') shown[name] = text
    } else if (Array.isArray(value)) {
      const entries: unknown[] = []
      for (const entry of value) {
        const tokens = countTokens(String(entry))
        if (tokens > left) break
        entries.push(entry)
        left -= tokens
      }
      truncated ||= entries.length < value.length
      if (entries.length > 0) shown[name] = entries
    } else shown[name] = value
  }
  return { fields: shown, truncated }
}
