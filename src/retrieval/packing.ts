/**
 * Chooses the passages that go into a prompt: best value first, within a budget, each once, shown in reading order. Pure.
 * @module
 */
import { type ContextId, type ContextSource, contextId, headingOf } from '../knowledge/collections.ts'
import type { Stretch } from '../knowledge/passages.ts'
import type { StoredItem } from '../knowledge/stores/store.ts'
import { longestPrefix, type TokenCounter } from '../text/token-counter.ts'
import { type PackableItem, type ValuedPassage, type ValueRequest, valuePassages } from './passage-value.ts'

export type { PackableItem } from './passage-value.ts'

/** A passage must reach this share of the best one's value. */
const MIN_SHARE = 0.33
/** Up to this budget the share holds in full, in tokens; who asks for more gets to see more. */
const AMPLE_BUDGET = 2000
/** Two passages whose sets of terms overlap more than this are the same; a lower bar was measured to drop evidence. */
const SAME_JACCARD = 0.9
/** Smaller passages are not compared, in tokens: closing brackets are alike everywhere. */
const COMPARED_TOKENS = 12
/** A trimmed passage is only worth showing from this length on, in tokens. */
const MIN_TRIM_LENGTH = 8
/** Tokens of the delimiters around an item's excerpts, and of a gap between two of them. */
const DELIMITERS = 16
const GAP = 3
/** Longest title and path shown above an item's excerpts, in characters. */
const MAX_TITLE_LENGTH = 64
const MAX_PATH_LENGTH = 200
/** Stands for a number that isn't given yet when tokens are reckoned; no shorter one costs more. */
const WIDEST_NUMBER = 9999

/** What an earlier turn of the conversation showed of an item, while the item is unchanged. */
export interface KnownItem {
  /** The number under which the model knows it. */
  readonly number: number
  readonly stretches: readonly Stretch[]
}

export interface PackingRequest extends ValueRequest {
  /** Tokens at most for headings and excerpts together. */
  readonly budget: number
  readonly countTokens: TokenCounter
  /** 0 to 1, of the best value; 0 takes whatever fits. Left out: see `leastShare`. */
  readonly leastShare?: number
  readonly known?: ReadonlyMap<ContextId, KnownItem>
}

export interface PackedItem {
  readonly item: StoredItem
  readonly probability: number
  /** Chosen stretches of the body, in order; neighbours are joined. */
  readonly excerpts: readonly Stretch[]
  /** Whether the whole body is shown. */
  readonly whole: boolean
  /** The number of an earlier turn, when this adds to what was shown then. */
  readonly knownAs: number | null
  /** Tokens of what is shown, with its heading line. */
  readonly tokens: number
  /** Tokens of the whole item. */
  readonly tokensWhole: number
}

/** An item whose useful passages the model has seen. */
export interface RecalledItem {
  readonly item: StoredItem
  readonly probability: number
  readonly number: number
  /** Tokens of the passages that are not sent again. */
  readonly tokensSpared: number
}

export interface Packing {
  /** Items with at least one chosen passage, in the order given. */
  readonly packed: PackedItem[]
  /** Items of which useful passages were shown before, in the order given; some are in `packed` too. */
  readonly recalled: RecalledItem[]
  /** Whether anything useful was left out for want of room. */
  readonly cut: boolean
}

/**
 * Packs the most useful passages of the items into the budget. Passages that reach `leastShare` of the best one's value are
 * taken by falling value until the budget is spent; one that doesn't fit is skipped, the first of an item trimmed.
 */
