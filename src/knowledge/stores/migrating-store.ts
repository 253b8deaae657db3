/**
 * Migrates a store's collections to the embedding space of the current model. Missing vectors are computed in the
 * background. Until a collection is complete, its old space is searched with the old model, if that model is available.
 * @module
 */
import { type Embedder, type EmbeddingSpace, embeddedBatches, sameSpace } from '../../inference/embedding/embedder.ts'
import { UNRELATED_QUESTIONS } from '../unrelated-questions.ts'
import { takeVectors, vectorWork } from './client-vectors.ts'
import { decorate } from './decorate.ts'
import type {
  CollectionScope,
  DocumentResult,
  ItemVector,
  KnowledgeStore,
  PreparedDocument,
  PreparedItem,
  SearchRequest,
  SearchResponse,
  SpaceStore,
  VectorWork,
  WriteStatus,
} from './store.ts'
import { embeddedTexts } from './turn-context.ts'

/**
 * Number of items in one step of a job, for an embedder in this process and for an engine. The clock is checked between
 * steps.
 */
const BATCH = 16
const ENGINE_BATCH = 64
/** Maximum total duration of the requests of one step, in milliseconds. */
const STEP_MS = 60_000
/** Number of unrelated texts in one call of an engine. A slow one must answer before the deadline of a question. */
const UNRELATED_BATCH = 4
/** How long one search may embed unrelated texts, and how long searches wait after a failure, in milliseconds. */
const UNRELATED_MS = 2_000
const UNRELATED_PAUSE_MS = 60_000
/** Maximum duration of one embedding job, in milliseconds. */
const JOB_MS = 20_000

export interface MigratingStoreOptions {
  /** The current model. */
  readonly embedder: Embedder
  /** Models that can still embed queries for the old spaces of collections. */
  readonly others: readonly Embedder[]
  /** Whether the current model can fail, so that items without a vector must be retried. */
  readonly mayFail: boolean
  /**
   * Called when a collection has items to embed. `written`: because of a write. It must arrange for a call of
   * `embedPending`.
   */
  enqueue(scope: CollectionScope, written: boolean): Promise<void>
  /** Called when a client embeds a collection: `embedPending` can wait for a minute. */
  postpone?(scope: CollectionScope): Promise<void>
  /** A random number in [0, 1). */
  random?(): number
  /** Called with the ids of written items, including unchanged ones, before the write is acknowledged. */
  written?(scope: CollectionScope, ids: readonly string[]): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
}

/**
 * Vectors of the first unrelated texts, by space; null: the text has none. Every collection is measured against the same
 * ones.
 */
const unrelated = new Map<string, (Float32Array | null)[]>()
/** Time until which searches don't embed more of them, by space. */
const refused = new Map<string, number>()

/**
 * The vectors of the unrelated texts. A slow engine embeds a few of them in one call, and what it has embedded is kept.
 * @param milliseconds maximum duration
 * @returns null as long as some are missing
 */
async function unrelatedVectors(embedder: Embedder, milliseconds: number): Promise<Float32Array[] | null> {
  const { name } = embedder.space
  const made = unrelated.get(name) ?? []
  unrelated.set(name, made)
  const size = embedder.embedDocuments ? UNRELATED_BATCH : UNRELATED_QUESTIONS.length
  const end = Date.now() + milliseconds
  while (made.length < UNRELATED_QUESTIONS.length) {
    if (Date.now() >= end) return null
    const from = made.length
    const embeddings = await embedder.embed(UNRELATED_QUESTIONS.slice(from, from + size), 'query')
    // Another request may have embedded the same ones in the meantime.
    if (made.length === from) made.push(...embeddings.map(({ vector }) => vector))
  }
  return made.filter((vector) => vector !== null)
}

/** A store that migrates its collections to the space of the current model; see {@link MigratingMethods}. */
export function migratingStore(store: SpaceStore, options: MigratingStoreOptions): KnowledgeStore & MigratingMethods {
  return decorate(store, new MigratingMethods(store, options))
}

/** The methods that change when a store's collections can be in another space than the current model's. */
class MigratingMethods {
  readonly #store: SpaceStore
  readonly #options: MigratingStoreOptions

  constructor(store: SpaceStore, options: MigratingStoreOptions) {
    this.#store = store
    this.#options = options
  }

