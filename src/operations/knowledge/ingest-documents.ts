import * as z from 'zod'
import { noteWriters } from '../../database/queries/deletions.ts'
import { CoordinatorError, invalidInput } from '../../errors.ts'
import type { CollectionName } from '../../knowledge/collections.ts'
import { type ItemInput, prepareDocuments } from '../../knowledge/prepare.ts'
import type { DocumentResult } from '../../knowledge/stores/store.ts'
import { line } from '../../knowledge/text-fields.ts'
import { collectionName, MAX_BATCH, project, sourceName } from '../fields.ts'
import { countIngest } from '../ingest-quota.ts'
import { fromIssue } from '../invoke.ts'
import { operation, SETS } from '../operation.ts'
import { truncated, truncatedItem, viewTruncated } from '../truncated.ts'
import { checkItem, countPending, errorView, pendingVectors } from './knowledge-views.ts'

const documentInput = z.strictObject({
  path: line(1000),
  hash: line(200).describe("The caller's hash of the whole document; list_documents returns it."),
  items: z.array(z.unknown()).max(MAX_BATCH),
})

export const ingestDocuments = operation({
  name: 'ingest_documents',
  group: 'knowledge',
  title: 'Ingest documents',
  description:
    'Store whole documents (files) as lists of items. Each document is replaced in one step and then holds exactly the items ' +
    'sent; an unchanged document is left alone. Documents that are not valid are reported; the others are stored.',
  scope: 'write',
  annotations: SETS,
  http: [{ method: 'POST', path: '/knowledge/documents' }],
  input: z.strictObject({
    project,
    collection: collectionName.default('codebase-context'),
    source: sourceName,
    documents: z
      .array(z.record(z.string(), z.unknown()))
      .min(1)
      .max(100)
      .describe('Objects {"path", "hash", "items": [{"key", "fields"}]}; hash is any digest of the file.'),
  }),
  output: z.object({
    results: z.array(
      z.object({
        path: z.string(),
        status: z.enum(['indexed', 'unchanged', 'rejected']),
        added: z.int(),
        updated: z.int(),
        unchanged: z.int(),
        removed: z.int(),
        error: errorView.optional(),
      }),
    ),
    totals: z.object({
      documents: z.int(),
      added: z.int(),
      updated: z.int(),
      unchanged: z.int(),
      removed: z.int(),
      rejected: z.int(),
      pending_vectors: pendingVectors,
    }),
    truncated,
  }),
  async run(services, input, caller) {
    const count = input.documents.reduce((sum, { items }) => sum + (Array.isArray(items) ? items.length : 0), 0)
    if (count > MAX_BATCH) {
      throw invalidInput(
        'documents',
        `One call takes at most ${MAX_BATCH} items in all its documents; this has ${count}.`,
        {
          limit: MAX_BATCH,
          hint: 'Send fewer documents a call.',
        },
      )
    }
    await countIngest(services, input.project, count, input.documents)
    const checked = await Promise.all(
      input.documents.map((raw, index) => checkDocument(input.collection, input.source, raw, `documents[${index}]`)),
    )
    refuseRepeated(checked)
    const good = checked.flatMap((document) => ('error' in document ? [] : [document]))
    const { embedder } = services
    const documents = await prepareDocuments(input.project, input.collection, input.source, good, embedder)
    const stored = documents.length
      ? await services.knowledge.replaceDocuments(input, input.source, documents, embedder.space)
      : []
    const written = stored.flatMap(({ path, status }) => (status === 'unchanged' ? [] : [path]))
    await noteWriters(services.database, input, input.source, written, caller.id, services.now())
    const byPath = new Map(stored.map((result) => [result.path, result]))
    const totals = { documents: 0, added: 0, updated: 0, unchanged: 0, removed: 0, rejected: 0, pending_vectors: 0 }
    const changed = new Set(written)
    totals.pending_vectors = countPending(
      embedder,
      documents.flatMap(({ path, items }) => (changed.has(path) ? items : [])),
    )
    const results = checked.map((document) => {
      const result = byPath.get(document.path)
      if ('error' in document || !result) {
        totals.rejected++
        const error = 'error' in document ? document.error : new CoordinatorError('internal', 'It was not stored.')
        return { ...NOTHING, path: document.path, status: 'rejected' as const, error: error.toJSON() }
      }
      totals.documents++
      for (const name of ['added', 'updated', 'unchanged', 'removed'] as const) totals[name] += result[name]
      return result
    })
    const at = checked.flatMap((document, index) => ('error' in document ? [] : [`documents[${index}]`]))
    const cut = documents.flatMap(({ items }, i) =>
      items.flatMap((item, index) => truncatedItem(embedder, `${at[i]}.items[${index}]`, item)),
    )
    return { results, totals, ...viewTruncated(cut) }
  },
})

const NOTHING: Omit<DocumentResult, 'path' | 'status'> = { added: 0, updated: 0, unchanged: 0, removed: 0 }

/** If a path occurs twice in a call, the second document is rejected: it is unclear which one is meant. */
function refuseRepeated(checked: Checked[]): void {
  const seen = new Set<string>()
  for (const [index, document] of checked.entries()) {
    if ('error' in document) continue
    if (seen.has(document.path)) {
      const error = invalidInput(`documents[${index}].path`, 'Another document of this call has the same path.', {
        hint: 'Send each document once a call.',
      })
      checked[index] = { path: document.path, error }
    }
    seen.add(document.path)
  }
}

type Checked = { path: string; hash: string; items: ItemInput[] } | { path: string; error: CoordinatorError }

/** A document is accepted or rejected as a whole. */
async function checkDocument(collection: CollectionName, source: string, raw: unknown, at: string): Promise<Checked> {
  const result = documentInput.safeParse(raw)
  const path = pathOf(raw)
  if (!result.success) {
    const [issue] = result.error.issues
    return { path, error: issue ? fromIssue(issue, at) : invalidInput(at, `${at} is not valid.`) }
  }
  const { hash, items } = result.data
  const keys = new Set<string>()
  const checked: ItemInput[] = []
  for (const [index, rawItem] of items.entries()) {
    const item = await checkItem(
      collection,
      withSource(collection, rawItem, source),
      `${at}.items[${index}]`,
      'imported',
    )
    if (item instanceof CoordinatorError) return { path, error: item }
    if (keys.has(item.key)) {
      const error = invalidInput(`${at}.items[${index}].key`, 'Two items of the document have this key.', {
        hint: 'Give each item of a document its own key.',
      })
      return { path, error }
    }
    keys.add(item.key)
    checked.push(item)
  }
  return { path, hash, items: checked }
}

/** Items of a code base include the name of their source, so that searches can filter by it. */
function withSource(collection: CollectionName, item: unknown, source: string): unknown {
  if (collection !== 'codebase-context' || typeof item !== 'object' || item === null) return item
  const { fields } = item as { fields?: unknown }
  if (typeof fields !== 'object' || fields === null) return item
  return { ...item, fields: { ...fields, source } }
}

function pathOf(raw: unknown): string {
  const path = typeof raw === 'object' && raw !== null ? (raw as { path?: unknown }).path : undefined
  return typeof path === 'string' ? path.slice(0, 1000) : ''
}
