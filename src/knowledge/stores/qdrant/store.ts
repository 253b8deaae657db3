/**
 * The knowledge store for collections that are too large for one Durable Object: Qdrant 1.19 or later. Each collection
 * has one Qdrant collection that all projects share (`project` is the tenant), with one named vector for each embedding
 * space.
 *
 * Operations that Qdrant can't do atomically are ordered so that an interruption is harmless: a document's hash is
 * cleared before its items change and set afterwards, so the next ingestion writes an interrupted document again.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { type EmbeddingSpace, sameSpace } from '../../../inference/embedding/embedder.ts'
import type {
  CollectionScope,
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
} from '../store.ts'
import { chunks, type QdrantConnection, vectorName, WRITE_BATCH } from './connection.ts'
import { documentFilter, documentsFilter, missingFilter } from './filters.ts'
import { itemFilter, type Origin, passageTokens, readStoredItem, readStoredItems } from './points.ts'
import { isPointId, QdrantReader, READ_BATCH } from './reader.ts'
import { QdrantRegister } from './register.ts'
import { measureScale } from './scale.ts'
import { planSearch, readCorpus, readSearch } from './search.ts'
import { exportedItem, importWrite } from './transfer.ts'
import {
  addition,
  creditWrite,
  KNOWN_FIELDS,
  type Known,
  knownOf,
  type Operation,
  planWrites,
  type Target,
} from './writes.ts'

/** Number of documents whose items are requested together. */
const DOCUMENTS_AT_ONCE = 50

export class QdrantStore implements TransferStore {
  readonly name = 'qdrant'
  readonly #qdrant: QdrantConnection
  readonly #reader: QdrantReader
  readonly #register: QdrantRegister

  constructor(connection: QdrantConnection) {
    this.#qdrant = connection
    this.#reader = new QdrantReader(connection)
    this.#register = new QdrantRegister(connection, this.#reader)
  }

