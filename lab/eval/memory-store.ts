/**
 * A collection in memory that is searched like the embedded store, with the product's own index, candidates and
 * features. For evaluations of ranking only: a run takes seconds instead of an hour of requests. Vectors come from the
 * word table or from the sentence embedder, with document vectors from the lab's cache.
 * @module
 */
import { cosine } from '../../src/inference/embedding/embedder.ts'
import type { CollectionName } from '../../src/knowledge/collections.ts'
import { splitPassages } from '../../src/knowledge/passages.ts'
import { indexedText } from '../../src/knowledge/prepare.ts'
import { preselect } from '../../src/knowledge/stores/preselect.ts'
import type {
  CosineScale,
  KnowledgeStore,
  SearchRequest,
  SearchResponse,
  StoredItem,
} from '../../src/knowledge/stores/store.ts'
import { TermIndex } from '../../src/knowledge/stores/term-index.ts'
import { embeddedText } from '../../src/knowledge/stores/turn-context.ts'
import { UNRELATED_QUESTIONS } from '../../src/knowledge/unrelated-questions.ts'
import type { SearchServices } from '../../src/retrieval/search.ts'
import { collectionTerms, documentColumns } from '../../src/text/index-terms.ts'
import { planKeywordSearch } from '../../src/text/keyword-plan.ts'
import { hashTerm, termList } from '../../src/text/term-list.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'
import { type EncoderName, openEncoder } from '../training/code-ranking/encoders.ts'

/** Number of vectors for measuring the scale of cosines, as in the product. */
const SCALE_SAMPLE = 1_000
const NO_CREDIT = { successes: 0, partials: 0, failures: 0 }

/** A searchable item. */
export interface MemoryItem {
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
  /** Path of its document; null: none. */
  readonly path: string | null
}

/** The services for a search in memory. */
export type MemoryServices = SearchServices & {
  /** All items, in the order given. */
  readonly items: readonly StoredItem[]
  search(request: SearchRequest): SearchResponse
  /** Ends the threads of the sentence embedder. */
  close(): Promise<void>
}

/** Opens one collection. `words` is the word table, `sentences` the sentence embedder. */
export async function openMemory(
  collection: CollectionName,
  given: readonly MemoryItem[],
  encoderName: EncoderName = 'words',
): Promise<MemoryServices> {
  const encoder = await openEncoder(encoderName)
  const countTokens = await tokenCounter()
  const items = given.map(({ key, fields, path }, i): StoredItem => {
    const { title, body } = indexedText(collection, fields)
    return {
      id: `item-${i}`,
      collection,
      key,
      fields: { ...fields },
      provenance: 'imported' as never,
      title,
      body,
      passages: splitPassages(body, countTokens),
      source: path === null ? null : 'source',
      path,
      createdAt: 0,
      updatedAt: 0,
      credit: NO_CREDIT,
    }
  })
  const lists = items.map(({ title, body }) => termList(documentColumns({ title, body })))
  const index = TermIndex.build(lists.map((list, row) => ({ row, list })))
  const vectors = await encoder.documents(items.map(embeddedText))
  const scale = scaleOf(vectors, await encoder.unrelated(UNRELATED_QUESTIONS))
  const search = (request: SearchRequest): SearchResponse => {
    const { text, vector, depth, limit } = request
    const frequencyOf = (term: string) => index.documentFrequency(hashTerm(term))
    const asked = collectionTerms(text, frequencyOf)
    const plan = planKeywordSearch(asked, {
      items: index.items,
      averageLength: index.averageLength,
      documentFrequencies: new Map(asked.map(({ term }) => [term, frequencyOf(term)])),
    })
    const near = vectors.map((own) => (own && vector ? cosine(own, vector) : null))
    const nearest = [...near.keys()]
      .filter((row) => near[row] !== null)
      .sort((a, b) => (near[b] ?? 0) - (near[a] ?? 0) || a - b)
      .slice(0, depth)
    const rows = [...new Set([...index.search(plan, depth), ...nearest])]
    const evidence = index.evidence(plan, rows)
    const all = rows.map((row, i) => ({ row, keyword: evidence[i] ?? null, cosine: near[row] ?? null }))
    const candidates = preselect(all, limit, (a, b) => a.row - b.row).flatMap(({ row, keyword, cosine: own }) => {
      const item = items[row]
      const list = lists[row]
      return item && list ? [{ item, keyword, cosine: own, list }] : []
    })
    return {
      candidates,
      items: items.length,
      terms: plan.terms.filter(({ kind }) => kind !== 'phrase'),
      totalIdf: plan.totalIdf,
      attainable: plan.attainable,
      averageLength: plan.averageLength,
      credit: NO_CREDIT,
      degraded: [],
      scale,
    }
  }
  const knowledge = { search: async (_: unknown, request: SearchRequest) => search(request) }
  return {
    items,
    search,
    embedder: {
      space: encoder.space,
      embed: (texts) => Promise.all(texts.map((text) => encoder.question(text))),
    },
    close: () => encoder.close(),
    knowledge: knowledge as unknown as KnowledgeStore,
    settings: {},
    now: () => 0,
  }
}

function scaleOf(vectors: readonly (Float32Array | null)[], unrelated: readonly (Float32Array | null)[]): CosineScale {
  const step = Math.max(1, Math.floor(vectors.length / SCALE_SAMPLE))
  const cosines = vectors
    .filter((vector, i) => vector && i % step === 0)
    .flatMap((vector) => unrelated.flatMap((other) => (vector && other ? [cosine(vector, other)] : [])))
  const level = cosines.reduce((sum, value) => sum + value, 0) / Math.max(1, cosines.length)
  const variance = cosines.reduce((sum, value) => sum + (value - level) ** 2, 0) / Math.max(1, cosines.length)
  return { level, spread: Math.sqrt(variance) }
}
