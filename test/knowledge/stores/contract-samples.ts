/**
 * Items for the contract of the knowledge stores, with vectors that need no model: texts with common words have similar
 * vectors.
 */
import type { Embedder, EmbeddingSpace } from '../../../src/inference/embedding/embedder.ts'
import type { CollectionName } from '../../../src/knowledge/collections.ts'
import { prepareItems } from '../../../src/knowledge/prepare.ts'
import type { Provenance } from '../../../src/knowledge/provenance.ts'
import type {
  Candidate,
  CollectionScope,
  FieldFilter,
  KnowledgeStore,
  PreparedDocument,
  PreparedItem,
  SearchResponse,
} from '../../../src/knowledge/stores/store.ts'
import { words } from '../../../src/text/words.ts'

export const SPACE: EmbeddingSpace = { name: 'contract-48', dimensions: 48 }
export const OTHER_SPACE: EmbeddingSpace = { name: 'contract-other-32', dimensions: 32 }
/** Another model of the same size, which differs only in its name. */
export const SAME_SIZE_SPACE: EmbeddingSpace = { name: 'contract-other-48', dimensions: 48 }

/** Unit vector of a text: the sum of a pseudo-random direction for each word; null for a text without words. */
export function vectorOf(text: string, { name, dimensions }: EmbeddingSpace): Float32Array | null {
  const vector = new Float32Array(dimensions)
  for (const word of words(text)) {
    let state = 2166136261
    for (const character of `${name} ${word}`) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16777619)
    for (let i = 0; i < dimensions; i++) {
      state = Math.imul(state ^ (state >>> 15), 2246822519) + i
      vector[i] = (vector[i] ?? 0) + (state >>> 8) / 2 ** 23 - 1
    }
  }
  const norm = Math.hypot(...vector)
  return norm > 0 ? vector.map((value) => value / norm) : null
}

/** An embedder of {@link vectorOf}. */
export function sampleEmbedder(space: EmbeddingSpace): Embedder {
  return { space, embed: async (texts) => texts.map((text) => ({ vector: vectorOf(text, space), coverage: 1 })) }
}

/** A made-up word without digits, unique for each number below 400. */
export function madeUpWord(number: number): string {
  const consonants = 'bcdfghjklmnpqrtvwxyz'
  return `zo${consonants.charAt(number % 20)}o${consonants.charAt(Math.floor(number / 20))}ox`
}

let projects = 0
/** A project that no other case uses. */
export function freshProject(): string {
  return `contract-${Date.now().toString(36)}-${projects++}`
}

/** One collection of a store, with shorthands for the test cases. */
export class Bench {
  readonly store: KnowledgeStore
  readonly scope: CollectionScope
  readonly space: EmbeddingSpace

  constructor(store: KnowledgeStore, options: Partial<CollectionScope> & { space?: EmbeddingSpace } = {}) {
    this.store = store
    this.scope = { project: options.project ?? freshProject(), collection: options.collection ?? 'best-practices' }
    this.space = options.space ?? SPACE
  }

  /** The same collection with another embedding model. */
  in(space: EmbeddingSpace): Bench {
    return new Bench(this.store, { ...this.scope, space })
  }

  async items(
    inputs: Readonly<Record<string, Readonly<Record<string, unknown>> | string>>,
    document?: { source: string; path: string },
    provenance: Provenance = document ? 'imported' : 'human',
  ): Promise<PreparedItem[]> {
    const list = Object.entries(inputs).map(([key, fields]) => ({
      key,
      fields: typeof fields === 'string' ? bodyOnly(this.scope.collection, fields) : fields,
      provenance,
    }))
    return prepareItems(this.scope.project, this.scope.collection, list, sampleEmbedder(this.space), document)
  }

  async put(inputs: Readonly<Record<string, Readonly<Record<string, unknown>> | string>>): Promise<PreparedItem[]> {
    const items = await this.items(inputs)
    await this.store.upsert(this.scope, items, this.space)
    return items
  }

  async document(
    source: string,
    path: string,
    hash: string,
    inputs: Record<string, string>,
  ): Promise<PreparedDocument> {
    return { path, hash, items: await this.items(inputs, { source, path }) }
  }

  async search(
    text: string,
    options: {
      semantic?: boolean
      keyword?: boolean
      filter?: FieldFilter
      limit?: number
      depth?: number
      lists?: boolean
    } = {},
  ): Promise<SearchResponse> {
    const { semantic = true, keyword = true, limit = 10, depth = 50, filter, lists } = options
    const vector = semantic ? vectorOf(text, this.space) : null
    return this.store.search(this.scope, { text, vector, space: this.space, keyword, depth, limit, filter, lists })
  }

  /** Keys found by keyword, best first. */
  async byKeyword(text: string, options: { filter?: FieldFilter; limit?: number } = {}): Promise<string[]> {
    const { candidates } = await this.search(text, { ...options, semantic: false })
    return keysBy(candidates, scoreOf)
  }

  /** Keys found by vector, best first. */
  async byVector(text: string, options: { filter?: FieldFilter; limit?: number } = {}): Promise<string[]> {
    const { candidates } = await this.search(text, { ...options, keyword: false })
    return keysBy(candidates, ({ cosine }) => cosine)
  }

  async allKeys(): Promise<string[]> {
    const keys: string[] = []
    let cursor: string | undefined
    do {
      const page = await this.store.list(this.scope, { cursor, limit: 100 })
      keys.push(...page.entries.map(({ key }) => key))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    return keys.sort()
  }
}

/** The keyword score of a candidate; null if it has none of the terms or no keyword search was requested. */
export function scoreOf({ keyword }: Candidate): number | null {
  return keyword && keyword.score > 0 ? keyword.score : null
}

function bodyOnly(collection: CollectionName, text: string): Record<string, unknown> {
  return collection === 'codebase-context' ? { code_snippet: text } : { description: text }
}

function keysBy(candidates: readonly Candidate[], worth: (candidate: Candidate) => number | null): string[] {
  return candidates
    .filter((candidate) => worth(candidate) !== null)
    .sort((a, b) => (worth(b) ?? 0) - (worth(a) ?? 0))
    .map(({ item }) => item.key)
}
