import * as z from 'zod'
import type { StoredConversation } from '../../conversation/client.ts'
import { invalidInput } from '../../errors.ts'
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { StoredDocument, TransferItem } from '../../knowledge/stores/store.ts'
import { operation, SETS } from '../operation.ts'
import { page, subject, unpack, vectorOf } from './state-pages.ts'

/** A page of items as {@link unpack} returns it. */
interface ItemPage {
  readonly space: EmbeddingSpace | null
  readonly items: readonly (Omit<TransferItem, 'vector'> & { readonly vector: string | null })[]
}

export const importState = operation({
  name: 'import_state',
  group: 'administration',
  title: 'Import stored state',
  description:
    'Store one page of a backup, as export_state returned it: items and documents unchanged, over what has the same id; a ' +
    'conversation in place of the one with the same id. A page may be stored twice.',
  scope: 'admin',
  annotations: SETS,
  offeredTo: 'rest',
  verbatim: true,
  http: [{ method: 'POST', path: '/state/import' }],
  input: z.strictObject({
    ...subject,
    clear: z.boolean().default(false).describe('Empty the collection first; send it with its first page only.'),
    page: page.optional().describe('Left out: store nothing, for a collection that is only emptied.'),
  }),
  output: z.object({ entries: z.int().describe('Items or documents that were stored; 1 for a conversation.') }),
  async run(services, input) {
    const { what, project, collection, conversation_id: id } = input
    if (what === 'conversation') {
      if (id === undefined) throw invalidInput('conversation_id', 'conversation_id is missing.')
      if (input.page) await services.conversations.load(project, id, await unpack<StoredConversation>(input.page))
      return { entries: input.page ? 1 : 0 }
    }
    const store = services.stores?.[services.knowledge.name]
    if (!store || collection === undefined) throw invalidInput('collection', 'collection is missing.')
    const scope = { project, collection }
    // A damaged page is rejected before anything is emptied.
    const content = input.page && (await unpack<ItemPage & { documents: StoredDocument[] }>(input.page))
    if (input.clear) await store.clear(scope)
    if (!content) return { entries: 0 }
    if (what === 'documents') {
      await store.importDocuments(scope, content.documents)
      return { entries: content.documents.length }
    }
    const items = content.items.map((item) => ({ ...item, vector: vectorOf(item.vector) }))
    await store.importItems(scope, items, content.space)
    return { entries: items.length }
  },
})
