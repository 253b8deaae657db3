/**
 * Caches properties of a project's whole collection for a short time. Reading them costs as much as the search itself.
 * @module
 */
import { currentScale, type MeasuredScale } from '../cosine-scale.ts'
import type { CollectionScope, CosineScale, Credit } from '../store.ts'

/** Aggregated properties of all items of a collection. */
export interface Corpus {
  readonly items: number
  /** Mean length of an item in terms. */
  readonly averageLength: number
  readonly credit: Credit
}

/** How long an entry is used, in milliseconds. Writes by this isolate invalidate it immediately. */
const FRESH_MS = 10_000
/** Smaller collections are read every time: it is cheap, and each item has more influence. */
const MIN_ITEMS = 2_000
const MAX_ENTRIES = 1_000

interface Entry {
  readonly corpus: Corpus
  /** Milliseconds since 1970. */
  readonly at: number
}

export class CorpusCache {
  readonly #entries = new Map<string, Entry>()
  /** Counts writes. A value that was read during a write is not cached. */
  #writes = 0

  /** Number of writes so far. Pass it to {@link keep} with values that are read from now on. */
  get writes(): number {
    return this.#writes
  }

  get(scope: CollectionScope): Corpus | null {
    const entry = this.#entries.get(keyOf(scope))
    return entry && Date.now() - entry.at < FRESH_MS ? entry.corpus : null
  }

  /** @param writes the number of writes before the corpus was read */
  keep(scope: CollectionScope, corpus: Corpus, writes: number): void {
    if (corpus.items < MIN_ITEMS || writes !== this.#writes) return
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear()
    this.#entries.set(keyOf(scope), { corpus, at: Date.now() })
  }

  /** Invalidates a collection before and after a change. */
  async changing<T>(scope: CollectionScope, work: () => Promise<T>): Promise<T> {
    this.#forget(scope)
    try {
      return await work()
    } finally {
      this.#forget(scope)
    }
  }

  #forget(scope: CollectionScope): void {
    this.#writes++
    this.#entries.delete(keyOf(scope))
  }
}

const keyOf = ({ project, collection }: CollectionScope) => `${collection} ${project}`

/** The scales of collections, measured once in each isolate and whenever the size of a collection has changed a lot. */
export class ScaleCache {
  readonly #scales = new Map<string, MeasuredScale>()

  get(scope: CollectionScope, space: string, items: number): CosineScale | null {
    return currentScale(this.#scales.get(keyOf(scope)), space, items)
  }

  keep(scope: CollectionScope, scale: MeasuredScale): void {
    if (this.#scales.size >= MAX_ENTRIES) this.#scales.clear()
    this.#scales.set(keyOf(scope), scale)
  }
}
