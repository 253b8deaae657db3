/**
 * The interface of knowledge stores. The embedded index and Qdrant share it and its contract tests.
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

/** A part of an item's body that is readable on its own. */
export interface Passage {
  /** Offsets into the body, in UTF-16 code units. Passages are contiguous and cover the body. */
  readonly start: number
  readonly end: number
  readonly tokens: number
}

/** An item ready for storage: validated, with all data derived from its text. */
export interface PreparedItem {
  readonly id: string
  /** Natural key, unique within the collection (within the document, if there is one). */
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly provenance: Provenance
  /** Text that names the item's subject. */
  readonly title: string
  /** Its content. Passages are parts of it. */
  readonly body: string
  /** SHA-256 of the fields, as hex. If hash and provenance are unchanged, nothing is written. */
  readonly hash: string
  readonly passages: readonly Passage[]
  /** Unit vector; null if the embedder knows none of its words. */
  readonly vector: Float32Array | null
  /** The item is written only if the stored item has this hash. Missing: always. */
  readonly replaces?: string
}

/** A stored item. */
export interface StoredItem {
  readonly id: string
  readonly collection: ContextSource
  readonly key: string
  readonly fields: Record<string, unknown>
  readonly provenance: Provenance
  readonly title: string
  readonly body: string
  readonly passages: Passage[]
  /** The repository or feed that the item came from, and its path there; null for single items. */
  readonly source: string | null
  readonly path: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly credit: Credit
}

/** Numbers of outcomes after the item was shown, from tracked interactions. */
export interface Credit {
  readonly successes: number
  readonly partials: number
  readonly failures: number
}

/** `conflict`: the stored item has a different hash than expected, and nothing was written. */
export type WriteStatus = 'indexed' | 'updated' | 'unchanged' | 'conflict'

/** A source file whose items are replaced together. */
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
  /** Ids of entries that are left out because their stored row can't be read. Absent: none. */
  readonly damaged?: readonly string[]
}

/** A condition on a numeric field: within these bounds, inclusive. */
export interface NumberRange {
  readonly min?: number
  readonly max?: number
}

/**
 * A condition on one field, or on `provenance`: equal to the value, or to any value of an array (for array fields:
 * contains), or within a range.
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
  /** Unit vector of the query; null: no semantic search. */
  readonly vector: Float32Array | null
  /** The space of that vector. A store with vectors of another space omits the semantic list and reports that. */
  readonly space: EmbeddingSpace
  /** Whether to search by keyword. */
  readonly keyword: boolean
  /** Candidates per list. */
  readonly depth: number
  /** How many candidates to return: the best ones of each list, and of both together. */
  readonly limit: number
  readonly filter?: FieldFilter
  /** Whether to return each candidate's term list. */
  readonly lists?: boolean
}

/** One candidate with the evidence for fusion. */
export interface Candidate {
  readonly item: StoredItem
  /**
   * Exact keyword evidence, also for a candidate that was found only by its vector; null: no keyword search was
   * requested.
   */
  readonly keyword: KeywordEvidence | null
  /** Cosine, −1 to 1; null: the item or the query has no vector. */
  readonly cosine: number | null
  /** Its term list (see term-list.ts), if requested. */
  readonly list?: Uint8Array
}

/** Mean and standard deviation of the cosines between a collection's items and unrelated texts. */
export interface CosineScale {
  readonly level: number
  readonly spread: number
}

export interface SearchResponse {
  readonly candidates: Candidate[]
  /** Number of items in the collection. */
  readonly items: number
  /** The query's terms with this collection's weights. */
  readonly terms: readonly WeighedTerm[]
  /** Sum of the terms' inverse document frequencies. */
  readonly totalIdf: number
  /** The score of a document that repeats every term infinitely often. */
  readonly attainable: number
  /** Mean length of the collection's items in terms. */
  readonly averageLength: number
  /** Total credit of all the collection's items, for comparison with a candidate's own credit. */
  readonly credit: Credit
  /** Parts that could not be searched, e.g. `vectors`, or a damaged item as `item:<context id>`. */
  readonly degraded: string[]
  /**
   * Distribution of cosines between unrelated texts in the searched space; null: not measured yet. Missing: the store
   * can't measure it.
   */
  readonly scale?: CosineScale | null
  /** Whether items of the searched space wait for their vector. Missing: the store doesn't know. */
  readonly pending?: boolean
}

export interface StoreStatistics {
  readonly items: number
  readonly documents: number
  readonly withVector: number
  /**
   * Items that have not been embedded in that space yet. Items whose words the embedder doesn't know count as embedded.
   */
  readonly pending: number
  /** Space of the stored vectors; null if there are none. */
  readonly space: EmbeddingSpace | null
}

export interface CreditUpdate extends Credit {
  readonly id: string
  /** Applied only if greater than the stored version. */
  readonly version: number
}

