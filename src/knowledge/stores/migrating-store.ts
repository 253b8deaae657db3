/**
 * Keeps a store's collections moving towards the embedding space of the model in use: what is missing is embedded in the
 * background, and until a collection is complete its old space is searched with the old model, if that is at hand.
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

/** Items of one step of a job, by an embedder in this process and by an engine; the clock is looked at in between. */
const BATCH = 16
const ENGINE_BATCH = 64
/** Maximum total duration of the requests of one step, in milliseconds. */
const STEP_MS = 60_000
/** After the unrelated texts could not be embedded, they are not tried again for this long, in milliseconds. */
const UNRELATED_PAUSE_MS = 60_000
/** How long one job embeds, in milliseconds. */
const JOB_MS = 20_000

export interface MigratingStoreOptions {
  /** The model in use. */
  readonly embedder: Embedder
  /** Models that can still embed queries for spaces that collections may be in. */
  readonly others: readonly Embedder[]
  /** Whether the model in use can fail, so that an item without a vector has to be tried again. */
  readonly mayFail: boolean
  /** Told that a collection has items to embed, `written`: just now; it sees to it that `embedPending` is called. */
  enqueue(scope: CollectionScope, written: boolean): Promise<void>
  /** Told that a client embeds a collection: `embedPending` can wait a minute. */
  postpone?(scope: CollectionScope): Promise<void>
  /** Uniform in [0, 1). */
  random?(): number
  /** Told which items were written, those that stayed as they were among them, before the writer is answered. */
  written?(scope: CollectionScope, ids: readonly string[]): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
}

/** Vectors of the unrelated texts, by space: every collection is measured against the same ones. */
const unrelated = new Map<string, Promise<Float32Array[]>>()
/** Until when they are not tried again, by space. */
const refused = new Map<string, number>()

function unrelatedVectors(embedder: Embedder): Promise<Float32Array[]> {
  const { name } = embedder.space
  const known = unrelated.get(name)
  const pause = refused.get(name)
  if (known && (pause === undefined || Date.now() < pause)) return known
  refused.delete(name)
  const made = embedder
    .embed(UNRELATED_QUESTIONS, 'query')
    .then((embeddings) => embeddings.flatMap(({ vector }) => vector ?? []))
  unrelated.set(name, made)
  // An engine that is too slow for them, or gone, is not asked by every search.
  const until = Date.now() + UNRELATED_PAUSE_MS
  made.catch(() => refused.set(name, until))
  return made
}

/** A store whose collections move to the space of the model in use; see {@link MigratingMethods}. */
export function migratingStore(store: SpaceStore, options: MigratingStoreOptions): KnowledgeStore & MigratingMethods {
  return decorate(store, new MigratingMethods(store, options))
}

/** What changes when a store's collections can be in another space than that of the model in use. */
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
   * A collection that is still in another space is searched there, with that space's own model. One whose items wait for vectors
   * is enqueued once more: the Worker that stored them may have died before it could, or their engine failed again meanwhile.
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

  /** A collection whose scale isn't known yet is measured before its first answer: figures on two scales would mean different things. */
  async #withScale(
    scope: CollectionScope,
    { vector, space }: SearchRequest,
    answer: SearchResponse,
    embedder: Embedder,
  ): Promise<SearchResponse> {
    if (!vector || answer.scale !== null || answer.items === 0 || !this.#store.measureScale) return answer
    try {
      const unrelated = await unrelatedVectors(embedder)
      return { ...answer, scale: await this.#store.measureScale(scope, space, unrelated) }
    } catch {
      return answer
    }
  }

  /** Each request's vectors are stored at once. When the engine fails after some of them, the next job goes on from there. */
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
      if (page.nextCursor === null) return this.#store.serveSpace(scope, embedder.space)
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

/** Announcements of one collection are this far apart, in milliseconds. */
const ANNOUNCED_EVERY_MS = 30_000
const enqueued = new Map<string, number>()

/** Passes on an announcement; one that no write causes only unless this isolate has just passed on one for the same collection. Never throws. */
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
