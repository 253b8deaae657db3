/**
 * Qdrant reads that need several requests, or none if the collection doesn't exist yet.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { invalidInput } from '../../../errors.ts'
import { isUuid } from '../../../ids.ts'
import type { QdrantConnection } from './connection.ts'

/** Number of points read in one request. */
export const READ_BATCH = 500

/**
 * Whether an id can belong to one of our points: a UUID as in {@link isUuid}, in lower case. Callers send ids that
 * agents invented, and Qdrant rejects a whole request that contains an invalid UUID.
 */
export const isPointId = (id: string) => isUuid(id) && id === id.toLowerCase()

export class QdrantReader {
  readonly #qdrant: QdrantConnection

  constructor(connection: QdrantConnection) {
    this.#qdrant = connection
  }

  /** Points by id, in any order. Unknown ids are ignored. */
  async retrieve(
    collection: string,
    ids: readonly string[],
    with_payload: string[] | boolean,
  ): Promise<Schemas['Record'][]> {
    const possible = ids.filter(isPointId)
    if (possible.length === 0) return []
    return this.#qdrant.read(
      collection,
      (client, name) => client.retrieve(name, { ids: possible, with_payload, with_vector: false }),
      [],
    )
  }

  /**
   * Points after the cursor, ordered by id.
   * @throws CoordinatorError `invalid_input` for an invalid cursor
   */
  async page(
    collection: string,
    filter: Schemas['Filter'],
    { cursor, limit }: { cursor?: string; limit: number },
    vector: string | null = null,
  ): Promise<{ points: Schemas['Record'][]; nextCursor: string | null }> {
    if (cursor !== undefined && !isUuid(cursor)) {
      throw invalidInput('cursor', 'This cursor is not from an earlier page.', { hint: 'Send it as it was returned.' })
    }
    const page = await this.#scroll(collection, filter, true, limit + 2, cursor, vector)
    const points = page.filter(({ id }) => String(id) !== cursor)
    const entries = points.slice(0, limit)
    return { points: entries, nextCursor: points.length > limit ? String(entries.at(-1)?.id) : null }
  }

  /** All points that match a filter. */
  async scan(collection: string, filter: Schemas['Filter'], fields: string[]): Promise<Schemas['Record'][]> {
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

  /** Exact number of points that match a filter. */
  count(collection: string, filter: Schemas['Filter']): Promise<number> {
    return this.#qdrant.read(
      collection,
      async (client, name) => (await client.count(name, { filter, exact: true })).count,
      0,
    )
  }
}
