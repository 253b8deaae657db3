/**
 * The knowledge store that needs nothing: one Durable Object per project and collection.
 * @module
 */
import { invalidInput } from '../../errors.ts'
import { KnowledgeIndex } from './knowledge-index.ts'
import type { CollectionScope, Page, StoredDocument, TransferStore } from './store.ts'

type Method = (scope: CollectionScope, ...parameters: unknown[]) => Promise<unknown>
type Remote = Readonly<Record<string, Method>>

/** Methods of the object that no store has. */
const NOT_OF_A_STORE: ReadonlySet<string> = new Set(['constructor', 'alarm'])

/** The store: each method of {@link KnowledgeIndex} is called on the object of its scope. */
export function embeddedStore(objects: DurableObjectNamespace<KnowledgeIndex>): TransferStore {
  const objectOf = ({ project, collection }: CollectionScope) =>
    objects.getByName(JSON.stringify([project, collection]))
  const methods: Record<string, Method> = {}
  for (const name of Object.getOwnPropertyNames(KnowledgeIndex.prototype)) {
    if (NOT_OF_A_STORE.has(name)) continue
    methods[name] = async (scope, ...parameters) => (objectOf(scope) as unknown as Remote)[name]?.(scope, ...parameters)
  }
  return {
    ...(methods as unknown as TransferStore),
    name: 'embedded',
    /** @throws CoordinatorError `invalid_input` for a cursor that no page has given */
    async exportDocuments(
      scope: CollectionScope,
      { cursor, limit }: { cursor?: string; limit: number },
    ): Promise<Page<StoredDocument>> {
      const after = cursor === undefined ? null : documentCursor(cursor)
      const page = await objectOf(scope).exportDocuments(scope, after, limit)
      return { entries: page.entries, nextCursor: page.next && JSON.stringify(page.next) }
    },
  }
}

/** The place after a document, as a page gave it to the caller. */
function documentCursor(text: string): [source: string, path: string] {
  try {
    const place: unknown = JSON.parse(text)
    if (Array.isArray(place) && place.length === 2 && place.every((part) => typeof part === 'string')) {
      return place as [string, string]
    }
  } catch {
    // Not JSON: refused below.
  }
  throw invalidInput('cursor', 'No page of documents has given this cursor.', { hint: 'Send next as it was returned.' })
}
