/**
 * Builds the context for a query's prompt: search, abstain or select, pack, log.
 * @module
 */
import type { ConversationClient, Recall, ShownItem } from '../conversation/client.ts'
import type { Database } from '../database/database.ts'
import { reportedOutcomes } from '../database/queries/routing.ts'
import { newId } from '../ids.ts'
import { type CollectionName, type ContextId, contextId, KNOWLEDGE_COLLECTIONS } from '../knowledge/collections.ts'
import { withPriorOdds } from '../ranking/calibration.ts'
import { type TokenCounter, tokenCounter } from '../text/token-counter.ts'
import { costOf, type IndexEntry, indexContext } from './context-index.ts'
import { drawHoldOut, NO_HOLD_OUT } from './hold-out.ts'
import { logRetrieval } from './log-retrieval.ts'
import { type KnownItem, leastShare, type PackedItem, sourceOf, tokensOfWhole } from './packing.ts'
import type { PackableItem } from './passage-value.ts'
import { type ComposedContext, composeContext, joinPrompt, NO_CONTEXT, renderContext, tokensBelow } from './prompt.ts'
import { type RankedItem, type SearchOutcome, type SearchServices, searchKnowledge, termsOf } from './search.ts'

/** Number of whole items that plain top-k retrieval would send, for the savings ledger. */
const NAIVE_ITEMS = 5
const SUGGESTIONS = 5
/** Number of items listed when nothing was relevant enough. */
const NEAREST = 3
/**
 * Factor on the prior odds that stored knowledge answers a question, when it has answered earlier questions of the same
 * conversation: a probability of 3 in 5 instead of 1 in 2. Kept low, because a wrong passage costs more than a missing
 * one.
 */
const IN_TOPIC_ODDS = 1.5

/** Levels of detail: the number of items considered, and the factor on the minimum value of a passage. */
export const CONTEXT_LEVELS = {
  standard: { items: 10, share: 1 },
  detailed: { items: 15, share: 0.8 },
  comprehensive: { items: 25, share: 0.5 },
} as const

export type ContextLevel = keyof typeof CONTEXT_LEVELS

export interface AugmentServices extends SearchServices {
  readonly database: Database
  readonly conversations: ConversationClient
  readonly settings: SearchServices['settings'] & {
    readonly RELEVANCE_THRESHOLD: number
    readonly CONTROL_GROUP_SHARE: number
    readonly HOLD_OUT_SHARE: number
    readonly EXPERIMENTS_FROM_OUTCOMES: number
    readonly CONVERSATION_WINDOW_TOKENS: number
  }
  random(): number
}

export interface AugmentRequest {
  readonly operation: string
  /** Id of the caller's key. */
  readonly caller?: string | undefined
  readonly project: string
  readonly query: string
  readonly collections?: readonly CollectionName[]
  /** Whether the external list is queried. Default: only when no collections are given. */
  readonly external?: boolean
  readonly level?: ContextLevel
  /** Maximum number of tokens below the query, as counted by the tokenizer. */
  readonly tokenBudget: number
  /** Minimum probability that the results answer the query. Default: the setting. */
  readonly scoreThreshold?: number
  /** index: one line per item instead of passages. */
  readonly detail?: 'index' | 'full'
  readonly conversationId?: string
  /** The answering model sees only this turn: items from earlier turns are sent again where they are needed. */
  readonly selfContained?: boolean
  /** Context that the caller already has. */
  readonly exclude?: ReadonlySet<string>
}

/** Why there is no context. */
export type AbsenceReason = 'nothing_relevant' | 'already_sent' | 'budget' | 'control_group'

