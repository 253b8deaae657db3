/**
 * The knowledge store for more than one Durable Object holds: Qdrant 1.19 or later. One Qdrant collection for each collection,
 * all projects side by side in it (`project` is the tenant), one named vector for each embedding space.
 *
 * What Qdrant can't do in one step is ordered so that stopping anywhere does no harm: a document's hash is cleared before its
 * items change and set after, so whatever was interrupted is written again by the next ingestion.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { invalidInput } from '../../errors.ts'
import { isUuid, itemId } from '../../ids.ts'
import type { EmbeddingSpace } from '../../inference/embedder.ts'
import { type QdrantConnection, vectorName } from './qdrant-connection.ts'
import { itemFilter, type Origin, toPoint, toStoredItem } from './qdrant-points.ts'
import { planSearch, readSearch } from './qdrant-search.ts'
import {
  addition,
  KNOWN_FIELDS,
  type Known,
  knownOf,
  type Operation,
  planWrites,
  type Target,
  vectorsOf,
} from './qdrant-writes.ts'
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
} from './store.ts'

/** Qdrant collection with what belongs to collections rather than items: documents and embedding spaces. */
const REGISTER = 'knowledge-register'
/** Points written in one request. */
const WRITE_BATCH = 64
/** Points read in one request. */
const READ_BATCH = 500

export class QdrantStore implements TransferStore {
  readonly name = 'qdrant'
  readonly #qdrant: QdrantConnection

  constructor(connection: QdrantConnection) {
    this.#qdrant = connection
  }

