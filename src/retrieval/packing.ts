/**
 * Chooses the passages that go into a prompt: best value per token first, within a budget, shown in reading order. Pure.
 * @module
 */
import { COLLECTIONS, type CollectionName, contextId } from '../knowledge/collections.ts'
import type { Passage, StoredItem } from '../knowledge/stores/store.ts'
import type { TokenCounter } from '../text/token-counter.ts'

/** A passage must reach this share of the best one's value. */
const LEAST_SHARE = 0.35
/** Share of a neighbour's value that a passage inherits: what stands beside an answer often completes it. */
const NEIGHBOUR_SHARE = 0.25
/** Saturation of repeated terms within a passage, as k1 of BM25. */
const TERM_SATURATION = 1.2
/** A trimmed passage is only worth showing from this length on, in tokens. */
const SHORTEST_TRIM = 16

/** A relevant item, in order of relevance. */
export interface PackableItem {
  readonly item: StoredItem
  /** Calibrated probability of relevance, 0 to 1. */
  readonly probability: number
}

export interface PackingRequest {
  readonly items: readonly PackableItem[]
  /** Information content of each query term (inverse document frequency), by the term as `termsOf` gives it. */
  readonly termWeights: ReadonlyMap<string, number>
  /** The index terms of a text. */
  readonly termsOf: (text: string) => readonly string[]
  /** Tokens of context at most, headings included. */
  readonly budget: number
  readonly countTokens: TokenCounter
}

export interface PackedItem {
  readonly item: StoredItem
  readonly probability: number
  /** Chosen stretches of the body, in order; neighbours are joined. */
  readonly excerpts: readonly { start: number; end: number }[]
  /** Whether the whole body is shown. */
  readonly whole: boolean
  /** Tokens of what is shown, with its heading line. */
  readonly tokens: number
  /** Tokens of the whole item. */
  readonly tokensWhole: number
}

interface Scored {
  readonly entry: number
  readonly index: number
  readonly passage: Passage
  readonly value: number
}

/**
 * Packs the most useful passages of the items into the budget.
 * @returns items with at least one chosen passage, in the order given; the sum of their tokens is within the budget
 */
export function packPassages(request: PackingRequest): PackedItem[] {
  const { items, budget, countTokens } = request
  const scored = items.flatMap(({ item, probability }, entry) => scorePassages(request, item, probability, entry))
  const best = scored.reduce((most, { value }) => Math.max(most, value), 0)
  const wanted = scored
    .filter(({ value }) => value >= LEAST_SHARE * best && value > 0)
    .sort((a, b) => density(b) - density(a) || a.entry - b.entry || a.index - b.index)
  const headings = new Map<number, number>()
  const opened = new Set<CollectionName>()
  const chosen = new Map<number, Map<number, Passage>>()
  let left = budget
  for (const { entry, index, passage } of wanted) {
    const item = items[entry]?.item
    if (!item) continue
    let overhead = 2
    if (!headings.has(entry)) {
      const line = countTokens(sourceLine(item, 99)) + 12
      const section = opened.has(item.collection) ? 0 : countTokens(COLLECTIONS[item.collection].heading) + 4
      headings.set(entry, line + section)
      overhead += line + section
    }
    const known = chosen.get(entry)
    let fitted = passage
    if (passage.tokens + overhead > left) {
      const trimmed = known ? null : trimPassage(item.body, passage, left - overhead, countTokens)
      if (!trimmed) {
        if (!known) headings.delete(entry)
        continue
      }
      fitted = trimmed
    }
    left -= fitted.tokens + overhead
    opened.add(item.collection)
    if (known) known.set(index, fitted)
    else chosen.set(entry, new Map([[index, fitted]]))
  }
  return [...chosen.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([entry, passages]) => {
      const source = items[entry]
      return source ? [packed(source, passages, headings.get(entry) ?? 0)] : []
    })
}

/** The line above an item's excerpts: where it comes from, so that an answer can cite it. */
export function sourceLine(item: StoredItem, number: number): string {
  const { fields } = item
  const start = fields.start_line
  const where =
    typeof fields.file_path === 'string'
      ? `${fields.file_path}${typeof start === 'number' ? `:${start}` : ''}`
      : (item.title.split('\n')[0] ?? item.key).slice(0, 120)
  return `[${number}] ${where} (${contextId(item.collection, item.id)})`
}

function packed(source: PackableItem, passages: ReadonlyMap<number, Passage>, heading: number): PackedItem {
  const ordered = [...passages.values()].sort((a, b) => a.start - b.start)
  const excerpts: { start: number; end: number }[] = []
  for (const { start, end } of ordered) {
    const last = excerpts.at(-1)
    if (last && last.end === start) last.end = end
    else excerpts.push({ start, end })
  }
  const [first] = excerpts
  return {
    item: source.item,
    probability: source.probability,
    excerpts,
    whole: excerpts.length === 1 && first?.start === 0 && first.end >= source.item.body.trimEnd().length,
    tokens: heading + ordered.reduce((sum, { tokens }) => sum + tokens + 2, 0),
    tokensWhole: source.item.passages.reduce((sum, { tokens }) => sum + tokens, 0),
  }
}

/**
 * Value of each passage of an item: the item's probability times (half for being part of it, half for the share of the
 * query's information that the passage holds), plus a share of its neighbours'.
 */
function scorePassages(request: PackingRequest, item: StoredItem, probability: number, entry: number): Scored[] {
  const total = [...request.termWeights.values()].reduce((sum, weight) => sum + weight, 0)
  const held = item.passages.map(({ start, end }) => {
    if (total === 0) return 0
    const counts = new Map<string, number>()
    for (const term of request.termsOf(item.body.slice(start, end))) {
      if (request.termWeights.has(term)) counts.set(term, (counts.get(term) ?? 0) + 1)
    }
    let sum = 0
    for (const [term, count] of counts) {
      sum += ((request.termWeights.get(term) ?? 0) * count * (TERM_SATURATION + 1)) / (count + TERM_SATURATION)
    }
    return sum / total
  })
  return item.passages.map((passage, index) => {
    const own = held[index] ?? 0
    const beside = Math.max(held[index - 1] ?? 0, held[index + 1] ?? 0)
    return { entry, index, passage, value: probability * (0.25 + own + NEIGHBOUR_SHARE * beside) }
  })
}

/** Value per token, softened so that a two-word passage doesn't win by being short. */
function density({ value, passage }: Scored): number {
  return value / Math.sqrt(passage.tokens + 20)
}

/** The longest beginning of a passage that fits, cut at white space; null when too little would be left. */
function trimPassage(body: string, passage: Passage, room: number, countTokens: TokenCounter): Passage | null {
  if (room < SHORTEST_TRIM) return null
  const text = body.slice(passage.start, passage.end)
  let low = 0
  let high = text.length
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (countTokens(text.slice(0, middle)) <= room) low = middle
    else high = middle - 1
  }
  const space = Math.max(text.lastIndexOf(' ', low), text.lastIndexOf('\n', low))
  const end = space > low / 2 ? space : low - (text.slice(0, low).isWellFormed() ? 0 : 1)
  const tokens = countTokens(text.slice(0, end))
  return tokens >= SHORTEST_TRIM && tokens <= room ? { start: passage.start, end: passage.start + end, tokens } : null
}