export function packPassages(request: PackingRequest): Packing {
  const { items, known } = request
  const valued = valuePassages(request)
  const best = valued.reduce((most, { value }) => Math.max(most, value), 0)
  const least = (request.leastShare ?? leastShare(request.budget)) * best
  const useful = valued
    .filter(({ value }) => value >= least && value > 0)
    .sort((a, b) => b.value - a.value || a.entry - b.entry || a.index - b.index)
  const spared = new Map<number, number>()
  const shown: ValuedPassage[] = []
  const fresh = useful.filter((passage) => {
    const item = items[passage.entry]?.item
    if (!item) return false
    const before = known?.get(contextId(item.collection, item.id))
    if (!before?.stretches.some(({ start, end }) => start <= passage.start && passage.end <= end)) return true
    spared.set(passage.entry, (spared.get(passage.entry) ?? 0) + passage.tokens)
    shown.push(passage)
    return false
  })
  const { chosen, cut } = fill(request, fresh, shown)
  const entries = items.map((source, entry) => ({ source, entry, before: known?.get(idOf(source.item)) ?? null }))
  return {
    packed: entries.flatMap(({ source, entry, before }) => {
      const own = chosen.get(entry)
      return own ? [packedItem(source, own, before?.number ?? null)] : []
    }),
    recalled: entries.flatMap(({ source: { item, probability }, entry, before }) => {
      const tokensSpared = spared.get(entry)
      return before && tokensSpared !== undefined ? [{ item, probability, number: before.number, tokensSpared }] : []
    }),
    cut,
  }
}

/**
 * The share of the best passage's value that a passage must reach: a third for budgets up to 2,000 tokens, then less in proportion, as
 * who asks for more wants to miss less. An adaptive bar was measured to hold the same evidence in fewer tokens than filling the budget.
 */
export function leastShare(budget: number): number {
  return MIN_SHARE * Math.min(1, AMPLE_BUDGET / Math.max(1, budget))
}

interface Choice {
  /** Tokens of heading line and delimiters. */
  readonly heading: number
  readonly passages: { start: number; end: number; tokens: number }[]
}

/** Takes passages in the given order while they fit. */
function fill(
  { items, budget, countTokens }: PackingRequest,
  wanted: readonly ValuedPassage[],
  shown: readonly ValuedPassage[],
): { chosen: Map<number, Choice>; cut: boolean } {
  const chosen = new Map<number, Choice>()
  const opened = new Set<ContextSource>()
  const taken = [...shown]
  let left = budget
  let cut = false
  for (const passage of wanted) {
    const item = items[passage.entry]?.item
    if (!item || taken.some((other) => alike(other, passage))) continue
    const own = chosen.get(passage.entry)
    const line = own ? GAP : countTokens(sourceLine(item, WIDEST_NUMBER, [passage])) + DELIMITERS
    const section = own || opened.has(item.collection) ? 0 : sectionTokens(opened, item.collection, countTokens)
    const room = left - line - section
    const fitted = passage.tokens <= room ? passage : own ? null : trimPassage(item.body, passage, room, countTokens)
    if (fitted !== passage) cut = true
    if (!fitted) continue
    left = room - fitted.tokens
    opened.add(item.collection)
    taken.push(passage)
    const { start, end, tokens } = fitted
    if (own) own.passages.push({ start, end, tokens: tokens + GAP })
    else chosen.set(passage.entry, { heading: line + section, passages: [{ start, end, tokens }] })
  }
  return { chosen, cut }
}

/** Tokens of the headings that another collection brings. A single collection has none. */
function sectionTokens(opened: ReadonlySet<ContextSource>, next: ContextSource, countTokens: TokenCounter): number {
  const shown = opened.size === 0 ? [] : opened.size === 1 ? [...opened, next] : [next]
  return shown.reduce((sum, collection) => sum + countTokens(headingOf(collection)) + 4, 0)
}

/** Whether two passages say the same: Jaccard similarity of their terms (Broder 1997). */
function alike(a: ValuedPassage, b: ValuedPassage): boolean {
  const [small, large] = a.terms.size <= b.terms.size ? [a.terms, b.terms] : [b.terms, a.terms]
  if (Math.min(a.tokens, b.tokens) < COMPARED_TOKENS || small.size <= SAME_JACCARD * large.size) return false
  let common = 0
  for (const term of small) if (large.has(term)) common++
  return common > SAME_JACCARD * (small.size + large.size - common)
}

