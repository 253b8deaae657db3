/**
 * The format of knowledge items in every answer, and the checks on a caller's item before it is stored.
 * @module
 */
import * as z from 'zod'
import { type CoordinatorError, invalidInput } from '../../errors.ts'
import { sha256 } from '../../hash.ts'
import { type Embedder, embedsLater } from '../../inference/embedding/embedder.ts'
import { COLLECTIONS, type CollectionName, contextId } from '../../knowledge/collections.ts'
import { type ItemInput, stableJson } from '../../knowledge/prepare.ts'
import { BY_RULES, PROVENANCES, type Provenance } from '../../knowledge/provenance.ts'
import { MAX_FACET_LENGTH, PROVENANCE_FACET } from '../../knowledge/stores/item-rows.ts'
import type { FieldFilter, PreparedItem, StoredItem } from '../../knowledge/stores/store.ts'
import { line } from '../../knowledge/text-fields.ts'
import { contextSource, suspectedInstructions, timestamp, warningOf } from '../fields.ts'
import { fromIssue } from '../invoke.ts'

export const pendingVectors = z
  .int()
  .min(0)
  .describe('Items whose vector is still to be computed; until then they are found by their words.')

/** The number of prepared items whose vector a job will compute later. */
export function countPending(embedder: Embedder, items: readonly PreparedItem[]): number {
  return embedsLater(embedder) ? items.filter(({ vector }) => !vector).length : 0
}

export const itemView = z.object({
  context_id: z.string(),
  id: z.string(),
  collection: contextSource,
  key: z.string(),
  fields: z.record(z.string(), z.unknown()),
  provenance: z
    .enum(PROVENANCES)
    .describe(
      'Whose words it holds: put in by someone, taken from an answer that worked, written by a model, or copied.',
    ),
  source: z.string().nullable(),
  path: z.string().nullable(),
  access_count: z.int().describe('Tracked interactions with a known outcome that were shown this item.'),
  success_rate: z
    .number()
    .nullable()
    .describe('Share of those that succeeded, a partial success counting half; null: none yet.'),
  created_at: timestamp,
  updated_at: timestamp,
  suspected_instructions: suspectedInstructions,
})

export type ItemView = z.output<typeof itemView>

/** The provenance that a caller may state. `verified_outcome` is excluded: it follows from outcomes. */
export const statedProvenance = z
  .enum(PROVENANCES)
  .exclude(['verified_outcome'])
  .describe('Who wrote this: human, model, or copied from elsewhere.')

/** A stored item, as returned to callers. */
export function viewItem(item: StoredItem): ItemView {
  const { successes, partials, failures } = item.credit
  const shown = successes + partials + failures
  return {
    context_id: contextId(item.collection, item.id),
    id: item.id,
    collection: item.collection,
    key: item.key,
    fields: item.fields,
    provenance: item.provenance,
    source: item.source,
    path: item.path,
    access_count: shown,
    success_rate: shown === 0 ? null : (successes + partials / 2) / shown,
    created_at: item.createdAt,
    updated_at: item.updatedAt,
    ...warningOf(item),
  }
}

export const errorView = z.object({
  code: z.string(),
  message: z.string(),
  field: z.string().optional(),
  limit: z.number().optional(),
  hint: z.string().optional(),
})

/**
 * Checks one item of a batch.
 * @param at the item's position in the input, e.g. `items[3]`, for the error's field
 * @param provenance the default for items that don't state one and name no model in `extracted_by`
 * @returns the item, or an error that describes the problem
 */
export async function checkItem(
  collection: CollectionName,
  raw: unknown,
  at: string,
  provenance: Provenance,
): Promise<ItemInput | CoordinatorError> {
  const schema = z.strictObject({
    key: line(1000).optional(),
    fields: COLLECTIONS[collection].schema,
    provenance: statedProvenance.optional(),
  })
  const result = schema.safeParse(raw)
  if (!result.success) {
    const [issue] = result.error.issues
    return issue ? fromIssue(issue, at) : invalidInput(at, `${at} is not valid.`)
  }
  const { key, fields, provenance: stated } = result.data
  const byModel = typeof fields.extracted_by === 'string' && fields.extracted_by !== BY_RULES
  return {
    key: key ?? (await sha256(stableJson(fields))),
    fields,
    provenance: stated ?? (byModel ? 'model' : provenance),
  }
}

/**
 * Checks that a filter uses fields of the searched collections.
 * @throws CoordinatorError `invalid_input` naming the unknown field, or the value that is too long to be indexed
 */
export function checkFilter(filter: FieldFilter | undefined, collections: readonly CollectionName[]): void {
  for (const [field, condition] of Object.entries(filter ?? {})) {
    if ([condition].flat().some((value) => typeof value === 'string' && value.length > MAX_FACET_LENGTH)) {
      const name = `filter.${field}`.slice(0, 60)
      throw invalidInput(name, `Texts of more than ${MAX_FACET_LENGTH} characters are not indexed for filters.`, {
        limit: MAX_FACET_LENGTH,
        hint: 'Search for the text with query instead.',
      })
    }
    if (field === PROVENANCE_FACET) continue
    const known = collections.some((name) => Object.hasOwn(COLLECTIONS[name].schema.shape, field))
    if (known) continue
    const fields = [...new Set(collections.flatMap((name) => Object.keys(COLLECTIONS[name].schema.shape)))]
    throw invalidInput(`filter.${field}`, `No searched collection has a field ${JSON.stringify(field.slice(0, 60))}.`, {
      hint: `Filter by one of: ${[PROVENANCE_FACET, ...fields].join(', ')}.`,
    })
  }
}
