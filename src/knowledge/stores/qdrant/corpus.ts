/**
 * What a search needs to know of a whole collection of a project, kept for a moment: reading it anew costs as much as the search.
 * @module
 */
import type { CollectionScope, Credit } from '../store.ts'

/** What all items of a collection are like together. */
export interface Corpus {
  readonly items: number
  /** Mean length of an item in terms. */
  readonly averageLength: number
  readonly credit: Credit
}

/** It is used again for so long, in milliseconds; this isolate's own writes end it at once. */
const FRESH_MS = 10_000
/** Of a smaller collection everything is read each time: it costs little, and each item counts. */
const MIN_ITEMS = 2_000
const MAX_ENTRIES = 1_000

interface Entry {
  readonly corpus: Corpus
  /** Milliseconds since 1970. */
  readonly at: number
}

export class CorpusCache {
  readonly #entries = new Map<string, Entry>()
  /** Counts writes: what was read while one was under way is not kept. */
  #writes = 0

  /** How many writes there have been; goes to {@link keep} with what is read from now on. */
  get writes(): number {
    return this.#writes
  }

  get(scope: CollectionScope): Corpus | null {
    const entry = this.#entries.get(keyOf(scope))
    return entry && Date.now() - entry.at < FRESH_MS ? entry.corpus : null
  }

  /** @param writes as they were before it was read */
  keep(scope: CollectionScope, corpus: Corpus, writes: number): void {
    if (corpus.items < MIN_ITEMS || writes !== this.#writes) return
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear()
    this.#entries.set(keyOf(scope), { corpus, at: Date.now() })
  }

  /** Forgets a collection that is about to change, and again once it has. */
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
