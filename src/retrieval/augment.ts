/**
 * From a query to the context that goes into its prompt: search, abstain or choose, pack, log.
 * @module
 */
import type { ConversationClient } from '../conversation/client.ts'
import type { Database } from '../database/database.ts'
import { recordRetrieval } from '../database/queries/retrievals.ts'
import { newId } from '../ids.ts'
import { type CollectionName, type ContextId, contextId, KNOWLEDGE_COLLECTIONS } from '../knowledge/collections.ts'
import { tokenCounter } from '../text/token-counter.ts'
import { type PackedItem, packPassages } from './packing.ts'
import { PREFACE_TOKENS, renderContext } from './prompt.ts'
import { type SearchServices, searchKnowledge, termsOf } from './search.ts'

export interface AugmentServices extends SearchServices {
  readonly database: Database
  readonly conversations: ConversationClient
  readonly settings: SearchServices['settings'] & { readonly RELEVANCE_THRESHOLD: number }
}

export interface AugmentRequest {
  readonly operation: string
  readonly project: string
  readonly query: string
  readonly collections?: readonly CollectionName[]
  /** Items considered at most. */
  readonly items: number
  readonly tokenBudget: number
  readonly conversationId?: string
  /** Context that the caller has already. */
  readonly exclude?: ReadonlySet<string>
}

export interface Augmentation {
  readonly retrievalId: string
  readonly packed: PackedItem[]
  readonly contextIds: ContextId[]
  /** The rendered context; empty when nothing is relevant. */
  readonly context: string
  readonly tokens: number
  /** Tokens of the same items sent whole. */
  readonly tokensWhole: number
  readonly collections: readonly CollectionName[]
  /** Relevant items that were left out because they were sent before. */
  readonly alreadySent: ContextId[]
  /** Probability of the best item found, relevant or not; null: nothing was found at all. */
  readonly bestProbability: number | null
  readonly degraded: string[]
  readonly turnNumber: number | null
}

/** Finds, packs and logs the context for a query. Nothing is packed below the relevance threshold. */
export async function augment(services: AugmentServices, request: AugmentRequest): Promise<Augmentation> {
  const started = services.now()
  const collections = request.collections ?? KNOWLEDGE_COLLECTIONS
  const { project, query, conversationId } = request
  const [found, sent, countTokens] = await Promise.all([
    searchKnowledge(services, {
      project,
      query,
      collections,
      mode: 'hybrid',
      limit: request.items,
      scoreThreshold: 0,
    }),
    conversationId ? services.conversations.sentContext(project, conversationId) : [],
    tokenCounter(),
  ])
  const known = new Set([...sent, ...(request.exclude ?? [])])
  const relevant = found.ranked.filter(({ probability }) => probability >= services.settings.RELEVANCE_THRESHOLD)
  const isKnown = ({ item }: { item: PackedItem['item'] }) => known.has(contextId(item.collection, item.id))
  const packed = packPassages({
    items: relevant.filter((ranked) => !isKnown(ranked)).slice(0, request.items),
    termWeights: found.termWeights,
    termsOf,
    budget: request.tokenBudget - PREFACE_TOKENS,
    countTokens,
  })
  const contextIds = packed.map(({ item }) => contextId(item.collection, item.id))
  const tokens = packed.reduce((sum, item) => sum + item.tokens, packed.length > 0 ? PREFACE_TOKENS : 0)
  const retrievalId = newId()
  const tokensWhole = packed.reduce((sum, item) => sum + item.tokensWhole, 0)
  const [, turn] = await Promise.all([
    recordRetrieval(services.database, {
      id: retrievalId,
      project,
      operation: request.operation,
      query,
      conversationId: conversationId ?? null,
      shown: packed.map((entry, i) => ({
        context_id: contextIds[i] ?? '',
        rank: i + 1,
        probability: entry.probability,
        tokens: entry.tokens,
      })),
      tokenBudget: request.tokenBudget,
      tokensAdded: tokens,
      tokensWhole,
      latencyMs: services.now() - started,
      createdAt: started,
    }),
    conversationId ? services.conversations.addTurn(project, conversationId, { query, contextIds, tokens }) : null,
  ])
  return {
    retrievalId,
    packed,
    contextIds,
    context: renderContext(packed),
    tokens,
    tokensWhole,
    collections,
    alreadySent: relevant.filter(isKnown).map(({ item }) => contextId(item.collection, item.id)),
    bestProbability: found.ranked[0]?.probability ?? null,
    degraded: found.degraded,
    turnNumber: turn?.turnNumber ?? null,
  }
}
