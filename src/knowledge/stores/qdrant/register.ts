/**
 * Data of a project's collection that doesn't belong to its items, in a separate Qdrant collection: the ingested
 * documents, and the embedding space that is searched.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { itemId } from '../../../ids.ts'
import { type EmbeddingSpace, sameSpace } from '../../../inference/embedding/embedder.ts'
import type { CollectionScope, Page, StoredDocument } from '../store.ts'
import { chunks, type QdrantConnection, WRITE_BATCH } from './connection.ts'
import type { Origin } from './points.ts'
import type { QdrantReader } from './reader.ts'
import type { Operation } from './writes.ts'

const REGISTER = 'knowledge-register'

export class QdrantRegister {
  readonly #qdrant: QdrantConnection
  readonly #reader: QdrantReader

  constructor(connection: QdrantConnection, reader: QdrantReader) {
    this.#qdrant = connection
    this.#reader = reader
  }

  /** The first space written to a project's collection becomes its space. Returns whether that is the given one. */
  async adoptSpace(scope: CollectionScope, space: EmbeddingSpace): Promise<boolean> {
    const known = await this.space(scope)
    if (known) return sameSpace(known, space)
    const point = {
      id: registerId(scope, 'space'),
      vector: {},
      payload: { ...registerPayload(scope, 'space'), name: space.name, dimensions: space.dimensions },
    }
    // Of two concurrent writes, the first one wins: an insert never overwrites.
    await this.#qdrant.write(REGISTER, null, (client, name) =>
      client.upsert(name, { points: [point], update_mode: 'insert_only', wait: true }),
    )
    const adopted = await this.space(scope)
    return adopted !== null && sameSpace(adopted, space)
  }

  /** The searched space; null before the first write. */
  async space(scope: CollectionScope): Promise<EmbeddingSpace | null> {
    const [point] = await this.#reader.retrieve(REGISTER, [registerId(scope, 'space')], true)
    const { name, dimensions } = (point?.payload ?? {}) as { name?: unknown; dimensions?: unknown }
    return typeof name === 'string' && typeof dimensions === 'number' ? { name, dimensions } : null
  }

  /** Changes the searched space. */
  async setSpace(scope: CollectionScope, { name, dimensions }: EmbeddingSpace): Promise<void> {
    const payload = { name, dimensions }
    await this.#qdrant.call(REGISTER, (client, register) =>
      client.setPayload(register, { payload, points: [registerId(scope, 'space')], wait: true }),
    )
  }

  /** Sets properties of a document. Creates the document if it doesn't exist. */
  async setDocument(scope: CollectionScope, origin: Origin, values: { hash?: string; items?: number }): Promise<void> {
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

  /** Documents of one source, or of all, after a cursor. */
  async documents(
    scope: CollectionScope,
    options: { cursor?: string; limit: number },
    source?: string,
  ): Promise<Page<StoredDocument>> {
    const { points, nextCursor } = await this.#reader.page(REGISTER, registerFilter(scope, 'document', source), options)
    return { entries: points.map(documentOf), nextCursor }
  }

  countDocuments(scope: CollectionScope): Promise<number> {
    return this.#reader.count(REGISTER, registerFilter(scope, 'document'))
  }

  /** Writes documents from another store unchanged. */
  async importDocuments(scope: CollectionScope, documents: readonly StoredDocument[]): Promise<void> {
    const points = documents.map(({ source, path, hash, items }) => {
      const payload = { ...registerPayload(scope, 'document'), source, path, hash, items }
      return { id: registerId(scope, 'document', { source, path }), vector: {}, payload }
    })
    for (const batch of chunks(points, WRITE_BATCH)) {
      await this.#qdrant.write(REGISTER, null, (client, name) => client.upsert(name, { points: batch, wait: true }))
    }
  }

  /** Removes a document. Returns whether it existed. */
  async removeDocument(scope: CollectionScope, origin: Origin): Promise<boolean> {
    const id = registerId(scope, 'document', origin)
    const [known] = await this.#reader.retrieve(REGISTER, [id], false)
    if (!known) return false
    await this.#qdrant.call(REGISTER, (client, name) => client.delete(name, { points: [id], wait: true }))
    return true
  }

  /** Removes all data of a project's collection. */
  async clear(scope: CollectionScope): Promise<void> {
    for (const kind of ['document', 'space'] as const) {
      const filter = registerFilter(scope, kind)
      await this.#qdrant.read(REGISTER, (client, name) => client.delete(name, { filter, wait: true }), null)
    }
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
