/**
 * Chooses the passages of a prompt: best value first, within a budget, no duplicates, in reading order. Pure.
 * @module
 */
import { type ContextId, type ContextSource, contextId, headingOf } from '../knowledge/collections.ts'
import type { Stretch } from '../knowledge/passages.ts'
import type { StoredItem } from '../knowledge/stores/store.ts'
import { longestPrefix, type TokenCounter } from '../text/token-counter.ts'
import { type PackableItem, type ValuedPassage, type ValueRequest, valuePassages } from './passage-value.ts'

export type { PackableItem } from './passage-value.ts'

/** Minimum value of a passage, as a share of the best passage's value. */
const MIN_SHARE = 0.33
/** Budget up to which the full minimum share applies, in tokens. For larger budgets the share is lower. */
const AMPLE_BUDGET = 2000
/**
 * Two passages count as duplicates when the Jaccard similarity of their terms exceeds this. In measurements, a lower
 * threshold dropped evidence.
 */
const SAME_JACCARD = 0.9
/** Passages with fewer tokens are not compared: short ones such as closing brackets are alike everywhere. */
const COMPARED_TOKENS = 12
/** Minimum length of a trimmed passage, in tokens. */
const MIN_TRIM_LENGTH = 8
/** Tokens of the delimiters around an item's excerpts, and of a gap between two excerpts. */
const DELIMITERS = 16
const GAP = 3
/** Maximum length of the title and path above an item's excerpts, in characters. */
const MAX_TITLE_LENGTH = 64
const MAX_PATH_LENGTH = 200
/**
 * Placeholder for a number that is not assigned yet when tokens are counted. Any shorter number costs at most as many
 * tokens.
 */
const WIDEST_NUMBER = 9999

/** The parts of an item that an earlier turn of the conversation included, if the item is unchanged. */
export interface KnownItem {
  /** The item's number in the conversation. */
  readonly number: number
  readonly stretches: readonly Stretch[]
}

export interface PackingRequest extends ValueRequest {
  /** Maximum tokens for headings and excerpts together. */
  readonly budget: number
  readonly countTokens: TokenCounter
  /** Minimum share of the best value, 0 to 1. 0 accepts every passage that fits. Default: see `leastShare`. */
  readonly leastShare?: number
  readonly known?: ReadonlyMap<ContextId, KnownItem>
}

export interface PackedItem {
  readonly item: StoredItem
  readonly probability: number
  /** Chosen parts of the body, in order. Adjacent parts are joined. */
  readonly excerpts: readonly Stretch[]
  /** Whether the whole body is included. */
  readonly whole: boolean
  /** The item's number from an earlier turn, if this adds to what that turn included. */
  readonly knownAs: number | null
  /** Tokens of the included text, with its heading line. */
  readonly tokens: number
  /** Tokens of the excerpts and the gaps between them, without the heading line. */
  readonly tokensOfExcerpts: number
  /** Tokens of the whole item. */
  readonly tokensWhole: number
}

/** An item whose useful passages the model already has. */
export interface RecalledItem {
  readonly item: StoredItem
  readonly probability: number
  readonly number: number
  /** Tokens of the passages that were not sent again. */
  readonly tokensSpared: number
}

export interface Packing {
  /** Items with at least one chosen passage, in the order given. */
  readonly packed: PackedItem[]
  /** Items whose useful passages were sent earlier, in the order given. Some are also in `packed`. */
  readonly recalled: RecalledItem[]
  /** Whether anything useful was left out because of the budget. */
  readonly cut: boolean
}

/**
 * Packs the most useful passages of the items into the budget. Takes passages that reach `leastShare` of the best value
 * in decreasing order of value until the budget is used up. A passage that doesn't fit is skipped, or trimmed if it is
 * the first of its item.
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
 * The minimum share of the best passage's value: a third for budgets up to 2,000 tokens, then proportionally less,
 * because a larger budget asks for more complete context. In measurements, this threshold kept the same evidence in
 * fewer tokens than filling the budget.
 */
export function leastShare(budget: number): number {
  return MIN_SHARE * Math.min(1, AMPLE_BUDGET / Math.max(1, budget))
}

interface Choice {
  /** Tokens of the heading line and delimiters. */
  readonly heading: number
  readonly passages: { start: number; end: number; tokens: number }[]
}

/**
 * Packs passages in the given order. A passage that does not fit is trimmed, or skipped if it still does not fit.
 */
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

/** Tokens of the headings that another collection adds. A single collection has no headings. */
function sectionTokens(opened: ReadonlySet<ContextSource>, next: ContextSource, countTokens: TokenCounter): number {
  const shown = opened.size === 0 ? [] : opened.size === 1 ? [...opened, next] : [next]
  return shown.reduce((sum, collection) => sum + countTokens(headingOf(collection)) + 4, 0)
}

/** Whether two passages are duplicates: Jaccard similarity of their terms (Broder 1997). */
function alike(a: ValuedPassage, b: ValuedPassage): boolean {
  const [small, large] = a.terms.size <= b.terms.size ? [a.terms, b.terms] : [b.terms, a.terms]
  if (Math.min(a.tokens, b.tokens) < COMPARED_TOKENS || small.size <= SAME_JACCARD * large.size) return false
  let common = 0
  for (const term of small) if (large.has(term)) common++
  return common > SAME_JACCARD * (small.size + large.size - common)
}

/** The line above an item's excerpts: its number and its source, so that an answer can cite it. */
export function sourceLine(item: StoredItem, number: number, excerpts: readonly Stretch[]): string {
  return `[${number}] ${sourceOf(item, excerpts)}`
}

/** The source of an item: path, lines and symbol of code; the title of other items. */
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

/**
 * First and last line of an item's excerpts, from 1; of the whole item if there are no excerpts. Null: the item has no
 * line numbers.
 */
export function shownLines(
  { fields, body }: StoredItem,
  excerpts: readonly Stretch[],
): { start: number; end: number } | null {
  const { start_line: start, end_line: end } = fields
  if (typeof start !== 'number') return null
  // A piece of a file may begin with lines that name the enclosing scopes. They come before its first line.
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

/** The first line, truncated at a word boundary. */
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
  const tokens = passages.reduce((sum, passage) => sum + passage.tokens, 0)
  return {
    item: source.item,
    probability: source.probability,
    excerpts,
    whole: excerpts.length === 1 && first?.start === 0 && first.end >= source.item.body.trimEnd().length,
    knownAs,
    tokens: heading + tokens,
    tokensOfExcerpts: tokens - GAP * (passages.length - excerpts.length),
    tokensWhole: tokensOfWhole(source.item),
  }
}

/** Tokens of an item's whole body. */
export function tokensOfWhole(item: StoredItem): number {
  return item.passages.reduce((sum, { tokens }) => sum + tokens, 0)
}

/** The longest prefix of a passage that fits, ending at white space; null when too little would remain. */
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