  async upsert(scope: CollectionScope, items: readonly PreparedItem[], space: EmbeddingSpace): Promise<WriteStatus[]> {
    const statuses = await this.#store.upsert(scope, items, space)
    const pending = items.some(({ vector }, i) => !vector && statuses[i] !== 'unchanged')
    if (pending && this.#options.mayFail) await this.#options.enqueue(scope, true)
    await this.#options.written?.(scope, idsOf(items))
    return statuses
  }

  async replaceDocuments(
    scope: CollectionScope,
    source: string,
    documents: readonly PreparedDocument[],
    space: EmbeddingSpace,
  ): Promise<DocumentResult[]> {
    const results = await this.#store.replaceDocuments(scope, source, documents, space)
    const pending = documents.some(
      ({ items }, i) => results[i]?.status === 'indexed' && items.some(({ vector }) => !vector),
    )
    if (pending && this.#options.mayFail) await this.#options.enqueue(scope, true)
    await this.#options.written?.(
      scope,
      documents.flatMap(({ items }) => idsOf(items)),
    )
    return results
  }

  /**
   * Searches a collection that is still in another space with that space's model. If items wait for vectors, the
   * collection is enqueued again: the Worker that stored them may have died before it could enqueue it, or their engine
   * may have failed again since.
   */
  async search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse> {
    const answer = await this.#store.search(scope, request)
    if (answer.pending && this.#options.mayFail) await this.#options.enqueue(scope, false)
    if (!request.vector || !answer.degraded.includes('vectors'))
      return this.#withScale(scope, request, answer, this.#options.embedder)
    await this.#options.enqueue(scope, false)
    const { space } = await this.#store.statistics(scope)
    const embedder = this.#options.others.find((other) => space !== null && sameSpace(other.space, space))
    if (!embedder) return answer
    const vector = await embedder.embed([request.text], 'query').then(
      ([embedding]) => embedding?.vector ?? null,
      () => null,
    )
    if (!vector) return answer
    const earlier = { ...request, vector, space: embedder.space }
    return this.#withScale(scope, earlier, await this.#store.search(scope, earlier), embedder)
  }

  /** Measures the scale of a collection before its first answer, because figures on two scales are not comparable. */
  async #withScale(
    scope: CollectionScope,
    { vector, space }: SearchRequest,
    answer: SearchResponse,
    embedder: Embedder,
  ): Promise<SearchResponse> {
    if (!vector || answer.scale !== null || answer.items === 0 || !this.#store.measureScale) return answer
    if (Date.now() < (refused.get(space.name) ?? 0)) return answer
    try {
      const unrelated = await unrelatedVectors(embedder, UNRELATED_MS)
      return unrelated ? { ...answer, scale: await this.#store.measureScale(scope, space, unrelated) } : answer
    } catch {
      // Prevents every search from calling an engine that is too slow or unavailable.
      refused.set(space.name, Date.now() + UNRELATED_PAUSE_MS)
      return answer
    }
  }

  /** Measures the scale after an embedding job, when no user waits for an answer. Searches do it if this fails. */
  async #measureScale(scope: CollectionScope, milliseconds: number): Promise<void> {
    const { embedder } = this.#options
    try {
      const unrelated = await unrelatedVectors(embedder, milliseconds)
      if (unrelated) await this.#store.measureScale?.(scope, embedder.space, unrelated)
    } catch {
      refused.set(embedder.space.name, Date.now() + UNRELATED_PAUSE_MS)
    }
  }

  /** Stores the vectors of each request immediately. If the engine fails later, the next job continues from there. */
  async embedPending(scope: CollectionScope, spent: () => boolean = () => false): Promise<boolean> {
    const { embedder, now } = this.#options
    const end = now() + JOB_MS
    const limit = embedder.embedDocuments ? ENGINE_BATCH : BATCH
    let cursor: string | undefined
    let stored = 0
    while (now() < end && !spent()) {
      const page = await this.#store.itemsWithoutVector(scope, embedder.space, { cursor, limit })
      let left = page.entries.length
      try {
        const texts = left > 0 ? await embeddedTexts(this.#store, scope, page.entries) : []
        const batches = left > 0 ? embeddedBatches(embedder, texts, STEP_MS) : []
        for await (const { at, embeddings } of batches) {
          const vectors = at.flatMap((position, i): ItemVector[] => {
            const item = page.entries[position]
            return item ? [{ id: item.id, hash: item.hash, vector: embeddings[i]?.vector ?? null }] : []
          })
          await this.#store.addVectors(scope, embedder.space, vectors)
          stored += vectors.length
          left -= vectors.length
          if (left > 0 && (now() >= end || spent())) return false
        }
      } catch (error) {
        if (stored > 0) return false
        throw error
      }
      if (left > 0) return false
      if (page.nextCursor === null) {
        const served = await this.#store.serveSpace(scope, embedder.space)
        if (served && stored > 0) await this.#measureScale(scope, end - now())
        return served
      }
      cursor = page.nextCursor
    }
    return false
  }

  async vectorWork(scope: CollectionScope, options: { cursor?: string; limit: number }): Promise<VectorWork> {
    const { embedder, mayFail, postpone } = this.#options
    if (mayFail && embedder.clients) await postpone?.(scope)
    return vectorWork(this.#store, embedder, scope, options)
  }

  async takeVectors(scope: CollectionScope, space: string, vectors: readonly ItemVector[]): Promise<boolean> {
    const { embedder, mayFail, postpone, random = Math.random } = this.#options
    const done = await takeVectors(this.#store, embedder, scope, space, vectors, random)
    if (!done && mayFail) await postpone?.(scope)
    return done
  }
}

const idsOf = (items: readonly PreparedItem[]) => items.map(({ id }) => id)

/** Minimum time between two announcements of one collection, in milliseconds. */
const ANNOUNCED_EVERY_MS = 30_000
const enqueued = new Map<string, number>()

/**
 * Forwards announcements. An announcement without a write is dropped if this isolate recently forwarded one for the
 * same collection. Never throws.
 */
export function enqueuer(
  enqueue: (scope: CollectionScope) => Promise<void>,
): (scope: CollectionScope, written: boolean) => Promise<void> {
  return async (scope, written) => {
    const key = JSON.stringify([scope.project, scope.collection])
    const now = Date.now()
    if (!written && now - (enqueued.get(key) ?? 0) < ANNOUNCED_EVERY_MS) return
    enqueued.set(key, now)
    try {
      await enqueue(scope)
    } catch {
      enqueued.delete(key)
    }
  }
}