  async upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]> {
    if (items.length === 0) return []
    const serving = await this.#register.adoptSpace(scope, space)
    const known = await this.#known(
      scope,
      items.map(({ id }) => id),
    )
    const { statuses, operations } = planWrites(scope, items, null, known, { space, serving })
    await this.#write(scope, space, operations)
    return this.#confirmed(scope, items, statuses)
  }

  /** Qdrant doesn't report whether a conditional write applied: the points are read again. */
  async #confirmed(
    scope: CollectionScope,
    items: readonly PreparedItem[],
    statuses: readonly WriteStatus[],
  ): Promise<WriteStatus[]> {
    const conditional = (i: number) => items[i]?.replaces !== undefined && statuses[i] === 'updated'
    const ids = items.flatMap(({ id }, i) => (conditional(i) ? [id] : []))
    if (ids.length === 0) return [...statuses]
    const stored = await this.#known(scope, ids)
    return items.map(({ id, hash }, i) =>
      conditional(i) && stored.get(id)?.hash !== hash ? 'conflict' : (statuses[i] as WriteStatus),
    )
  }

  async get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]> {
    const found = new Map<string, StoredItem>()
    for (const point of await this.#points(scope, ids, true)) {
      const item = readStoredItem(scope.collection, point)
      if (item) found.set(item.id, item)
    }
    return ids.map((id) => found.get(id) ?? null)
  }

  async list(
    scope: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Promise<Page<StoredItem>> {
    const { points, nextCursor } = await this.#reader.page(
      scope.collection,
      itemFilter(scope.project, options.filter),
      options,
    )
    const { items, damaged } = readStoredItems(scope.collection, points)
    return { entries: items, nextCursor, ...(damaged.length > 0 && { damaged }) }
  }

  async delete(scope: CollectionScope, ids: readonly string[]): Promise<number> {
    const points = await this.#points(scope, [...new Set(ids)], ['project', 'source', 'path'])
    if (points.length === 0) return 0
    const documents = new Map<string, Origin>()
    for (const { payload } of points) {
      const { source, path } = (payload ?? {}) as { source?: unknown; path?: unknown }
      if (typeof source === 'string' && typeof path === 'string') {
        documents.set(JSON.stringify([source, path]), { source, path })
      }
    }
    // The documents no longer match their hashes: the next ingestion must write them again.
    for (const origin of documents.values()) await this.#register.setDocument(scope, origin, { hash: '' })
    await this.#delete(scope, { points: points.map(({ id }) => id) })
    for (const origin of documents.values()) {
      const items = await this.#reader.count(scope.collection, documentFilter(scope.project, origin))
      await this.#register.setDocument(scope, origin, { items })
    }
    return points.length
  }

  async replaceDocuments(
    scope: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): Promise<DocumentResult[]> {
    if (documents.length === 0) return []
    const serving = await this.#register.adoptSpace(scope, space)
    const results: DocumentResult[] = []
    for (const document of documents) {
      results.push(await this.#replaceDocument(scope, { source, path: document.path }, document, { space, serving }))
    }
    return results
  }

  async listDocuments(
    scope: CollectionScope,
    source: string,
    options: { cursor?: string; limit: number },
  ): Promise<Page<DocumentEntry>> {
    const { entries, nextCursor } = await this.#register.documents(scope, options, source)
    // Pages are in the order of ids; within a page, paths are sorted.
    const sorted = entries.map(({ path, hash, items }) => ({ path, hash, items }))
    return { entries: sorted.sort((a, b) => (a.path < b.path ? -1 : 1)), nextCursor }
  }

  async deleteDocuments(
    scope: CollectionScope,
    source: string,
    paths: readonly string[],
  ): Promise<{ documents: number; items: number }> {
    let documents = 0
    let items = 0
    for (const path of new Set(paths)) {
      const origin = { source, path }
      const filter = documentFilter(scope.project, origin)
      const count = await this.#reader.count(scope.collection, filter)
      if (count > 0) {
        await this.#register.setDocument(scope, origin, { hash: '' })
        await this.#delete(scope, { filter })
        items += count
      }
      if (await this.#register.removeDocument(scope, origin)) documents++
    }
    return { documents, items }
  }

  async clear(scope: CollectionScope): Promise<{ documents: number; items: number }> {
    const { documents, items } = await this.statistics(scope)
    const filter = itemFilter(scope.project)
    await this.#delete(scope, { filter })
    await this.#register.clear(scope)
    return { documents, items }
  }

  async search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse> {
    // Requested concurrently: the vector to search, the number of items, and the search itself in the space of the
    // query.
    const using = request.vector && (await this.#qdrant.hasVector(scope.collection, request.space))
    const { corpora } = this.#qdrant
    const known = corpora.get(scope)
    const { writes } = corpora
    const batch = planSearch(scope, request, using ? vectorName(request.space) : null, known !== null)
    const [serving, items, answers] = await Promise.all([
      request.vector ? this.#register.space(scope) : null,
      known ? known.items : this.#reader.count(scope.collection, itemFilter(scope.project)),
      this.#qdrant.query(scope.collection, batch.searches),
    ])
    const corpus = known ?? readCorpus(batch, answers, items)
    if (!known) corpora.keep(scope, corpus, writes)
    const other = serving !== null && !sameSpace(serving, request.space)
    const usable = other ? { ...batch, at: { ...batch.at, dense: null, cosines: null } } : batch
    const found = readSearch(scope, request, usable, answers, corpus)
    const scale = using && !other ? this.#qdrant.scales.get(scope, request.space.name, corpus.items) : null
    return { ...found, scale, degraded: other ? [...found.degraded, 'vectors'] : found.degraded }
  }

  measureScale(scope: CollectionScope, space: EmbeddingSpace, unrelated: readonly Float32Array[]) {
    return measureScale(this.#qdrant, this.#reader, scope, space, unrelated)
  }

  countItems(scope: CollectionScope): Promise<number> {
    return this.#reader.count(scope.collection, itemFilter(scope.project))
  }

  /** Tokens of all passages of the documents' items. */
  async documentTokens(scope: CollectionScope, documents: readonly Origin[]): Promise<number> {
    const found = await Promise.all(
      chunks(documents, DOCUMENTS_AT_ONCE).map((some) =>
        this.#reader.scan(scope.collection, documentsFilter(scope.project, some), ['passages']),
      ),
    )
    return found.flat().reduce((sum, { payload }) => sum + passageTokens(payload?.passages), 0)
  }

  async statistics(scope: CollectionScope): Promise<StoreStatistics> {
    const filter = itemFilter(scope.project)
    const [space, items, documents] = await Promise.all([
      this.#register.space(scope),
      this.#reader.count(scope.collection, filter),
      this.#register.countDocuments(scope),
    ])
    if (!space || items === 0) return { items, documents, withVector: 0, pending: 0, space }
    const has = { must: [...filter.must, { has_vector: vectorName(space) }] }
    const [withVector, pending] = await Promise.all([
      this.#reader.count(scope.collection, has),
      this.#reader.count(scope.collection, missingFilter(scope.project, space)),
    ])
    return { items, documents, withVector, pending, space }
  }

  /** Each update is one conditional write: it applies only to a point with a lower version. */
  async setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void> {
    const operations = updates.filter(({ id }) => isPointId(id)).map((update) => creditWrite(scope, update))
    await this.#qdrant.corpora.changing(scope, async () => {
      for (const batch of chunks(operations, WRITE_BATCH)) {
        await this.#qdrant.read(
          scope.collection,
          (client, name) => client.batchUpdate(name, { operations: batch, wait: true }),
          [],
        )
      }
    })
  }

  async itemsWithoutVector(
    scope: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Promise<Page<PendingItem>> {
    const { points, nextCursor } = await this.#reader.page(
      scope.collection,
      missingFilter(scope.project, space),
      options,
    )
    const entries = points.flatMap((point): PendingItem[] => {
      const item = readStoredItem(scope.collection, point)
      if (!item) return []
      const { id, title, body, fields } = item
      return [{ id, hash: String(point.payload?.hash ?? ''), title, body, fields }]
    })
    return { entries, nextCursor }
  }

  async addVectors(scope: CollectionScope, space: EmbeddingSpace, vectors: readonly ItemVector[]): Promise<void> {
    const name = vectorName(space)
    const known = await this.#known(
      scope,
      vectors.map(({ id }) => id),
    )
    const operations = vectors.flatMap((item): Operation[] => {
      const before = known.get(item.id)
      if (before?.hash !== item.hash) return []
      const dense = item.vector ? { name, values: Array.from(item.vector) } : null
      return addition(item, [...new Set([...before.embedded, name])], dense)
    })
    await this.#write(scope, space, operations)
  }

  async serveSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean> {
    if ((await this.#reader.count(scope.collection, missingFilter(scope.project, space))) > 0) return false
    const before = await this.#register.space(scope)
    if (!before || sameSpace(before, space)) return true
    await this.#register.setSpace(scope, space)
    const filter = itemFilter(scope.project)
    await this.#qdrant.read(
      scope.collection,
      (client, name) => client.deleteVectors(name, { filter, vector: [vectorName(before)], wait: true }),
      null,
    )
    return true
  }

  async exportItems(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<TransferItem>> {
    const space = await this.#register.space(scope)
    const name = space && (await this.#qdrant.hasVector(scope.collection, space)) ? vectorName(space) : null
    const { points, nextCursor } = await this.#reader.page(scope.collection, itemFilter(scope.project), options, name)
    const { damaged } = readStoredItems(scope.collection, points)
    const readable = points.filter(({ id }) => !damaged.includes(String(id)))
    const entries = readable.map((point) => exportedItem(scope.collection, point, name))
    return { entries, nextCursor, ...(damaged.length > 0 && { damaged }) }
  }

  async importItems(
    scope: CollectionScope,
    items: readonly TransferItem[],
    space: EmbeddingSpace | null,
  ): Promise<void> {
    if (space) await this.#register.adoptSpace(scope, space)
    await this.#write(
      scope,
      space,
      items.map((item) => importWrite(scope, item, space)),
    )
  }

  exportDocuments(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<StoredDocument>> {
    return this.#register.documents(scope, options)
  }

  importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void> {
    return this.#register.importDocuments(scope, documents)
  }

  async #replaceDocument(
    scope: CollectionScope,
    origin: Origin,
    { path, hash, items }: PreparedDocument,
    target: Target,
  ): Promise<DocumentResult> {
    const before = await this.#reader.scan(scope.collection, documentFilter(scope.project, origin), KNOWN_FIELDS)
    const known = new Map(before.map((point) => [String(point.id), knownOf(point)]))
    const keep = new Set(items.map(({ id }) => id))
    const stale = [...known.keys()].filter((id) => !keep.has(id))
    const { statuses, operations } = planWrites(scope, items, origin, known, target)
    if (stale.length > 0) operations.push({ delete: { points: stale } })
    if (operations.length > 0) {
      await this.#register.setDocument(scope, origin, { hash: '', items: known.size })
      await this.#write(scope, target.space, operations)
    }
    await this.#register.setDocument(scope, origin, { hash, items: items.length })
    const count = (status: WriteStatus) => statuses.filter((one) => one === status).length
    return {
      path,
      status: operations.length > 0 || before.length === 0 ? 'indexed' : 'unchanged',
      added: count('indexed'),
      updated: count('updated'),
      unchanged: count('unchanged'),
      removed: stale.length,
    }
  }

  async #write(scope: CollectionScope, space: EmbeddingSpace | null, operations: Operation[]): Promise<void> {
    await this.#qdrant.corpora.changing(scope, async () => {
      for (const batch of chunks(operations, WRITE_BATCH)) {
        await this.#qdrant.write(scope.collection, space, (client, name) =>
          client.batchUpdate(name, { operations: batch, wait: true }),
        )
      }
    })
  }

  /** A collection that doesn't exist has nothing to delete. */
  async #delete(scope: CollectionScope, selector: Schemas['PointsSelector']): Promise<void> {
    await this.#qdrant.corpora.changing(scope, () =>
      this.#qdrant.read(scope.collection, (client, name) => client.delete(name, { ...selector, wait: true }), null),
    )
  }

  async #known(scope: CollectionScope, ids: readonly string[]): Promise<Map<string, Known>> {
    const points = await this.#points(scope, [...new Set(ids)], KNOWN_FIELDS)
    return new Map(points.map((point) => [String(point.id), knownOf(point)]))
  }

  /** Points of the project by id, in any order. */
  async #points(
    { project, collection }: CollectionScope,
    ids: readonly string[],
    with_payload: string[] | true,
  ): Promise<Schemas['Record'][]> {
    const points: Schemas['Record'][] = []
    for (const batch of chunks(ids, READ_BATCH))
      points.push(...(await this.#reader.retrieve(collection, batch, with_payload)))
    return points.filter(({ payload }) => payload?.project === project)
  }
}
