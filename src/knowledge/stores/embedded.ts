/**
 * The built-in knowledge store: one Durable Object per project and collection.
 * @module
 */
import { invalidInput } from '../../errors.ts'
import { KnowledgeIndex } from './knowledge-index.ts'
import type { CollectionScope, Page, StoredDocument, TransferStore } from './store.ts'

type Method = (scope: CollectionScope, ...parameters: unknown[]) => Promise<unknown>
type Remote = Readonly<Record<string, Method>>

/** Methods of the object that are not store methods. */
const NOT_OF_A_STORE: ReadonlySet<string> = new Set(['constructor', 'alarm'])

/** The store. Calls each method of {@link KnowledgeIndex} on the object of its scope. */
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
    /** @throws CoordinatorError `invalid_input` for an invalid cursor */
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

/** Parses a document cursor from an earlier page. */
function documentCursor(text: string): [source: string, path: string] {
  try {
    const place: unknown = JSON.parse(text)
    if (Array.isArray(place) && place.length === 2 && place.every((part) => typeof part === 'string')) {
      return place as [string, string]
    }
  } catch {
    // Not JSON: rejected below.
  }
  throw invalidInput('cursor', 'This cursor is not from an earlier page of documents.', {
    hint: 'Send next as it was returned.',
  })
}
