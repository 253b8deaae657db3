/**
 * Wraps Qdrant's client with the coordinator's engine policy, and creates the store's collections.
 * @module
 */
import { QdrantClient, type Schemas, withHeaders } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import type { Engine } from '../../../inference/engine/resilience.ts'
import { traceHeaders } from '../../../tracing.ts'
import { NUMBER_FIELDS } from '../../collections.ts'
import { CorpusCache, ScaleCache } from './corpus.ts'
import { failureOf, missingPart, statusOf } from './failures.ts'
import { type QdrantAddress, queryBatch } from './query-batch.ts'
import { QdrantServer } from './server.ts'

/** Name of the sparse vector for keyword search. */
export const TERMS = 'terms'

/** Used only inside the store: the collection, or one of its vectors, doesn't exist yet. */
export class QdrantMissing extends Error {}

/** Payload fields that filters use. `facets` holds `field=value` for every filterable field of an item. */
const INDEXES: Readonly<Record<string, Schemas['PayloadFieldSchema']>> = {
  project: { type: 'keyword', is_tenant: true },
  kind: 'keyword',
  collection: 'keyword',
  source: 'keyword',
  path: 'keyword',
  facets: 'keyword',
  hash: 'keyword',
  embedded: 'keyword',
  credit_version: 'integer',
  ...Object.fromEntries(NUMBER_FIELDS.map((field) => [`fields.${field}`, 'float' as const])),
}

/** Qdrant's settings for a compressed copy of each vector in memory, by the name of our setting. */
const QUANTIZATION: Readonly<Record<Quantization, Schemas['QuantizationConfig'] | null>> = {
  none: null,
  scalar: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
  product: { product: { compression: 'x16', always_ram: true } },
  binary: { binary: { always_ram: true } },
}

/** `scalar`: a quarter of the size. `product`: a sixteenth. `binary`: a thirty-second, for large vectors. */
export type Quantization = 'none' | 'scalar' | 'product' | 'binary'

export class QdrantConnection {
  /** Cached properties of whole collections. */
  readonly corpora = new CorpusCache()
  readonly scales = new ScaleCache()
  readonly #client: QdrantClient
  readonly #server: QdrantServer
  readonly #engine: Engine
  readonly #prefix: string
  readonly #quantization: Quantization
  readonly #address: QdrantAddress
  /**
   * Named vectors that exist, by collection. Vectors that another Worker adds are looked up when a name is not found.
   */
  readonly #vectors = new Map<string, Set<string>>()

