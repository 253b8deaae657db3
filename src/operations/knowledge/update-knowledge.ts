import * as z from 'zod'
import { noteWriters } from '../../database/queries/deletions.ts'
import { CoordinatorError, notFound } from '../../errors.ts'
import { itemHash, prepareItems, stableJson } from '../../knowledge/prepare.ts'
import { collectionName, project, uuid } from '../fields.ts'
import { countWriting } from '../ingest-quota.ts'
import { type Caller, operation, SETS } from '../operation.ts'
import { truncated, truncatedItem, viewTruncated } from '../truncated.ts'
import { checkItem, itemView, statedProvenance, viewItem } from './knowledge-views.ts'

export const updateKnowledge = operation({
  name: 'update_knowledge',
  group: 'knowledge',
  title: 'Update a knowledge item',
  description:
    'Change the given fields of one item and keep the others; a field set to null is removed. The item takes the provenance ' +
    'given here, and extracted_by is removed. Without the scope read, the answer holds the given fields only.',
  scope: 'write',
  annotations: SETS,
  http: [{ method: 'PATCH', path: '/knowledge/items/{collection}/{id}' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    id: uuid.describe('Id of the item: the part of its context id after the slash.'),
    fields: z.record(z.string(), z.unknown()).describe('New values by field name; null removes a field.'),
    provenance: statedProvenance.default('human'),
  }),
  output: z.object({ status: z.enum(['updated', 'unchanged']), item: itemView, truncated }),
  async run(services, input, caller) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const [stored] = await services.knowledge.get(input, [input.id])
      if (!stored) throw notFound('knowledge item', 'id')
      const merged = changedFields(stored.fields, input.fields)
      const changed = stableJson(merged) !== stableJson(stored.fields)
      const provenance = changed ? input.provenance : stored.provenance
      const checked = await checkItem(input.collection, { key: stored.key, fields: merged }, '', provenance)
      if (checked instanceof CoordinatorError) throw checked
      if (changed && attempt === 0) await countWriting(services, input.project, 1, input.fields)
      const document =
        stored.source !== null && stored.path !== null ? { source: stored.source, path: stored.path } : undefined
      const prepared = await prepareItems(
        input.project,
        input.collection,
        [{ ...checked, provenance }],
        services.embedder,
        document,
      )
      // If another change came in between, the item is read again, so that neither change loses a field.
      const replaces = await itemHash(stored.fields)
      const items = prepared.map((item) => ({ ...item, replaces }))
      const [status] = await services.knowledge.upsert(input, items, services.embedder.space)
      if (status === 'conflict') continue
      // After a conflict, an unchanged item already has this change: it was written, and another change followed.
      const updated = status !== 'unchanged' || attempt > 0
      if (updated) {
        const reference = document ? document.path : stored.id
        await noteWriters(services.database, input, document?.source ?? '', [reference], caller.id, services.now())
      }
      const [item] = await services.knowledge.get(input, [input.id])
      if (!item) throw notFound('knowledge item', 'id')
      const view = viewItem(item)
      return {
        status: updated ? ('updated' as const) : ('unchanged' as const),
        // A key that may only write gets back what it sent, not what others stored.
        item: mayRead(caller) ? view : { ...view, key: '', fields: only(view.fields, Object.keys(input.fields)) },
        ...viewTruncated(prepared.flatMap((one) => truncatedItem(services.embedder, '', one))),
      }
    }
    throw new CoordinatorError('conflict', 'Other requests kept changing this item at the same time.', {
      field: 'id',
      hint: 'Send the change again.',
    })
  },
})

const mayRead = ({ scopes }: Caller) => scopes.includes('read') || scopes.includes('admin')

/** The named fields of an item. */
function only(fields: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}

/** How many times a change is attempted while others change the same item. */
const TRIES = 5

/** An item's fields after a change. `extracted_by` is removed unless the change states it again. */
function changedFields(
  before: Readonly<Record<string, unknown>>,
  change: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const values = (fields: object) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
  const merged = values({ ...before, ...change })
  if (stableJson(merged) === stableJson(before)) return merged
  return values({ ...merged, extracted_by: change.extracted_by ?? null })
}