export interface KnowledgeStore {
  readonly name: string
  /**
   * Stores items by id. An item with the same hash and provenance is not changed. Writes are visible to the next
   * search.
   */
  upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]>
  get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]>
  /** Items ordered by id. */
  list(
    scope: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Promise<Page<StoredItem>>
  /** Returns the number of items that existed and were deleted. */
  delete(scope: CollectionScope, ids: readonly string[]): Promise<number>
  /** Replaces each document's items atomically: afterwards the document has exactly these. */
  replaceDocuments(
    scope: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): Promise<DocumentResult[]>
  /** Hash and item count of each document, ordered by path. */
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
  /** Total tokens of the named documents as stored. Missing: the store can't report it. */
  documentTokens?(
    scope: CollectionScope,
    documents: readonly { readonly source: string; readonly path: string }[],
  ): Promise<number>
  /** Deletes everything of the collection, including its embedding space and documents. Returns what was deleted. */
  clear(scope: CollectionScope): Promise<{ documents: number; items: number }>
  search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse>
  /**
   * Measures the cosines between the collection's items and the vectors of unrelated texts, and stores the result with
   * the space.
   * @returns null if no item has a vector in the space
   */
  measureScale?(
    scope: CollectionScope,
    space: EmbeddingSpace,
    unrelated: readonly Float32Array[],
  ): Promise<CosineScale | null>
  statistics(scope: CollectionScope): Promise<StoreStatistics>
  /** Number of items, if that is cheaper than all statistics. Missing: it isn't. */
  countItems?(scope: CollectionScope): Promise<number>
  /** Sets absolute counters from the database. Repeating or reordering updates changes nothing. */
  setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void>
  /**
   * Computes missing vectors in the embedder's space within the time limit of one job, and switches searches to that
   * space once every item has been processed. Missing: not supported by the store.
   * @param spent called between two requests; returns whether the budget is used up
   * @returns whether the work is complete
   */
  embedPending?(scope: CollectionScope, spent?: () => boolean): Promise<boolean>
  /**
   * Lists what a client that computes vectors has to embed. While it asks, the server doesn't embed. Missing: not
   * supported by the store.
   */
  vectorWork?(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<VectorWork>
  /**
   * Checks and stores the vectors that a client computed.
   * @returns whether nothing is left to embed
   * @throws CoordinatorError `invalid_input` if the check fails
   */
  takeVectors?(scope: CollectionScope, space: string, vectors: readonly ItemVector[]): Promise<boolean>
}

/** Work for a client that embeds. */
export interface VectorWork {
  readonly space: EmbeddingSpace
  /** Who computes vectors of this space. `server`: only the server, so the client has nothing to do. */
  readonly by: 'client' | 'server'
  readonly items: readonly { readonly id: string; readonly hash: string; readonly text: string }[]
  readonly nextCursor: string | null
}

/** The data of an item that has to be embedded. */
export interface PendingItem {
  readonly id: string
  readonly hash: string
  readonly title: string
  readonly body: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A vector for an item. Ignored if the item has changed since. */
export interface ItemVector {
  readonly id: string
  /** Hash of the item that was embedded. */
  readonly hash: string
  /** Null: the embedder knows none of its words. The item is not embedded again. */
  readonly vector: Float32Array | null
}

/** A store in which a collection can migrate to another embedding space while the old one is searched. */
export interface SpaceStore extends KnowledgeStore {
  /** Items that have not been embedded in a space, ordered by id. */
  itemsWithoutVector(
    scope: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Promise<Page<PendingItem>>
  /** Adds vectors. Vectors of a space that isn't searched are prepared separately. */
  addVectors(scope: CollectionScope, space: EmbeddingSpace, vectors: readonly ItemVector[]): Promise<void>
  /**
   * Switches searches to this space and discards the other one. Returns false, without a change, while an item is not
   * embedded in it.
   */
  serveSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean>
}

/** An item with all its data in a store. */
export interface TransferItem extends PreparedItem {
  readonly source: string | null
  readonly path: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly credit: Credit
  /** Version of the credit; 0: none yet. */
  readonly creditVersion: number
}

/** A stored document of any source. */
export interface StoredDocument extends DocumentEntry {
  readonly source: string
}

/** A store whose contents can be moved to another store. */
export interface TransferStore extends SpaceStore {
  /** Items ordered by id, with their vectors in the searched space. */
  exportItems(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<TransferItem>>
  /** Writes items unchanged and overwrites existing ones. `space`: the space of their vectors; null: they have none. */
  importItems(scope: CollectionScope, items: readonly TransferItem[], space: EmbeddingSpace | null): Promise<void>
  /** Documents of every source, each once. */
  exportDocuments(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<StoredDocument>>
  importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void>
}
