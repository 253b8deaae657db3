/**
 * The services for operations and background work: the settings, the stores, the models and the clock. Types only;
 * `build-services.ts` builds it.
 * @module
 */
import type { ConversationClient } from './conversation/client.ts'
import type { Database } from './database/database.ts'
import type { ChatModel } from './inference/chat/chat-model.ts'
import type { ChatUpstreams } from './inference/chat-upstream.ts'
import type { ExternalList } from './inference/embedding/aidb.ts'
import type { Embedder } from './inference/embedding/embedder.ts'
import type { Dependency } from './inference/engine/dependency.ts'
import type { Reranker } from './inference/reranking/reranker.ts'
import type { KnowledgeStore, TransferStore } from './knowledge/stores/store.ts'
import type { Settings } from './settings.ts'

/** All services for an operation or a job, built once per invocation. */
export interface Services {
  readonly settings: Settings
  readonly database: Database
  readonly knowledge: KnowledgeStore
  /** The configured stores by name, for moving knowledge between them. */
  readonly stores?: Readonly<Record<string, TransferStore>>
  readonly embedder: Embedder
  /** The local model; null if none is configured. */
  readonly localModel: ChatModel | null
  /** The remote model that the coordinator itself may call. Missing: none. */
  readonly remoteModel?: ChatModel | null
  /** Reorders the best results. Missing: none. */
  readonly reranker?: Reranker | null
  /** The same models for clients of OpenAI's API. Missing: none. */
  readonly upstreams?: ChatUpstreams
  /** Provides an additional ranked list. Missing: none. */
  readonly external?: ExternalList | null
  readonly conversations: ConversationClient
  readonly datasets: R2Bucket
  /** Dependencies that can be down. Missing: none. */
  readonly dependencies?: readonly Dependency[]
  /**
   * Announces new job rows to the queue, for delivery after `delaySeconds`. The rows in the database are the source of
   * truth.
   */
  enqueueJobs(ids: readonly string[], delaySeconds?: number): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
  /** A random number in [0, 1). */
  random(): number
}
