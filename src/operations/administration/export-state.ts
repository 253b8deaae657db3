import * as z from 'zod'
import { invalidInput } from '../../errors.ts'
import type { CollectionScope, TransferStore } from '../../knowledge/stores/store.ts'
import { operation, READS } from '../operation.ts'
import { pack, page, subject } from './state-pages.ts'

/** Items of a page, and the number of characters from which a page is made smaller. */
const ITEMS = 100
const MAX_LENGTH = 1_500_000
/** Documents of a page, and files of a list. */
const ENTRIES = 500

export const exportState = operation({
  name: 'export_state',
  group: 'administration',
  title: 'Export stored state',
  description:
    'Read one page of what is stored outside the database, for a backup: the items of a collection with vectors, credit and times, ' +
    'its documents, a conversation, or the list of the files in the bucket. Call it again with next_cursor until that is null. ' +
    'import_state takes the pages.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/state/export' }],
  input: z.strictObject({
    ...subject,
    what: z.enum([...subject.what.options, 'files']),
    cursor: z.string().max(3000).optional().describe('next_cursor of the previous page.'),
  }),
  output: z.object({
    entries: z.int().describe('Items or documents of this page; 1 for a conversation.'),
    page: page.nullable().describe('Null: there is nothing.'),
    damaged: z.array(z.string()).describe("Ids of items that are left out because they can't be read."),
    files: z.array(
      z.object({ key: z.string(), bytes: z.int(), etag: z.string(), content_type: z.string().nullable() }),
    ),
    next_cursor: z.string().nullable(),
  }),
  async run(services, { what, project, collection, conversation_id: id, cursor }) {
    const nothing = { entries: 0, page: null, damaged: [] as string[], files: [], next_cursor: null }
    if (what === 'files') {
      const listed = await services.datasets.list({ cursor, limit: ENTRIES, include: ['httpMetadata'] })
      const files = listed.objects.map(({ key, size, etag, httpMetadata }) => ({
        key,
        bytes: size,
        etag,
        content_type: httpMetadata?.contentType ?? null,
      }))
      return { ...nothing, files, next_cursor: listed.truncated ? listed.cursor : null }
    }
    if (what === 'conversation') {
      if (id === undefined) throw invalidInput('conversation_id', 'conversation_id is missing.')
      const stored = await services.conversations.dump(project, id)
      return stored ? { ...nothing, entries: 1, page: await pack(stored) } : nothing
    }
    const store = services.stores?.[services.knowledge.name]
    if (!store || collection === undefined) throw invalidInput('collection', 'collection is missing.')
    const { content, entries, damaged, nextCursor } = await (what === 'items' ? itemPage : documentPage)(
      store,
      { project, collection },
      cursor,
    )
    return { ...nothing, entries, damaged, page: entries > 0 ? await pack(content) : null, next_cursor: nextCursor }
  },
})

interface StatePage {
  readonly content: object
  readonly entries: number
  readonly damaged: string[]
  readonly nextCursor: string | null
}

/** A page of items that fits into a request. */
async function itemPage(store: TransferStore, scope: CollectionScope, cursor: string | undefined): Promise<StatePage> {
  const { space } = await store.statistics(scope)
  for (let limit = ITEMS; ; limit = Math.ceil(limit / 2)) {
    const { entries: items, nextCursor, damaged = [] } = await store.exportItems(scope, { cursor, limit })
    const length = items.reduce(
      (sum, { fields, vector }) => sum + JSON.stringify(fields).length + (vector?.byteLength ?? 0),
      0,
    )
    if (limit === 1 || length <= MAX_LENGTH)
      return { content: { space, items }, entries: items.length, damaged: [...damaged], nextCursor }
  }
}

async function documentPage(
  store: TransferStore,
  scope: CollectionScope,
  cursor: string | undefined,
): Promise<StatePage> {
  const { entries: documents, nextCursor } = await store.exportDocuments(scope, { cursor, limit: ENTRIES })
  return { content: { documents }, entries: documents.length, damaged: [], nextCursor }
}
