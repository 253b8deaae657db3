/**
 * What every knowledge store does: the embedded index and Qdrant share this interface and its contract tests.
 * @module
 */
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { KeywordEvidence, WeighedTerm } from '../../text/keyword-plan.ts'
import type { CollectionName, ContextSource } from '../collections.ts'
import type { Provenance } from '../provenance.ts'

/** One collection of one project: the unit of storage. */
export interface CollectionScope {
  readonly project: string
  readonly collection: CollectionName
}

/** A stretch of an item's body that can be shown alone. */
export interface Passage {
  /** Offsets into the body, in UTF-16 units; passages lie side by side and cover the body. */
  readonly start: number
  readonly end: number
  readonly tokens: number
}

/** An item ready to be stored: validated, with everything that depends on its text computed. */
export interface PreparedItem {
  readonly id: string
  /** Natural key, unique within the collection (within the document, when there is one). */
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly provenance: Provenance
  /** Words that say what it is about. */
  readonly title: string
  /** Its substance, what passages are cut from. */
  readonly body: string
  /** SHA-256 of the fields, hex; the same hash and provenance mean nothing to do. */
  readonly hash: string
  readonly passages: readonly Passage[]
  /** Unit length, or null when the embedder knows none of its words. */
  readonly vector: Float32Array | null
  /** Hash that the stored item must have for this one to be written; missing: whatever is stored. */
  readonly replaces?: string
}

/** An item as it is stored. */
export interface StoredItem {
  readonly id: string
  readonly collection: ContextSource
  readonly key: string
  readonly fields: Record<string, unknown>
  readonly provenance: Provenance
  readonly title: string
  readonly body: string
  readonly passages: Passage[]
  /** The repository or feed it came from, and its path there; null for single items. */
  readonly source: string | null
  readonly path: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly credit: Credit
}

/** How often showing an item led to which outcome, from tracked interactions. */
export interface Credit {
  readonly successes: number
  readonly partials: number
  readonly failures: number
}

/** `conflict`: the item is no longer what it was to replace, and nothing was written. */
export type WriteStatus = 'indexed' | 'updated' | 'unchanged' | 'conflict'

/** A source file whose items are replaced as a whole. */
export interface PreparedDocument {
  readonly path: string
  /** The client's hash of the file. */
  readonly hash: string
  readonly items: readonly PreparedItem[]
}

export interface DocumentResult {
  readonly path: string
  readonly status: 'indexed' | 'unchanged'
  readonly added: number
  readonly updated: number
  readonly unchanged: number
  readonly removed: number
}

export interface DocumentEntry {
  readonly path: string
  readonly hash: string
  readonly items: number
}

export interface Page<T> {
  readonly entries: T[]
  readonly nextCursor: string | null
  /** Ids of entries that are left out because their stored row can't be read; absent: none. */
  readonly damaged?: readonly string[]
}

/** A condition on a field that holds a number: within these ends, which belong to it. */
export interface NumberRange {
  readonly min?: number
  readonly max?: number
}

/**
 * A condition on one field, or on `provenance`: equal to the value, or to any of an array's values (for array fields: contains), or
 * within a range.
 */
export type FieldFilter = Readonly<
  Record<string, string | number | boolean | readonly (string | number | boolean)[] | NumberRange>
>

/** Whether a condition is a range. */
export function isRange(condition: FieldFilter[string]): condition is NumberRange {
  return typeof condition === 'object' && !Array.isArray(condition)
}

export interface SearchRequest {
  readonly text: string
  /** Unit vector of the query; null: no semantic list. */
  readonly vector: Float32Array | null
  /** The space of that vector; a store that holds vectors of another one leaves the semantic list out and says so. */
  readonly space: EmbeddingSpace
  /** Whether to make a keyword list. */
  readonly keyword: boolean
  /** Candidates per list. */
  readonly depth: number
  /** The best so many of each list, and of both together, are returned. */
  readonly limit: number
  readonly filter?: FieldFilter
  /** Whether each candidate comes with its term list. */
  readonly lists?: boolean
}

/** One candidate with the evidence that fusion works on. */
export interface Candidate {
  readonly item: StoredItem
  /** Exact keyword evidence, also of a candidate that only its vector found; null: no keyword list was wanted. */
  readonly keyword: KeywordEvidence | null
  /** Cosine, −1 to 1; null: the item or the query has no vector. */
  readonly cosine: number | null
  /** Its term list (see term-list.ts), when the request wanted it. */
  readonly list?: Uint8Array
}

/** Mean and standard deviation of a collection's cosines to texts that it has nothing to do with. */
export interface CosineScale {
  readonly level: number
  readonly spread: number
}

export interface SearchResponse {
  readonly candidates: Candidate[]
  /** Number of items in the collection. */
  readonly items: number
  /** The query's terms as this collection weighs them. */
  readonly terms: readonly WeighedTerm[]
  /** Sum of the terms' inverse document frequencies. */
  readonly totalIdf: number
  /** What a document that says every term without end would score. */
  readonly attainable: number
  /** Mean length of the collection's items in terms. */
  readonly averageLength: number
  /** Credit of all the collection's items together: what a candidate's own is compared with. */
  readonly credit: Credit
  /** What could not be searched, e.g. `vectors`, or a damaged item as `item:<context id>`. */
  readonly degraded: string[]
  /** What cosines between unrelated texts are like in the searched space; null: not measured yet; a store that can't measure leaves it out. */
  readonly scale?: CosineScale | null
  /** Whether items of the searched space wait for their vector; a store that doesn't know leaves it out. */
  readonly pending?: boolean
}

