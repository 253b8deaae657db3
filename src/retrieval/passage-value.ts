/**
 * Computes the value of each passage of the found items for a query. Pure.
 * @module
 */
import type { StoredItem } from '../knowledge/stores/store.ts'

/** Saturation of repeated terms, BM25's k1. */
const TERM_SATURATION = 1.2
/** How strongly a passage's length counts against it, BM25's b. */
const LENGTH_PENALTY = 0.75
/** Share of a neighbour's value that a passage inherits: the text next to an answer often completes it. */
const NEIGHBOUR_SHARE = 0.25
/** Base value of any passage in a relevant item. */
const MEMBERSHIP = 0.3
/**
 * Exponent of the item's probability. Below 1, because ranking probabilities fall faster than the usefulness of items.
 */
const PROBABILITY_EXPONENT = 2 / 3
/** Minimum weight of a term that occurs only in the item's title. It grows to 1 with the passage's own relevance. */
const TITLE_SHARE = 0.3
/**
 * If an item's probability is this close to the best item's, its best passage stays eligible even without a word of the
 * query.
 */
const CLOSE_TO_BEST = 0.9

/** A relevant item, in order of relevance. */
export interface PackableItem {
  readonly item: StoredItem
  /** Calibrated probability of relevance, 0 to 1. */
  readonly probability: number
}

export interface ValueRequest {
  readonly items: readonly PackableItem[]
  /** Information content of each query term (inverse document frequency), keyed by the terms that `termsOf` returns. */
  readonly termWeights: ReadonlyMap<string, number>
  /** The index terms of a text. */
  readonly termsOf: (text: string) => readonly string[]
}

/** A passage with its value. */
export interface ValuedPassage {
  /** Index of its item in the request, and of the passage in its item. */
  readonly entry: number
  readonly index: number
  readonly start: number
  readonly end: number
  readonly tokens: number
  readonly value: number
  /** Its distinct index terms. */
  readonly terms: ReadonlySet<string>
}

/**
 * Values every passage: probability of its item ^ ⅔ × (membership + the share of the query's information in the passage
 * + a share of its neighbours'). The share is BM25 (Robertson and Zaragoza 2009, section 3.4) over passages, so it is
 * already normalised by length: a long passage must contain more to have the same value. Terms that occur only in the
 * item's title count in proportion to the passage's own relevance relative to the item's best passage; if no passage
 * has any, they count for the first one. Constants were chosen by evidence coverage on one half of SciFact, among those
 * that are stable when its queries are resampled.
 */
export function valuePassages(request: ValueRequest): ValuedPassage[] {
  const { items, termWeights } = request
  const lengths = items.flatMap(({ item }) => item.passages.map(({ tokens }) => tokens))
  const meanLength = Math.max(1, lengths.reduce((sum, tokens) => sum + tokens, 0) / Math.max(1, lengths.length))
  const information = Math.max(
    1e-9,
    [...termWeights.values()].reduce((sum, weight) => sum + weight, 0),
  )
  const valued = items.flatMap(({ item, probability }, entry) => {
    const inTitle = new Set(request.termsOf(item.title))
    const passages = item.passages.map(({ start, end, tokens }) => {
      const terms = new Set<string>()
      const counts = new Map<string, number>()
      for (const term of request.termsOf(item.body.slice(start, end))) {
        terms.add(term)
        if (termWeights.has(term)) counts.set(term, (counts.get(term) ?? 0) + 1)
      }
      const length = 1 - LENGTH_PENALTY + (LENGTH_PENALTY * tokens) / meanLength
      let own = 0
      let inherited = 0
      for (const [term, weight] of termWeights) {
        const count = counts.get(term) ?? 0
        if (count > 0) own += (weight * count * (TERM_SATURATION + 1)) / (count + TERM_SATURATION * length)
        else if (inTitle.has(term)) inherited += weight
      }
      return {
        start,
        end,
        tokens,
        own: own / information,
        inherited: inherited / information,
        terms,
      }
    })
    const most = passages.reduce((best, { own }) => Math.max(best, own), 0)
    const held = passages.map(({ own, inherited }, index) => {
      const bearing = most > 0 ? own / most : index === 0 ? 1 : 0
      return own + (TITLE_SHARE + (1 - TITLE_SHARE) * bearing) * inherited
    })
    return passages.map(({ start, end, tokens, terms }, index): ValuedPassage => {
      const beside = Math.max(held[index - 1] ?? 0, held[index + 1] ?? 0)
      const value = probability ** PROBABILITY_EXPONENT * (MEMBERSHIP + (held[index] ?? 0) + NEIGHBOUR_SHARE * beside)
      return { entry, index, start, end, tokens, value, terms }
    })
  })
  return liftCloseItems(items, valued)
}

/** If a question shares no words with its answer, the item's probability decides. */
function liftCloseItems(items: readonly PackableItem[], valued: readonly ValuedPassage[]): ValuedPassage[] {
  const top = Math.max(0, ...items.map(({ probability }) => probability))
  if (top === 0) return [...valued]
  const most = valued.reduce((best, { value }) => Math.max(best, value), 0)
  const bestOf = new Map<number, ValuedPassage>()
  for (const passage of valued) {
    if (passage.value > (bestOf.get(passage.entry)?.value ?? 0)) bestOf.set(passage.entry, passage)
  }
  return valued.map((passage) => {
    const share = (items[passage.entry]?.probability ?? 0) / top
    if (share < CLOSE_TO_BEST || bestOf.get(passage.entry) !== passage) return passage
    return { ...passage, value: Math.max(passage.value, most * share) }
  })
}
