/**
 * Qdrant's client under the coordinator's policy for engines, and the collections that the store keeps there.
 * @module
 */
import { QdrantClient, type Schemas, withHeaders } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import type { Engine } from '../../../inference/engine/resilience.ts'
import { traceHeaders } from '../../../tracing.ts'
import { NUMBER_FIELDS } from '../../collections.ts'
import { CorpusCache } from './corpus.ts'
import { failureOf, missingPart, statusOf } from './failures.ts'
import { QdrantServer } from './server.ts'

/** Name of the sparse vector that keyword search uses. */
export const TERMS = 'terms'

/** Thrown inside the store only: the collection (or a vector of it) isn't there yet. */
export class QdrantMissing extends Error {}

/** Payload fields that filters use. `facets` holds `field=value` for every field of an item that can be filtered by. */
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

/** How Qdrant keeps a small copy of each vector in memory, by the name of the setting. */
const QUANTIZATION: Readonly<Record<Quantization, Schemas['QuantizationConfig'] | null>> = {
  none: null,
  scalar: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
  product: { product: { compression: 'x16', always_ram: true } },
  binary: { binary: { always_ram: true } },
}

/** `scalar`: a quarter of the size; `product`: a sixteenth; `binary`: a thirty-second, for large vectors. */
export type Quantization = 'none' | 'scalar' | 'product' | 'binary'

export class QdrantConnection {
  /** What is known of whole collections for a moment. */
  readonly corpora = new CorpusCache()
  readonly #client: QdrantClient
  readonly #server: QdrantServer
  readonly #engine: Engine
  readonly #prefix: string
  readonly #quantization: Quantization
  /** Named vectors that exist, by collection; what another Worker adds is found when it is missed. */
  readonly #vectors = new Map<string, Set<string>>()

  /**
   * @param prefix put before every collection's name
   * @param quantization of collections that are made from now on; those that exist keep theirs
   */
  constructor(options: {
    url: string
    apiKey?: string
    /** What else lets the coordinator in, such as a service token of Cloudflare Access. */
    headers?: Readonly<Record<string, string>>
    prefix: string
    quantization?: Quantization
    engine: Engine
    timeoutMs: number
  }) {
    const { url, apiKey, headers = {}, prefix, engine, timeoutMs } = options
    const port = new URL(url).port
    this.#client = new QdrantClient({
      url,
      apiKey,
      headers,
      // Without a port the client takes 6333 even for https addresses.
      port: port ? Number(port) : url.startsWith('https:') ? 443 : 6333,
      timeout: timeoutMs,
      checkCompatibility: false,
    })
    this.#server = new QdrantServer(url, { ...headers, ...(apiKey && { 'api-key': apiKey }) })
    this.#engine = engine
    this.#prefix = prefix
    this.#quantization = options.quantization ?? 'scalar'
  }

  /**
   * Calls Qdrant. Every call of the store may be repeated: writes say what shall be, not what shall change.
   * @param work calls the client once, before anything that it waits for: only then the trace goes along
   * @throws QdrantMissing when the collection doesn't exist
   * @throws CoordinatorError `engine_unavailable`
   */
  async call<T>(collection: string, work: (client: QdrantClient, name: string) => Promise<T>): Promise<T> {
    const answer = await this.#engine.call(
      async (signal): Promise<{ value: T } | { missing: string }> => {
        // Read once, beside the first call: a server that is too old would take some requests and do something else.
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

  /** Like {@link call}, for reading: what isn't there is empty. */
  async read<T>(collection: string, work: (client: QdrantClient, name: string) => Promise<T>, empty: T): Promise<T> {
    try {
      return await this.call(collection, work)
    } catch (error) {
      if (error instanceof QdrantMissing) return empty
      throw error
    }
  }

  /** Like {@link call}, for writing: what isn't there is made first. */
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

  /** Whether a collection has the vector of a space. */
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

  /** Makes a collection with its indexes; one that exists, or appears meanwhile, is left as it is. Nothing is ever dropped. */
  async #ensureCollection(collection: string): Promise<void> {
    await this.call(collection, async (client, name) => {
      await client
        .createCollection(name, {
          vectors: {},
          sparse_vectors: { [TERMS]: { modifier: 'idf', index: { on_disk: false } } },
          // Every search is within one project: a graph for each instead of one for all.
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

/** The named vector that holds a space: its name as far as Qdrant's addresses allow, and its size. */
export function vectorName({ name, dimensions }: EmbeddingSpace): string {
  return `${name.replace(/[^\w.-]+/g, '_')}-${dimensions}`
}

/** Points written in one request. */
export const WRITE_BATCH = 64

/** A list in pieces of a size; the last may be shorter. */
export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
