/**
 * The field `truncated` of outputs: which texts of an input search doesn't cover completely, and why.
 * @module
 */
import * as z from 'zod'
import type { Embedder } from '../inference/embedding/embedder.ts'
import type { PreparedItem } from '../knowledge/stores/store.ts'
import { historyTruncations } from '../outcomes/history.ts'
import { indexTruncations } from '../text/index-truncations.ts'
import type { Truncation } from '../text/truncation.ts'

/** Maximum number of fields that one entry names. */
const MAX_NAMED = 10

/** Omitted when nothing is truncated, so that it costs no tokens. */
export const truncated = z
  .array(
    z.object({
      fields: z.array(z.string()).describe(`The first ${MAX_NAMED} of them.`),
      count: z.int(),
      limit: z.number(),
      message: z.string(),
      hint: z.string(),
      search: z
        .enum(['keyword', 'semantic'])
        .optional()
        .describe('The only search that does not cover the rest. Left out: none covers it.'),
    }),
  )
  .optional()
  .describe('Fields that search does not cover completely, and the limit of each. Left out: none.')

/** A field of an input that exceeds a limit. */
export interface TruncatedField {
  readonly field: string
  readonly truncation: Truncation
}

/** The field `truncated` of an output: one entry for each limit. Empty if nothing is truncated. */
export function viewTruncated(found: readonly TruncatedField[]): { truncated?: z.output<typeof truncated> } {
  if (found.length === 0) return {}
  const byLimit = Map.groupBy(found, ({ truncation }) => truncation.message)
  return {
    truncated: Array.from(byLimit.values(), (same) => {
      const [{ truncation } = found[0] as TruncatedField] = same
      return { fields: same.slice(0, MAX_NAMED).map(({ field }) => field), count: same.length, ...truncation }
    }),
  }
}

/** The field `truncated` of the answer to a query. */
export function viewTruncatedQuery(truncations: readonly Truncation[], field = 'query') {
  return viewTruncated(truncations.map((truncation) => ({ field, truncation })))
}

/**
 * The limits that an item exceeds.
 * @param at the item's position in the input: `items[3]`
 */
export function truncatedItem(embedder: Embedder, at: string, item: PreparedItem): TruncatedField[] {
  const vector = embedder.truncation?.(`${item.title}\n${item.body}`, 'document') ?? null
  const found = [...indexTruncations(item), ...(vector ? [vector] : [])]
  if (found.length === 0) return []
  const field = `${at}${at === '' ? '' : '.'}fields.${longestField(item.fields)}`
  return found.map((truncation) => ({ field, truncation }))
}

/** The texts of an interaction that interaction-history doesn't cover. `prefix`: `interactions[3].` */
export function truncatedTurn(prefix: string, texts: { query: string; response: string }): TruncatedField[] {
  return historyTruncations(texts).map(([name, truncation]) => ({ field: prefix + name, truncation }))
}

function longestField(fields: Readonly<Record<string, unknown>>): string {
  const size = (value: unknown) => (typeof value === 'number' ? 0 : String(value).length)
  return Object.entries(fields).reduce(
    (longest, field) => (size(field[1]) > size(longest[1]) ? field : longest),
    ['', ''],
  )[0]
}