  /**
   * @param prefix prepended to every collection's name
   * @param quantization applies to new collections only; existing ones keep theirs
   */
  constructor(options: {
    url: string
    apiKey?: string
    /** Additional headers for access, such as a service token of Cloudflare Access. */
    headers?: Readonly<Record<string, string>>
    prefix: string
    quantization?: Quantization
    engine: Engine
    timeoutMs: number
  }) {
    const { url, apiKey, headers = {}, prefix, engine, timeoutMs } = options
    const address = new URL(url)
    // Without a port, Qdrant listens on its own; behind https, on the usual one.
    if (address.protocol === 'http:' && !address.port) address.port = '6333'
    this.#address = {
      url: address.href.replace(/\/+$/, ''),
      headers: { ...headers, ...(apiKey && { 'api-key': apiKey }) },
      timeoutMs,
    }
    this.#client = new QdrantClient({
      url: this.#address.url,
      apiKey,
      headers,
      // Without a port, the client uses 6333 even for https addresses.
      port: Number(address.port || 443),
      timeout: timeoutMs,
      checkCompatibility: false,
    })
    this.#server = new QdrantServer(this.#address.url, this.#address.headers)
    this.#engine = engine
    this.#prefix = prefix
    this.#quantization = options.quantization ?? 'scalar'
  }

  /**
   * Calls Qdrant. Every call may be repeated, because writes set a state and don't apply a change.
   * @param work calls the client once, before its first await; otherwise the trace headers are not sent
   * @throws QdrantMissing if the collection doesn't exist
   * @throws CoordinatorError `engine_unavailable`
   */
  async call<T>(collection: string, work: (client: QdrantClient, name: string) => Promise<T>): Promise<T> {
    const answer = await this.#engine.call(
      async (signal): Promise<{ value: T } | { missing: string }> => {
        // The version check runs together with the first call, because an old server would accept some requests and
        // execute them differently.
        const [result, server] = await Promise.allSettled([
          withHeaders(traceHeaders(), () => work(this.#client, this.#prefix + collection)),
          this.#server.check(signal),
        ])
        if (server.status === 'rejected') throw server.reason
        if (result.status === 'fulfilled') return { value: result.value }
        const missing = missingPart(result.reason)
        if (missing !== null) return { missing }
        const failure = failureOf(result.reason)
        throw (await this.#server.explain(failure, signal)) ?? failure
      },
      { repeatable: true },
    )
    if ('missing' in answer) throw new QdrantMissing(answer.missing)
    return answer.value
  }

  /** Like {@link call}, for reading: a missing collection counts as empty. */
  async read<T>(collection: string, work: (client: QdrantClient, name: string) => Promise<T>, empty: T): Promise<T> {
    try {
      return await this.call(collection, work)
    } catch (error) {
      if (error instanceof QdrantMissing) return empty
      throw error
    }
  }

  /** The answers to a batch of queries, in order; none if the collection doesn't exist. */
  query(
    collection: string,
    searches: readonly Schemas['QueryRequest'][],
  ): Promise<readonly { points: Schemas['ScoredPoint'][] }[]> {
    return this.read(collection, (_, name) => queryBatch(this.#address, name, searches), [])
  }

  /** Like {@link call}, for writing: creates a missing collection or vector first. */
  async write<T>(
    collection: string,
    space: EmbeddingSpace | null,
    work: (client: QdrantClient, name: string) => Promise<T>,
  ): Promise<T> {
    if (space) await this.#ensureVector(collection, space)
    try {
      return await this.call(collection, work)
    } catch (error) {
      if (!(error instanceof QdrantMissing)) throw error
    }
    await this.#ensureCollection(collection)
    if (space) {
      this.#vectors.delete(collection)
      await this.#ensureVector(collection, space)
    }
    return this.call(collection, work)
  }

  /** Whether a collection has the vector for a space. */
  async hasVector(collection: string, space: EmbeddingSpace): Promise<boolean> {
    const name = vectorName(space)
    if (this.#vectors.get(collection)?.has(name)) return true
    const names = await this.#readVectors(collection)
    return names?.has(name) ?? false
  }

  async #readVectors(collection: string): Promise<Set<string> | null> {
    const info = await this.read(collection, (client, name) => client.getCollection(name), null)
    if (!info) return null
    const names = new Set(Object.keys(info.config.params.vectors ?? {}))
    this.#vectors.set(collection, names)
    return names
  }

  async #ensureVector(collection: string, space: EmbeddingSpace): Promise<void> {
    if (await this.hasVector(collection, space)) return
    if (!this.#vectors.has(collection)) await this.#ensureCollection(collection)
    const config = { dense: { size: space.dimensions, distance: 'Cosine' as const } }
    await this.call(collection, (client, name) =>
      client.createVectorName(name, vectorName(space), config, { wait: true }),
    )
    const names = this.#vectors.get(collection) ?? new Set()
    this.#vectors.set(collection, names.add(vectorName(space)))
  }

  /**
   * Creates a collection with its indexes. If the collection exists or is created concurrently, it is not changed.
   * Nothing is ever dropped.
   */
  async #ensureCollection(collection: string): Promise<void> {
    await this.call(collection, async (client, name) => {
      await client
        .createCollection(name, {
          vectors: {},
          sparse_vectors: { [TERMS]: { modifier: 'idf', index: { on_disk: false } } },
          // Every search is limited to one project: build a graph per project instead of one for all.
          hnsw_config: { m: 0, payload_m: 16 },
          quantization_config: QUANTIZATION[this.#quantization],
          on_disk_payload: true,
        })
        .catch((error: unknown) => {
          if (statusOf(error) !== 409) throw error
        })
    })
    for (const [field_name, field_schema] of Object.entries(INDEXES)) {
      await this.call(collection, (client, name) =>
        client.createPayloadIndex(name, { field_name, field_schema, wait: true }),
      )
    }
  }
}

/** The named vector for a space: its name, restricted to characters that Qdrant allows in URLs, and its size. */
export function vectorName({ name, dimensions }: EmbeddingSpace): string {
  return `${name.replace(/[^\w.-]+/g, '_')}-${dimensions}`
}

/** Number of points written in one request. */
export const WRITE_BATCH = 64

/** Splits a list into chunks of a size. The last one may be shorter. */
export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