export interface Augmentation {
  readonly retrievalId: string
  readonly packed: readonly PackedItem[]
  /** Numbers of the packed items in the prompt. */
  readonly numbers: readonly number[]
  /** The entries of the index. Empty unless an index was requested. */
  readonly index: readonly IndexEntry[]
  /** Ids of the items that the context includes, in order. */
  readonly contextIds: ContextId[]
  /** The text below the query. Empty when there is no context or no room for it. */
  readonly context: string
  /** The query followed by the context. */
  readonly prompt: string
  /** Tokens of the text below the query, including the separator. */
  readonly tokens: number
  /** Tokens if the included items had been sent whole. */
  readonly tokensWhole: number
  /** Tokens of useful passages that an earlier turn already included. */
  readonly tokensSpared: number
  readonly collections: readonly CollectionName[]
  /** Relevant items whose useful passages were sent earlier. */
  readonly alreadySent: { contextId: ContextId; number: number | null; title: string }[]
  readonly absence: AbsenceReason | null
  /** The best results when nothing was relevant enough, so that callers can see what was rejected. */
  readonly nearest: readonly RankedItem[]
  /** Probability of the best result, relevant or not; null if there were no results. */
  readonly bestProbability: number | null
  /** Probability that any result answers the query. Below the threshold, no context is returned. */
  readonly answerable: number
  readonly threshold: number
  /** Number of relevant items left out at random, 0 or 1. */
  readonly heldOut: number
  /** Other results, as suggestions for further questions. */
  readonly suggestions: string[]
  readonly degraded: string[]
  /** The limits that the query exceeds. */
  readonly truncated: SearchOutcome['truncated']
  readonly turnNumber: number | null
}

/**
 * Finds, packs and logs the context for a query. If the results are unlikely to answer the query, nothing is packed.
 * Otherwise passages compete for the budget, each weighted by the probability of its item.
 */