/** The line above an item's excerpts: its number, and where it comes from, so that an answer can cite it. */
export function sourceLine(item: StoredItem, number: number, excerpts: readonly Stretch[]): string {
  return `[${number}] ${sourceOf(item, excerpts)}`
}

/** What an agent can act on: path, lines and symbol of code; of other items the title. */
export function sourceOf(item: StoredItem, excerpts: readonly Stretch[] = []): string {
  const { file_path: path, symbols } = item.fields
  if (typeof path !== 'string') return oneLine(item.title.trim() === '' ? item.key : item.title, MAX_TITLE_LENGTH)
  const lines = shownLines(item, excerpts)
  const shown = oneLine(path, MAX_PATH_LENGTH)
  if (lines === null) return shown
  const symbol =
    Array.isArray(symbols) && typeof symbols[0] === 'string' ? ` ${oneLine(symbols[0], MAX_TITLE_LENGTH)}` : ''
  return `${shown}:${lines.start}${lines.end > lines.start ? `-${lines.end}` : ''}${symbol}`
}

/** First and last line of what is shown of an item, from 1; of the whole item without excerpts. Null: it says no lines. */
export function shownLines(
  { fields, body }: StoredItem,
  excerpts: readonly Stretch[],
): { start: number; end: number } | null {
  const { start_line: start, end_line: end } = fields
  if (typeof start !== 'number') return null
  // A piece of a file may begin with lines that name what encloses it: they stand before its first line.
  const lines = body.trimEnd().split('\n').length
  const enclosing = typeof end === 'number' ? Math.max(0, lines - (end - start + 1)) : 0
  const lineAt = (offset: number) => start + Math.max(0, body.slice(0, offset).split('\n').length - 1 - enclosing)
  const [first, last] = [excerpts[0], excerpts.at(-1)]
  if (!first || !last) return { start, end: typeof end === 'number' ? end : lineAt(body.trimEnd().length) }
  const blank = /^\n*/.exec(body.slice(first.start))?.[0].length ?? 0
  const shown = body.slice(0, last.end).trimEnd().length
  const from = lineAt(first.start + blank)
  return { start: from, end: Math.max(from, lineAt(shown)) }
}

/** The first line, cut at a word. */
function oneLine(text: string, longest: number): string {
  const line = text.trim().split(/[\n\r\v\f\u0085\u2028\u2029]/)[0] ?? ''
  if (line.length <= longest) return line
  const space = line.lastIndexOf(' ', longest)
  return `${line.slice(0, space > longest / 2 ? space : longest - 1).toWellFormed()}…`
}

function idOf(item: StoredItem): ContextId {
  return contextId(item.collection, item.id)
}

function packedItem(source: PackableItem, { heading, passages }: Choice, knownAs: number | null): PackedItem {
  const excerpts: { start: number; end: number }[] = []
  for (const { start, end } of [...passages].sort((a, b) => a.start - b.start)) {
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
    knownAs,
    tokens: heading + passages.reduce((sum, { tokens }) => sum + tokens, 0),
    tokensWhole: tokensOfWhole(source.item),
  }
}

/** Tokens of an item's whole body. */
export function tokensOfWhole(item: StoredItem): number {
  return item.passages.reduce((sum, { tokens }) => sum + tokens, 0)
}

/** The longest beginning of a passage that fits, cut at white space; null when too little would be left. */
function trimPassage<T extends Stretch & { readonly tokens: number }>(
  body: string,
  passage: T,
  room: number,
  countTokens: TokenCounter,
): T | null {
  if (room < MIN_TRIM_LENGTH) return null
  const text = body.slice(passage.start, passage.end)
  const end = longestPrefix(text, room, countTokens)
  const tokens = countTokens(text.slice(0, end))
  return tokens >= MIN_TRIM_LENGTH && tokens <= room ? { ...passage, end: passage.start + end, tokens } : null
}
