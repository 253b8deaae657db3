import * as z from 'zod'
import { noteWriters } from '../../database/queries/deletions.ts'
import { CoordinatorError } from '../../errors.ts'
import { contextId } from '../../knowledge/collections.ts'
import { type ItemInput, prepareItems } from '../../knowledge/prepare.ts'
import { collectionName, MAX_BATCH, project } from '../fields.ts'
import { countIngest } from '../ingest-quota.ts'
import { operation, SETS } from '../operation.ts'
import { truncated, truncatedItem, viewTruncated } from '../truncated.ts'
import { checkItem, countPending, errorView, pendingVectors } from './knowledge-views.ts'

export const storeKnowledge = operation({
  name: 'store_knowledge',
  group: 'knowledge',
  title: 'Store knowledge',
  description:
    'Store what the team should remember: a practice, an error and its solution, a reusable approach, a piece of code. An ' +
    'item with a known key is updated. Items that are not valid are reported; the others are stored.',
  scope: 'write',
  annotations: SETS,
  http: [{ method: 'POST', path: '/knowledge/items' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    items: z
      .array(z.record(z.string(), z.unknown()))
      .min(1)
      .max(MAX_BATCH)
      .describe(
        'Objects {"fields": {…}, "key"?, "provenance"?: "human" | "model"}. Fields: best-practices title, description*; ' +
          'error-solutions error_message*, solution*; skills-patterns skill_name*, description*; codebase-context ' +
          'code_snippet*, file_path (* required). Say "model" for text that you wrote.',
      ),
  }),
  output: z.object({
    results: z.array(
      z.object({
        index: z.int(),
        status: z.enum(['indexed', 'updated', 'unchanged', 'rejected']),
        id: z.string().optional(),
        context_id: z.string().optional(),
        error: errorView.optional(),
      }),
    ),
    totals: z.object({
      indexed: z.int(),
      updated: z.int(),
      unchanged: z.int(),
      rejected: z.int(),
      pending_vectors: pendingVectors,
    }),
    truncated,
  }),
  async run(services, input, caller) {
    await countIngest(services, input.project, input.items.length, input.items)
    const checked = await Promise.all(
      input.items.map((item, index) => checkItem(input.collection, item, `items[${index}]`, 'human')),
    )
    const good = checked.filter((item): item is ItemInput => !(item instanceof CoordinatorError))
    const prepared = await prepareItems(input.project, input.collection, good, services.embedder)
    const statuses = prepared.length ? await services.knowledge.upsert(input, prepared, services.embedder.space) : []
    const written = prepared.flatMap(({ id }, i) => (statuses[i] === 'unchanged' ? [] : [id]))
    await noteWriters(services.database, input, '', written, caller.id, services.now())
    const changed = prepared.filter((_, i) => statuses[i] !== 'unchanged')
    const pending_vectors = countPending(services.embedder, changed)
    const totals = { indexed: 0, updated: 0, unchanged: 0, rejected: 0, pending_vectors }
    const cut = checked
      .flatMap((item, index) => (item instanceof CoordinatorError ? [] : [index]))
      .flatMap((index, i) => (prepared[i] ? truncatedItem(services.embedder, `items[${index}]`, prepared[i]) : []))
    let next = 0
    const results = checked.map((item, index) => {
      if (item instanceof CoordinatorError) {
        totals.rejected++
        return { index, status: 'rejected' as const, error: item.toJSON() }
      }
      const written = statuses[next] ?? 'unchanged'
      // These writes don't replace a specific version, so a conflict can't occur.
      const status = written === 'conflict' ? 'unchanged' : written
      const id = prepared[next]?.id ?? ''
      next++
      totals[status]++
      return { index, status, id, context_id: contextId(input.collection, id) }
    })
    return { results, totals, ...viewTruncated(cut) }
  },
})
