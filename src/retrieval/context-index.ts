/**
 * The compact form of search results: one line per item, so that an agent can choose what to read in full. Pure.
 * @module
 */
import { type ContextId, contextId } from '../knowledge/collections.ts'
import type { TokenCounter } from '../text/token-counter.ts'
import { sourceOf, tokensOfWhole } from './packing.ts'
import type { PackableItem } from './passage-value.ts'
import { tokensBelow } from './prompt.ts'

const PREFACE = 'Stored knowledge that may help; get_context_items returns the full text of an id.'
/** Maximum number of words listed as the reason for a match. */
const REASONS = 5

export interface IndexEntry {
  readonly contextId: ContextId
  readonly title: string
  readonly probability: number
  /** Words of the query that occur in the item, most informative first. Empty: the item was found by meaning. */
  readonly matches: string[]
  /** Tokens of its full text. */
  readonly tokens: number
}

export interface ContextIndex {
  readonly entries: IndexEntry[]
  readonly text: string
  readonly tokens: number
  /** Whether entries were left out because of the budget. */
  readonly cut: boolean
}

/** Approximate tokens of a context id. Answers also list the id of every included item, for later tracking. */
const ID_TOKENS = 30

/** The cost in tokens of a context with the given text tokens and number of items. */
export function costOf(tokens: number, items: number): number {
  return tokens + ID_TOKENS * items
}

/** One line per item, in order of relevance: as many as fit and cost less than the passages would. */
export function indexContext(request: {
  readonly query: string
  readonly items: readonly PackableItem[]
  readonly termWeights: ReadonlyMap<string, number>
  readonly termsOf: (text: string) => readonly string[]
  readonly budget: number
  readonly countTokens: TokenCounter
  /** The cost of sending the passages, see `costOf`. */
  readonly cheaperThan?: number
}): ContextIndex {
  const asked = wordsByTerm(request)
  const entries: IndexEntry[] = []
  const lines = [PREFACE]
  let text = ''
  let tokens = 0
  for (const { item, probability } of request.items) {
    const held = new Set(request.termsOf(`${item.title}\n${item.body}`))
    const matches = [...new Set([...asked].filter(([term]) => held.has(term)).map(([, word]) => word))].slice(
      0,
      REASONS,
    )
    const entry: IndexEntry = {
      contextId: contextId(item.collection, item.id),
      title: sourceOf(item),
      probability,
      matches,
      tokens: tokensOfWhole(item),
    }
    const why = matches.length > 0 ? matches.join(', ') : 'by meaning'
    const longer = [...lines, `- ${entry.title} | ${why} | ${entry.tokens} tokens | ${entry.contextId}`]
    const tokensLonger = tokensBelow(longer.join('\n'), request.countTokens)
    const cost = costOf(tokensLonger, entries.length + 1)
    if (tokensLonger > request.budget || cost >= (request.cheaperThan ?? Number.POSITIVE_INFINITY))
      return { entries, text, tokens, cut: true }
    entries.push(entry)
    lines.splice(0, lines.length, ...longer)
    text = lines.join('\n')
    tokens = tokensLonger
  }
  return { entries, text, tokens, cut: false }
}

/** The query's terms by decreasing weight, each with the word as written in the query. */
function wordsByTerm({
  query,
  termWeights,
  termsOf,
}: {
  readonly query: string
  readonly termWeights: ReadonlyMap<string, number>
  readonly termsOf: (text: string) => readonly string[]
}): Map<string, string> {
  const written = new Map<string, string>()
  for (const word of new Set(query.slice(0, 12_000).split(/[\s,;()[\]{}"'`]+/))) {
    for (const term of termsOf(word))
      if (!written.has(term)) written.set(term, word.replace(/[.?!:]+$/, '').slice(0, 60))
  }
  const weighed = [...termWeights].filter(([term]) => written.has(term)).sort((a, b) => b[1] - a[1])
  return new Map(weighed.map(([term]) => [term, written.get(term) ?? term]))
}
