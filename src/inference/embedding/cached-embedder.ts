/**
 * Caches the vectors of queries, and combines concurrent requests for the same text.
 * @module
 */
import type { Truncation } from '../../text/truncation.ts'
import {
  type EmbeddedBatch,
  type Embedder,
  type Embedding,
  type EmbeddingPurpose,
  type EmbeddingSpace,
  embeddedBatches,
} from './embedder.ts'

/** Number of cached queries. 2,000 vectors of 1,024 numbers take 8 MB. */
const ENTRIES = 2_000
/**
 * A cancelled request leaves its call unfinished. Requests that wait for it start their own call after this time, in
 * milliseconds.
 */
const MAX_WAIT_MS = 3_000

/** A cache that the isolate keeps between requests, least recently used first. */
export class EmbeddingCache {
  readonly #entries = new Map<string, Embedding>()
  readonly #under = new Map<string, Promise<Embedding>>()
  hits = 0
  misses = 0

  /** The embedding for a key: from the cache, from a call in progress, or from `compute`. Failures are not cached. */
  async get(key: string, compute: () => Promise<Embedding>): Promise<Embedding> {
    const known = this.#entries.get(key)
    if (known) {
      this.hits++
      this.#entries.delete(key)
      this.#entries.set(key, known)
      return known
    }
    const under = this.#under.get(key)
    if (under) {
      this.hits++
      const shared = await Promise.race([under, pause(MAX_WAIT_MS)])
      if (shared) return shared
    }
    this.misses++
    const call = compute()
    this.#under.set(key, call)
    try {
      const embedding = await call
      this.#entries.set(key, embedding)
      if (this.#entries.size > ENTRIES) this.#entries.delete(this.#entries.keys().next().value ?? '')
      return embedding
    } finally {
      if (this.#under.get(key) === call) this.#under.delete(key)
    }
  }
}

/** Wraps an embedder with slow calls. Documents are not cached, because each is embedded only once. */
export class CachedEmbedder implements Embedder {
  readonly #embedder: Embedder
  readonly #cache: EmbeddingCache

  constructor(embedder: Embedder, cache: EmbeddingCache) {
    this.#embedder = embedder
    this.#cache = cache
  }

  get space(): EmbeddingSpace {
    return this.#embedder.space
  }

  truncation(text: string, purpose: EmbeddingPurpose): Truncation | null {
    return this.#embedder.truncation?.(text, purpose) ?? null
  }

  embedDocuments(texts: readonly string[], milliseconds: number): AsyncGenerator<EmbeddedBatch, void, void> {
    return embeddedBatches(this.#embedder, texts, milliseconds)
  }

  embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]> {
    if (purpose === 'document') return this.#embedder.embed(texts, purpose)
    return Promise.all(
      texts.map((text) =>
        this.#cache.get(`${this.space.name}\n${text}`, async () => {
          const [embedding] = await this.#embedder.embed([text], purpose)
          return embedding ?? { vector: null, coverage: 0 }
        }),
      ),
    )
  }
}

function pause(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms))
}
