/**
 * The knowledge store that needs nothing: one Durable Object per project and collection.
 * @module
 */
import { invalidInput } from '../../errors.ts'
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { KnowledgeIndex } from './knowledge-index.ts'
import type {
  CollectionScope,
  CosineScale,
  CreditUpdate,
  DocumentEntry,
  DocumentResult,
  FieldFilter,
  ItemVector,
  Page,
  PendingItem,
  PreparedDocument,
  PreparedItem,
  SearchRequest,
  SearchResponse,
  StoredDocument,
  StoredItem,
  StoreStatistics,
  TransferItem,
  TransferStore,
  WriteStatus,
} from './store.ts'

/** The object's methods as plain promises; workerd's own stub type can't express items of unknown fields. */
type Remote = {
  [M in
    | 'upsert'
    | 'get'
    | 'list'
    | 'delete'
    | 'replaceDocuments'
    | 'listDocuments'
    | 'deleteDocuments'
    | 'documentTokens'
    | 'clear'
    | 'search'
    | 'measureScale'
    | 'statistics'
    | 'setCredit'
    | 'itemsWithoutVector'
    | 'addVectors'
    | 'serveSpace'
    | 'exportItems'
    | 'importItems'
    | 'exportDocuments'
    | 'importDocuments']: (
    ...parameters: Parameters<KnowledgeIndex[M]>
  ) => Promise<Awaited<ReturnType<KnowledgeIndex[M]>>>
}

export class EmbeddedStore implements TransferStore {
  readonly name = 'embedded'
  readonly #objects: DurableObjectNamespace<KnowledgeIndex>

  constructor(objects: DurableObjectNamespace<KnowledgeIndex>) {
    this.#objects = objects
  }

  upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]> {
    return this.#index(scope).upsert(scope.collection, items, space)
  }

  get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]> {
    return this.#index(scope).get(scope.collection, ids)
  }

  list(
    scope: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Promise<Page<StoredItem>> {
    return this.#index(scope).list(scope.collection, options)
  }

  delete(scope: CollectionScope, ids: readonly string[]): Promise<number> {
    return this.#index(scope).delete(ids)
  }

  replaceDocuments(
    scope: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): Promise<DocumentResult[]> {
    return this.#index(scope).replaceDocuments(scope.collection, source, documents, space)
  }

  listDocuments(
    scope: CollectionScope,
    source: string,
    options: { cursor?: string; limit: number },
  ): Promise<Page<DocumentEntry>> {
    return this.#index(scope).listDocuments(source, options)
  }

  deleteDocuments(
    scope: CollectionScope,
    source: string,
    paths: readonly string[],
  ): Promise<{ documents: number; items: number }> {
    return this.#index(scope).deleteDocuments(source, paths)
  }

  documentTokens(
    scope: CollectionScope,
    documents: readonly { readonly source: string; readonly path: string }[],
  ): Promise<number> {
    return this.#index(scope).documentTokens(documents)
  }

  clear(scope: CollectionScope): Promise<{ documents: number; items: number }> {
    return this.#index(scope).clear()
  }

  search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse> {
    return this.#index(scope).search(scope.collection, request)
  }

  measureScale(
    scope: CollectionScope,
    space: EmbeddingSpace,
    unrelated: readonly Float32Array[],
  ): Promise<CosineScale | null> {
    return this.#index(scope).measureScale(space, unrelated)
  }

  statistics(scope: CollectionScope): Promise<StoreStatistics> {
    return this.#index(scope).statistics()
  }

  setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void> {
    return this.#index(scope).setCredit(updates)
  }

  itemsWithoutVector(
    scope: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Promise<Page<PendingItem>> {
    return this.#index(scope).itemsWithoutVector(scope.collection, space, options)
  }

  addVectors(scope: CollectionScope, space: EmbeddingSpace, vectors: readonly ItemVector[]): Promise<void> {
    return this.#index(scope).addVectors(space, vectors)
  }

  serveSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean> {
    return this.#index(scope).serveSpace(space)
  }

  exportItems(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<TransferItem>> {
    return this.#index(scope).exportItems(scope.collection, options)
  }

  importItems(scope: CollectionScope, items: readonly TransferItem[], space: EmbeddingSpace | null): Promise<void> {
    return this.#index(scope).importItems(scope.collection, items, space)
  }

  /** @throws CoordinatorError `invalid_input` for a cursor that no page has given */
  async exportDocuments(
    scope: CollectionScope,
    { cursor, limit }: { cursor?: string; limit: number },
  ): Promise<Page<StoredDocument>> {
    const after = cursor === undefined ? null : documentCursor(cursor)
    const page = await this.#index(scope).exportDocuments(after, limit)
    return { entries: page.entries, nextCursor: page.next && JSON.stringify(page.next) }
  }

  importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void> {
    return this.#index(scope).importDocuments(documents)
  }

  #index({ project, collection }: CollectionScope): Remote {
    return this.#objects.getByName(JSON.stringify([project, collection])) as unknown as Remote
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