  async upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]> {
    if (items.length === 0) return []
    const serving = await this.#adoptSpace(scope, space)
    const known = await this.#known(
      scope,
      items.map(({ id }) => id),
    )
    const { statuses, operations } = planWrites(scope, items, null, known, { space, serving })
    await this.#write(scope, space, operations)
    return statuses
  }

  async get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]> {
    const found = new Map<string, StoredItem>()
    for (const point of await this.#points(scope, ids, true)) {
      found.set(String(point.id), toStoredItem(scope.collection, point))
    }
    return ids.map((id) => found.get(id) ?? null)
  }

  async list(
    scope: CollectionScope,
    options: { cursor?: string; limit: number; filter?: FieldFilter },
  ): Promise<Page<StoredItem>> {
    const { points, nextCursor } = await this.#page(
      scope.collection,
      itemFilter(scope.project, options.filter),
      options,
    )
    return { entries: points.map((point) => toStoredItem(scope.collection, point)), nextCursor }
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
    // The documents no longer hold what their hashes say: the next ingestion has to write them again.
    for (const origin of documents.values()) await this.#setDocument(scope, origin, { hash: '' })
    await this.#qdrant.call(scope.collection, (client, name) =>
      client.delete(name, { points: points.map(({ id }) => id), wait: true }),
    )
    for (const origin of documents.values()) {
      const items = await this.#count(scope.collection, documentFilter(scope.project, origin))
      await this.#setDocument(scope, origin, { items })
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
    const serving = await this.#adoptSpace(scope, space)
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
    const { points, nextCursor } = await this.#page(REGISTER, registerFilter(scope, 'document', source), options)
    return { entries: points.map(documentOf).map(({ path, hash, items }) => ({ path, hash, items })), nextCursor }
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
      const count = await this.#count(scope.collection, filter)
      if (count > 0) {
        await this.#setDocument(scope, origin, { hash: '' })
        await this.#qdrant.call(scope.collection, (client, name) => client.delete(name, { filter, wait: true }))
        items += count
      }
      const id = registerId(scope, 'document', origin)
      const [known] = await this.#retrieve(REGISTER, [id], false)
      if (!known) continue
      await this.#qdrant.call(REGISTER, (client, name) => client.delete(name, { points: [id], wait: true }))
      documents++
    }
    return { documents, items }
  }

  async clear(scope: CollectionScope): Promise<{ documents: number; items: number }> {
    const { documents, items } = await this.statistics(scope)
    const filter = itemFilter(scope.project)
    await this.#qdrant.read(scope.collection, (client, name) => client.delete(name, { filter, wait: true }), null)
    for (const kind of ['document', 'space'] as const) {
      const entries = registerFilter(scope, kind)
      await this.#qdrant.read(REGISTER, (client, name) => client.delete(name, { filter: entries, wait: true }), null)
    }
    return { documents, items }
  }

  async search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse> {
    // Asked together: what to search in, how many items there are, and the search itself in the space of the query.
    const using = request.vector && (await this.#qdrant.hasVector(scope.collection, request.space))
    const batch = planSearch(scope, request, using ? vectorName(request.space) : null)
    const [serving, items, answers] = await Promise.all([
      request.vector ? this.#space(scope) : null,
      this.#count(scope.collection, itemFilter(scope.project)),
      this.#qdrant.read(scope.collection, (client, name) => client.queryBatch(name, { searches: batch.searches }), []),
    ])
    const other = serving !== null && !sameSpace(serving, request.space)
    const usable = other ? { ...batch, at: { ...batch.at, dense: null, cosines: null } } : batch
    return { ...readSearch(scope, request, usable, answers, items), degraded: other ? ['vectors'] : [] }
  }

  async statistics(scope: CollectionScope): Promise<StoreStatistics> {
    const filter = itemFilter(scope.project)
    const [space, items, documents] = await Promise.all([
      this.#space(scope),
      this.#count(scope.collection, filter),
      this.#count(REGISTER, registerFilter(scope, 'document')),
    ])
    const has = space ? [{ has_vector: vectorName(space) }] : []
    const withVector = space && items > 0 ? await this.#count(scope.collection, { must: [...filter.must, ...has] }) : 0
    return { items, documents, withVector, space }
  }

  /** Each update is one conditional write: only a point whose version is smaller takes it. */
  async setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void> {
    const operations = updates.map(({ id, version, ...credit }): Operation => {
      const must: Schemas['Condition'][] = [
        ...itemFilter(scope.project).must,
        { has_id: [id] },
        { key: 'credit_version', range: { lt: version } },
      ]
      return { set_payload: { payload: { ...credit, credit_version: version }, filter: { must } } }
    })
    for (const batch of chunks(operations, WRITE_BATCH)) {
      await this.#qdrant.read(
        scope.collection,
        (client, name) => client.batchUpdate(name, { operations: batch, wait: true }),
        [],
      )
    }
  }

  async itemsWithoutVector(
    scope: CollectionScope,
    space: EmbeddingSpace,
    options: { cursor?: string; limit: number },
  ): Promise<Page<PendingItem>> {
    const { points, nextCursor } = await this.#page(scope.collection, missingFilter(scope.project, space), options)
    const entries = points.map((point) => {
      const { id, title, body } = toStoredItem(scope.collection, point)
      return { id, hash: String(point.payload?.hash ?? ''), title, body }
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
    if ((await this.#count(scope.collection, missingFilter(scope.project, space))) > 0) return false
    const before = await this.#space(scope)
    if (!before || sameSpace(before, space)) return true
    const payload = { name: space.name, dimensions: space.dimensions }
    await this.#qdrant.call(REGISTER, (client, name) =>
      client.setPayload(name, { payload, points: [registerId(scope, 'space')], wait: true }),
    )
    const filter = itemFilter(scope.project)
    await this.#qdrant.read(
      scope.collection,
      (client, name) => client.deleteVectors(name, { filter, vector: [vectorName(before)], wait: true }),
      null,
    )
    return true
  }

  async exportItems(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<Page<TransferItem>> {
    const space = await this.#space(scope)
    const name = space && (await this.#qdrant.hasVector(scope.collection, space)) ? vectorName(space) : null
    const { points, nextCursor } = await this.#page(scope.collection, itemFilter(scope.project), options, name)
    const entries = points.map((point): TransferItem => {
      const { hash, credit_version: version } = point.payload as { hash: string; credit_version?: number }
      const vector = name === null ? undefined : (point.vector as Record<string, number[]> | undefined)?.[name]
      return {
        ...toStoredItem(scope.collection, point),
        hash,
        vector: vector ? Float32Array.from(vector) : null,
        creditVersion: version ?? 0,
      }
    })
    return { entries, nextCursor }
  }

  async importItems(
    scope: CollectionScope,
    items: readonly TransferItem[],
    space: EmbeddingSpace | null,
  ): Promise<void> {
    if (space) await this.#adoptSpace(scope, space)
    const operations = items.map((item): Operation => {
      const { source, path, credit, creditVersion, createdAt, updatedAt } = item
      const point = toPoint(scope, item, source !== null && path !== null ? { source, path } : null, updatedAt)
      const dense = space && item.vector ? { name: vectorName(space), values: Array.from(item.vector) } : null
      const payload = {
        ...point.payload,
        ...credit,
        credit_version: creditVersion,
        created_at: createdAt,
        embedded: dense ? [dense.name] : [],
      }
      return { upsert: { points: [{ id: item.id, vector: vectorsOf(point.terms, dense), payload }] } }
    })
    await this.#write(scope, space, operations)
  }

  async exportDocuments(
    scope: CollectionScope,
    options: { cursor?: string; limit: number },
  ): Promise<Page<StoredDocument>> {
    const { points, nextCursor } = await this.#page(REGISTER, registerFilter(scope, 'document'), options)
    return { entries: points.map(documentOf), nextCursor }
  }

  async importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void> {
    const points = documents.map(({ source, path, hash, items }) => {
      const payload = { ...registerPayload(scope, 'document'), source, path, hash, items }
      return { id: registerId(scope, 'document', { source, path }), vector: {}, payload }
    })
    for (const batch of chunks(points, WRITE_BATCH)) {
      await this.#qdrant.write(REGISTER, null, (client, name) => client.upsert(name, { points: batch, wait: true }))
    }
  }

  async #replaceDocument(
    scope: CollectionScope,
    origin: Origin,
    { path, hash, items }: PreparedDocument,
    target: Target,
  ): Promise<DocumentResult> {
    const before = await this.#scan(scope.collection, documentFilter(scope.project, origin), KNOWN_FIELDS)
    const known = new Map(before.map((point) => [String(point.id), knownOf(point)]))
    const keep = new Set(items.map(({ id }) => id))
    const stale = [...known.keys()].filter((id) => !keep.has(id))
    const { statuses, operations } = planWrites(scope, items, origin, known, target)
    if (stale.length > 0) operations.push({ delete: { points: stale } })
    if (operations.length > 0) {
      await this.#setDocument(scope, origin, { hash: '', items: known.size })
      await this.#write(scope, target.space, operations)
    }
    await this.#setDocument(scope, origin, { hash, items: items.length })
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
    for (const batch of chunks(operations, WRITE_BATCH)) {
      await this.#qdrant.write(scope.collection, space, (client, name) =>
        client.batchUpdate(name, { operations: batch, wait: true }),
      )
    }
  }

  /** The first space that writes to a collection of a project is its own; whether this one is it. */
  async #adoptSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean> {
    const known = await this.#space(scope)
    if (known) return sameSpace(known, space)
    const point = {
      id: registerId(scope, 'space'),
      vector: {},
      payload: { ...registerPayload(scope, 'space'), name: space.name, dimensions: space.dimensions },
    }
    // Of two that write at once the first stays: an insert never overwrites.
    await this.#qdrant.write(REGISTER, null, (client, name) =>
      client.upsert(name, { points: [point], update_mode: 'insert_only', wait: true }),
    )
    const adopted = await this.#space(scope)
    return adopted !== null && sameSpace(adopted, space)
  }

  async #space(scope: CollectionScope): Promise<EmbeddingSpace | null> {
    const [point] = await this.#retrieve(REGISTER, [registerId(scope, 'space')], true)
    const { name, dimensions } = (point?.payload ?? {}) as { name?: unknown; dimensions?: unknown }
    return typeof name === 'string' && typeof dimensions === 'number' ? { name, dimensions } : null
  }

  /** Sets some properties of a document; it is made when it isn't there. */
  async #setDocument(scope: CollectionScope, origin: Origin, values: { hash?: string; items?: number }): Promise<void> {
    const id = registerId(scope, 'document', origin)
    const payload = { ...registerPayload(scope, 'document'), ...origin }
    const operations: Operation[] = [
      {
        upsert: {
          points: [{ id, vector: {}, payload: { ...payload, hash: '', items: 0 } }],
          update_mode: 'insert_only',
        },
      },
      { set_payload: { payload: { ...values }, points: [id] } },
    ]
    await this.#qdrant.write(REGISTER, null, (client, name) => client.batchUpdate(name, { operations, wait: true }))
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
    for (const batch of chunks(ids, READ_BATCH)) points.push(...(await this.#retrieve(collection, batch, with_payload)))
    return points.filter(({ payload }) => payload?.project === project)
  }

  #retrieve(collection: string, ids: string[], with_payload: string[] | boolean): Promise<Schemas['Record'][]> {
    return this.#qdrant.read(
      collection,
      (client, name) => client.retrieve(name, { ids, with_payload, with_vector: false }),
      [],
    )
  }

  /**
   * Points after the cursor in order of id.
   * @throws CoordinatorError `invalid_input` for a cursor that no page has given
   */
  async #page(
    collection: string,
    filter: Schemas['Filter'],
    { cursor, limit }: { cursor?: string; limit: number },
    vector: string | null = null,
  ): Promise<{ points: Schemas['Record'][]; nextCursor: string | null }> {
    if (cursor !== undefined && !isUuid(cursor)) {
      throw invalidInput('cursor', 'No page has given this cursor.', { hint: 'Send it as it was returned.' })
    }
    const page = await this.#scroll(collection, filter, true, limit + 2, cursor, vector)
    const points = page.filter(({ id }) => String(id) !== cursor)
    const entries = points.slice(0, limit)
    return { points: entries, nextCursor: points.length > limit ? String(entries.at(-1)?.id) : null }
  }

  /** All points of a filter. */
  async #scan(collection: string, filter: Schemas['Filter'], fields: string[]): Promise<Schemas['Record'][]> {
    const points: Schemas['Record'][] = []
    let offset: string | undefined
    do {
      const page = await this.#scroll(collection, filter, fields, READ_BATCH + 1, offset)
      points.push(...page.slice(0, READ_BATCH))
      offset = page.length > READ_BATCH ? String(page.at(-1)?.id) : undefined
    } while (offset !== undefined)
    return points
  }

  #scroll(
    collection: string,
    filter: Schemas['Filter'],
    with_payload: string[] | true,
    limit: number,
    offset: string | undefined,
    vector: string | null = null,
  ): Promise<Schemas['Record'][]> {
    const with_vector = vector === null ? false : [vector]
    return this.#qdrant.read(
      collection,
      async (client, name) => {
        const page = await client.scroll(name, { filter, limit, with_payload, with_vector, offset })
        return page.points
      },
      [],
    )
  }

  #count(collection: string, filter: Schemas['Filter']): Promise<number> {
    return this.#qdrant.read(
      collection,
      async (client, name) => (await client.count(name, { filter, exact: true })).count,
      0,
    )
  }
}