export async function augment(services: AugmentServices, request: AugmentRequest): Promise<Augmentation> {
  const started = services.now()
  const collections = request.collections ?? KNOWLEDGE_COLLECTIONS
  const { project, query, conversationId } = request
  const { items: most } = CONTEXT_LEVELS[request.level ?? 'standard']
  const { CONTROL_GROUP_SHARE, EXPERIMENTS_FROM_OUTCOMES, HOLD_OUT_SHARE } = services.settings
  const [found, recall, countTokens, outcomes] = await Promise.all([
    searchKnowledge(services, {
      project,
      query,
      collections,
      mode: 'hybrid',
      purpose: 'prompt',
      limit: most,
      scoreThreshold: 0,
      external: request.external ?? request.collections === undefined,
    }),
    conversationId ? recalled(services, project, conversationId) : { recall: NOTHING_RECALLED, degraded: [] },
    tokenCounter(),
    HOLD_OUT_SHARE > 0 ? reportedOutcomes(services.database, project).catch(() => 0) : 0,
  ])
  const threshold = request.scoreThreshold ?? services.settings.RELEVANCE_THRESHOLD
  const odds = recall.recall.contexts.length > 0 ? IN_TOPIC_ODDS : 1
  const relevant = found.ranked.filter(({ answerable }) => withPriorOdds(answerable, odds) >= threshold)
  const complete = choose(request, found, relevant.slice(0, most), recall.recall, countTokens)
  const control = complete.eligible && services.random() < CONTROL_GROUP_SHARE
  const draw = control
    ? NO_HOLD_OUT
    : drawHoldOut(chosenIds(complete), outcomes >= EXPERIMENTS_FROM_OUTCOMES ? HOLD_OUT_SHARE : 0, services.random())
  const allowed = relevant.slice(0, most).filter(({ item }) => contextId(item.collection, item.id) !== draw.heldOut)
  const chosen = draw.heldOut === null ? complete : choose(request, found, allowed, recall.recall, countTokens)
  const shown: Shown = control ? { ...chosen, ...NOTHING_SHOWN } : chosen
  const absence = absenceOf(shown, control, relevant.length)
  const statement = absence === 'nothing_relevant' || absence === 'budget' ? NO_CONTEXT[absence] : ''
  const stated = statement !== '' && tokensBelow(statement, countTokens) <= request.tokenBudget ? statement : ''
  const contextIds = chosenIds(shown)
  const retrievalId = newId()
  const tokens = stated === '' ? shown.tokens : tokensBelow(stated, countTokens)
  const tokensWhole = shown.packed.reduce((sum, item) => sum + item.tokensWhole, 0)
  const tokensSpared = control ? 0 : chosen.recalled.reduce((sum, item) => sum + item.tokensSpared, 0)
  const degraded = [...new Set([...found.degraded, ...recall.degraded])]
  const [, turn] = await Promise.all([
    logRetrieval(services, shown.packed, {
      id: retrievalId,
      project,
      operation: request.operation,
      query,
      conversationId: conversationId ?? null,
      caller: request.caller ?? null,
      shown: shownEntries(shown, contextIds),
      tokenBudget: request.tokenBudget,
      tokensAdded: tokens,
      tokensWhole,
      tokensSpared,
      tokensTopWhole: relevant.slice(0, NAIVE_ITEMS).reduce((sum, { item }) => sum + tokensOfWhole(item), 0),
      control,
      controlShare: complete.eligible ? CONTROL_GROUP_SHARE : 0,
      heldOut: draw.heldOut,
      holdOutShare: draw.share,
      holdOutItems: draw.items,
      latencyMs: services.now() - started,
      createdAt: started,
    }).catch(() => {
      // The context was found. A failed log write affects statistics and evidence, not the answer.
      degraded.push('log')
    }),
    conversationId
      ? services.conversations
          .addTurn(project, conversationId, {
            key: retrievalId,
            query,
            queryTokens: countTokens(query),
            tokens,
            shown: shown.packed.map(shownItem),
          })
          .catch(() => {
            if (!degraded.includes('conversation')) degraded.push('conversation')
            return null
          })
      : null,
  ])
  const numbers = turn?.numbers ?? shown.numbers
  const renumbered = numbers.some((number, i) => number !== shown.numbers[i])
  const context = renumbered ? renderContext(shown.packed, numbers, shown.delimiter, shown.named) : stated || shown.text
  return {
    retrievalId,
    packed: shown.packed,
    numbers,
    index: shown.index,
    contextIds,
    context,
    prompt: joinPrompt(query, context),
    tokens,
    tokensWhole,
    tokensSpared,
    collections,
    alreadySent: control
      ? []
      : chosen.recalled.map(({ item, number }) => ({
          contextId: contextId(item.collection, item.id),
          number: number > 0 ? number : null,
          title: sourceOf(item),
        })),
    absence,
    nearest: absence === 'nothing_relevant' ? found.ranked.slice(0, NEAREST) : [],
    bestProbability: found.ranked[0]?.probability ?? null,
    answerable: withPriorOdds(found.answerable, odds),
    threshold,
    heldOut: draw.heldOut === null ? 0 : 1,
    suggestions: suggest(query, found.ranked, new Set<string>([...contextIds, ...chosenIds(complete)]), threshold),
    degraded,
    truncated: found.truncated,
    turnNumber: turn?.turnNumber ?? null,
  }
}

const NOTHING_RECALLED: Recall = { contexts: [], nextNumber: 1, turns: 0 }

/** If the conversation is unavailable, context may be repeated, but the answer doesn't fail. */
async function recalled(
  services: AugmentServices,
  project: string,
  id: string,
): Promise<{ recall: Recall; degraded: string[] }> {
  try {
    const recall = await services.conversations.recall(project, id, services.settings.CONVERSATION_WINDOW_TOKENS)
    return { recall, degraded: [] }
  } catch {
    return { recall: NOTHING_RECALLED, degraded: ['conversation'] }
  }
}

/** The selected context, as passages or as an index. */
interface Shown extends ComposedContext {
  readonly index: readonly IndexEntry[]
  /** Whether there is anything to withhold from a control group. */
  readonly eligible: boolean
}

const NOTHING_SHOWN = { packed: [], numbers: [], named: [], index: [], text: '', tokens: 0, delimiter: '' }