export interface StoreStatistics {
  readonly items: number
  readonly documents: number
  readonly withVector: number
  /** Items that have not been embedded in that space yet; one whose words the embedder doesn't know has been. */
  readonly pending: number
  /** Space of the stored vectors; null while there are none. */
  readonly space: EmbeddingSpace | null
}

export interface CreditUpdate extends Credit {
  readonly id: string
  /** Only a greater version than the stored one is taken. */
  readonly version: number
}

export interface KnowledgeStore {
  readonly name: string
  /** Stores items by id. An item with the same hash and provenance is left alone. Visible to the very next search. */
  upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]>
  get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]>
  /** Items in order of id. */
  list(
    scope: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Promise<Page<StoredItem>>
  /** Number of items that existed and are gone. */
  delete(scope: CollectionScope, ids: readonly string[]): Promise<number>
  /** Replaces each document's items in one step: afterwards it holds exactly these. */
  replaceDocuments(
    scope: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): Promise<DocumentResult[]>
  /** Hash and item count of each document, in order of path. */
  listDocuments(
    scope: CollectionScope,
    source: string,
    options: { cursor?: string; limit: number },
  ): Promise<Page<DocumentEntry>>
  deleteDocuments(
    scope: CollectionScope,
    source: string,
    paths: readonly string[],
  ): Promise<{ documents: number; items: number }>
  /** Tokens of the named documents as they are stored, together; a store that can't say leaves it out. */
  documentTokens?(
    scope: CollectionScope,
    documents: readonly { readonly source: string; readonly path: string }[],
  ): Promise<number>
  /** Deletes everything of the collection, its embedding space and documents too; what there was. */
  clear(scope: CollectionScope): Promise<{ documents: number; items: number }>
  search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse>
  /**
   * Measures the cosines of the collection's items to the vectors of unrelated texts and keeps the result with the space.
   * @returns null without items that have vectors in the space
   */
  measureScale?(
    scope: CollectionScope,
    space: EmbeddingSpace,
    unrelated: readonly Float32Array[],
  ): Promise<CosineScale | null>
  statistics(scope: CollectionScope): Promise<StoreStatistics>
  /** Number of items, where that is cheaper to say than all statistics; left out: it isn't. */
  countItems?(scope: CollectionScope): Promise<number>
  /** Absolute counters from the database; repeating or reordering updates changes nothing. */
  setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void>
  /**
   * Computes vectors that are missing in the embedder's space, for as long as one job may take, and searches that space once
   * every item has been seen; a store that can't leaves it out.
   * @param spent asked between two calls: whether there is no room for another one
   * @returns whether nothing is left to do
   */
  embedPending?(scope: CollectionScope, spent?: () => boolean): Promise<boolean>
  /** What a client that computes vectors itself has to embed; while it asks, the server doesn't. A store that can't leaves it out. */
  vectorWork?(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<VectorWork>
  /**
   * Stores what it computed, after a check.
   * @returns whether nothing is left to embed
   * @throws CoordinatorError `invalid_input` when they are not what they are said to be
   */
  takeVectors?(scope: CollectionScope, space: string, vectors: readonly ItemVector[]): Promise<boolean>
}

/** What a client has to embed. */
export interface VectorWork {
  readonly space: EmbeddingSpace
  /** Who computes vectors of this space: `server`: it alone, so that there is nothing to do. */
  readonly by: 'client' | 'server'
  readonly items: readonly { readonly id: string; readonly hash: string; readonly text: string }[]
  readonly nextCursor: string | null
}

/** What has to be embedded of an item. */
export interface PendingItem {
  readonly id: string
  readonly hash: string
  readonly title: string
  readonly body: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A vector for an item, unless the item has changed since. */
export interface ItemVector {
  readonly id: string
  /** Hash of the item that was embedded. */
  readonly hash: string
  /** Null: the embedder knows none of its words; it isn't asked again. */
  readonly vector: Float32Array | null
}

/** A store in which a collection can move to another embedding space while the old one is searched. */
export interface SpaceStore extends KnowledgeStore {
  /** Items that have not been embedded in a space, in order of id. */
  itemsWithoutVector(
    scope: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Promise<Page<PendingItem>>
  /** Adds vectors; another space than the one that is searched is prepared beside it. */
  addVectors(scope: CollectionScope, space: EmbeddingSpace, vectors: readonly ItemVector[]): Promise<void>
  /** Searches this space from now on and forgets the other; refused (false) while an item hasn't been embedded in it. */
  serveSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean>
}

/** An item with everything that a store knows of it. */
export interface TransferItem extends PreparedItem {
  readonly source: string | null
  readonly path: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly credit: Credit
  /** Version of the credit; 0: none yet. */
  readonly creditVersion: number
}

/** A document of any source, as a store remembers it. */
export interface StoredDocument extends DocumentEntry {
  readonly source: string
}

/** A store whose contents can be moved to another one. */
export interface TransferStore extends SpaceStore {
  /** Items in order of id, with their vectors in the space that is searched. */
  exportItems(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<TransferItem>>
  /** Writes items as they are, over what is there. `space`: of their vectors; null: they have none. */
  importItems(scope: CollectionScope, items: readonly TransferItem[], space: EmbeddingSpace | null): Promise<void>
  /** Documents of every source, each once. */
  exportDocuments(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<StoredDocument>>
  importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void>
}
