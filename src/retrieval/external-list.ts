/**
 * Adds a ranked list from an external service. Results that also exist in a collection raise the rank of the stored
 * item. The other results are ranked as a small collection, by the same evidence as stored items. The service's scores
 * have their own scale, so only the order of its list counts.
 * @module
 */

import { itemId } from '../ids.ts'
import type { ExternalList, ExternalResult } from '../inference/embedding/aidb.ts'
import type { Embedder, Embedding } from '../inference/embedding/embedder.ts'
import { EXTERNAL } from '../knowledge/collections.ts'
import { splitPassages } from '../knowledge/passages.ts'
import type { StoredItem } from '../knowledge/stores/store.ts'
import { type ExternalPlace, type FusedSearch, fuse } from '../ranking/fusion.ts'
import { redact } from '../security/redact.ts'
import { documentColumns, queryTerms } from '../text/index-terms.ts'
import { keywordEvidence, planKeywordSearch } from '../text/keyword-plan.ts'
import { jaccard, NEAR_DUPLICATE, shingles } from '../text/shingles.ts'
import { documentLength, hashTerm, TermListReader, termList } from '../text/term-list.ts'
import { tokenCounter } from '../text/token-counter.ts'

/** Number of results to request. */
const DEPTH = 10
/** How long to wait for the vectors of the results, in milliseconds. */
const EMBEDDING_MS = 2_000
/** Maximum characters of the title, taken from a result's first line. */
const MAX_TITLE_LENGTH = 120

interface Listed extends ExternalResult, ExternalPlace {}

/** The results of an external list for one query. */
export interface ExternalFindings {
  /** Ranks of stored items that the list also contains. */
  readonly places: ReadonlyMap<StoredItem, ExternalPlace>
  /** Results that only the external list contains. */
  readonly own: FusedSearch<StoredItem> | null
}

export const NOTHING_EXTERNAL: ExternalFindings = { places: new Map(), own: null }

/**
 * Queries the list. Returns null when it doesn't answer in time, and adds its name to `degraded`. Its results have not
 * been redacted yet, so credentials are removed here.
 */
export async function askExternalList(
  external: ExternalList,
  project: string,
  query: string,
  degraded: Set<string>,
): Promise<ExternalResult[] | null> {
  try {
    const results = await external.search(project, query, DEPTH)
    return results.map(({ content, score }) => ({ content: redact(content.replaceAll('\0', ' ')), score }))
  } catch {
    degraded.add(external.name)
    return null
  }
}

/**
 * Ranks the results of an external list together with the items found in collections.
 * @param embedding the query's embedding; null: only words are compared
 */
export async function rankExternal(
  request: {
    readonly project: string
    readonly query: string
    readonly embedding: Embedding | null
    readonly embedder: Embedder
  },
  results: readonly ExternalResult[],
  found: readonly StoredItem[],
): Promise<ExternalFindings> {
  const places = new Map<StoredItem, ExternalPlace>()
  const unknown: Listed[] = []
  const known = found.map((item) => ({ item, words: shingles(item.body), text: plain(item.body) }))
  results.forEach(({ content, score }, i) => {
    const place = { rank: i + 1, score }
    const words = shingles(content)
    const text = plain(content)
    const same = known.filter((stored) => stored.text === text || jaccard(stored.words, words) >= NEAR_DUPLICATE)
    for (const { item } of same) if (!places.has(item)) places.set(item, place)
    if (same.length === 0) unknown.push({ content, ...place })
  })
  return { places, own: unknown.length > 0 ? await fuseOwn(request, unknown) : null }
}

/** Ranks results that are in no collection: they are searched as a collection of their own. */
async function fuseOwn(
  request: Parameters<typeof rankExternal>[0],
  listed: readonly Listed[],
): Promise<FusedSearch<StoredItem>> {
  const { project, query, embedding, embedder } = request
  const [cosines, countTokens] = await Promise.all([cosinesOf(embedding, embedder, listed), tokenCounter()])
  const lists = listed.map(({ content }) => termList(documentColumns({ body: content })))
  const terms = queryTerms(query)
  const readers = lists.map((list) => new TermListReader(list))
  const frequencyOf = (term: string) => readers.filter((reader) => reader.frequency(hashTerm(term)) > 0).length
  const averageLength = lists.reduce((sum, list) => sum + documentLength(list), 0) / Math.max(1, lists.length)
  const plan = planKeywordSearch(terms, {
    items: listed.length,
    averageLength,
    documentFrequencies: new Map(terms.map(({ term }) => [term, frequencyOf(term)])),
  })
  const candidates = listed.map(({ content, rank, score }, i) => {
    const keyword = keywordEvidence(plan, lists[i] ?? new Uint8Array(0))
    return {
      item: externalItem(project, content, splitPassages(content, countTokens)),
      keyword: keyword.score > 0 ? keyword : null,
      cosine: cosines?.[i] ?? null,
      external: { rank, score },
    }
  })
  return fuse(candidates, {
    attainable: plan.attainable,
    terms: plan.terms.length,
    compounds: plan.terms.filter(({ kind }) => kind === 'compound').length,
    embeddingCoverage: cosines ? (embedding?.coverage ?? 0) : 0,
    items: listed.length,
    averageLength,
  })
}

/**
 * Cosines to the query, from the coordinator's own embedder, so that they are comparable with stored items. Null: not
 * computed in time.
 */
async function cosinesOf(
  embedding: Embedding | null,
  embedder: Embedder,
  listed: readonly Listed[],
): Promise<(number | null)[] | null> {
  const query = embedding?.vector
  if (!query) return null
  const late = new Promise<null>((resolve) => {
    setTimeout(() => resolve(null), EMBEDDING_MS)
  })
  const asked = embedder
    .embed(
      listed.map(({ content }) => content),
      'document',
    )
    .catch(() => null)
  const embedded = await Promise.race([asked, late])
  if (!embedded) return null
  return embedded.map(({ vector }) => vector && dot(vector, query))
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

function externalItem(project: string, content: string, passages: StoredItem['passages']): StoredItem {
  const [first = ''] = content.trim().split('\n')
  return {
    // The same text always gets the same item id.
    id: itemId(project, EXTERNAL, content),
    collection: EXTERNAL,
    key: first.slice(0, MAX_TITLE_LENGTH).toWellFormed(),
    fields: { content },
    provenance: 'imported',
    title: '',
    body: content,
    passages,
    source: EXTERNAL,
    path: null,
    // The time is unknown. It is constant, so that an unchanged text is not sent twice in a conversation.
    createdAt: 0,
    updatedAt: 0,
    credit: { successes: 0, partials: 0, failures: 0 },
  }
}

/** A text with its whitespace normalised. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim().toLowerCase()
}