function documentOf({ payload }: Schemas['Record']): StoredDocument {
  return {
    source: String(payload?.source ?? ''),
    path: String(payload?.path ?? ''),
    hash: String(payload?.hash ?? ''),
    items: Number(payload?.items ?? 0),
  }
}

/** Points of a project that have not been embedded in a space. */
function missingFilter(project: string, space: EmbeddingSpace): Schemas['Filter'] {
  return { ...itemFilter(project), must_not: [{ key: 'embedded', match: { value: vectorName(space) } }] }
}

function documentFilter(project: string, { source, path }: Origin): { must: Schemas['Condition'][] } {
  return {
    must: [
      ...itemFilter(project).must,
      { key: 'source', match: { value: source } },
      { key: 'path', match: { value: path } },
    ],
  }
}

function registerFilter(
  { project, collection }: CollectionScope,
  kind: 'document' | 'space',
  source?: string,
): { must: Schemas['Condition'][] } {
  return {
    must: [
      { key: 'project', match: { value: project } },
      { key: 'collection', match: { value: collection } },
      { key: 'kind', match: { value: kind } },
      ...(source === undefined ? [] : [{ key: 'source', match: { value: source } }]),
    ],
  }
}

function registerPayload({ project, collection }: CollectionScope, kind: 'document' | 'space') {
  return { project, collection, kind }
}

function registerId({ project, collection }: CollectionScope, kind: 'document' | 'space', origin?: Origin): string {
  return itemId(project, collection, JSON.stringify(origin ? [kind, origin.source, origin.path] : [kind]))
}

function sameSpace(a: EmbeddingSpace, b: EmbeddingSpace): boolean {
  return a.name === b.name && a.dimensions === b.dimensions
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