function choose(
  request: AugmentRequest,
  found: SearchOutcome,
  relevant: readonly PackableItem[],
  recall: Recall,
  countTokens: TokenCounter,
): Shown {
  const { termWeights } = found
  const contexts = request.selfContained ? [] : recall.contexts
  const known = knownItems(relevant, contexts, request.exclude)
  const packing = { items: relevant, termWeights, termsOf, budget: request.tokenBudget, countTokens }
  const share = CONTEXT_LEVELS[request.level ?? 'standard'].share * leastShare(request.tokenBudget)
  const composed = composeContext({ ...packing, leastShare: share, known }, recall.nextNumber)
  if (request.detail === 'index') {
    const fresh = relevant.filter(({ item }) => !known.has(contextId(item.collection, item.id)))
    const passages = composed.packed.length
    const cheaperThan = passages > 0 ? costOf(composed.tokens, passages) : Number.POSITIVE_INFINITY
    const { entries, ...written } = indexContext({ ...packing, query: request.query, items: fresh, cheaperThan })
    const none = { packed: [], numbers: [], named: [], recalled: [], delimiter: '' }
    // When passages are shorter than their index entries, they are sent directly.
    if (entries.length > 0 || passages === 0)
      return { ...none, ...written, index: entries, eligible: entries.length > 0 }
  }
  return { ...composed, index: [], eligible: composed.packed.length > 0 }
}

/** The parts of the found items that the model already has, as far as the items are unchanged since. */
function knownItems(
  items: readonly PackableItem[],
  contexts: Recall['contexts'],
  exclude: ReadonlySet<string> | undefined,
): Map<ContextId, KnownItem> {
  const recalled = new Map(contexts.map((entry) => [`${entry.contextId} ${entry.version}`, entry]))
  const known = new Map<ContextId, KnownItem>()
  for (const { item } of items) {
    const id = contextId(item.collection, item.id)
    const before = recalled.get(`${id} ${item.updatedAt}`)
    if (before) known.set(id, before)
    if (exclude?.has(id))
      known.set(id, { number: before?.number ?? 0, stretches: [{ start: 0, end: item.body.length }] })
  }
  return known
}

function absenceOf(shown: Shown, control: boolean, relevant: number): AbsenceReason | null {
  if (control) return 'control_group'
  if (shown.packed.length + shown.index.length > 0) return null
  if (relevant === 0) return 'nothing_relevant'
  return shown.cut ? 'budget' : 'already_sent'
}

/** The ids of the selected items, passages before index entries. */
function chosenIds({ packed, index }: Shown): ContextId[] {
  return [...packed.map(({ item }) => contextId(item.collection, item.id)), ...index.map((entry) => entry.contextId)]
}

function shownEntries(shown: Shown, contextIds: readonly ContextId[]) {
  const entries: readonly { probability: number; tokens: number }[] =
    shown.index.length > 0 ? shown.index.map(({ probability }) => ({ probability, tokens: 0 })) : shown.packed
  return entries.map(({ probability, tokens }, i) => ({
    context_id: contextIds[i] ?? '',
    rank: i + 1,
    probability,
    tokens,
  }))
}

function shownItem({ item, excerpts, tokens }: PackedItem): ShownItem {
  return {
    contextId: contextId(item.collection, item.id),
    version: item.updatedAt,
    title: sourceOf(item),
    stretches: excerpts,
    tokens,
  }
}

/** Titles of found items that were not selected but are likely enough to suggest. */
function suggest(
  query: string,
  ranked: readonly PackableItem[],
  shown: ReadonlySet<string>,
  threshold: number,
): string[] {
  const asked = query.toLowerCase()
  const names = new Set<string>()
  for (const { item, probability } of ranked) {
    if (probability < threshold / 2 || shown.has(contextId(item.collection, item.id))) continue
    const [symbol] = Array.isArray(item.fields.symbols) ? (item.fields.symbols as unknown[]) : []
    const name = typeof symbol === 'string' ? `${symbol} in ${sourceOf(item)}` : sourceOf(item)
    if (!asked.includes(name.toLowerCase())) names.add(name)
    if (names.size === SUGGESTIONS) break
  }
  return [...names]
}
