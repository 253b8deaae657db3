/**
 * What operations and background work reach: the settings, the stores, the models and the clock. Types only; `build-services.ts` builds it.
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

/** Everything an operation or a job may reach, built once per invocation. */
export interface Services {
  readonly settings: Settings
  readonly database: Database
  readonly knowledge: KnowledgeStore
  /** The configured stores by name, for moving knowledge between them. */
  readonly stores?: Readonly<Record<string, TransferStore>>
  readonly embedder: Embedder
  /** The local model; null when none is configured. */
  readonly localModel: ChatModel | null
  /** The remote model that the coordinator itself may ask; none when left out. */
  readonly remoteModel?: ChatModel | null
  /** Reorders the best results; none when left out. */
  readonly reranker?: Reranker | null
  /** The same models as clients of OpenAI's API get them; none when left out. */
  readonly upstreams?: ChatUpstreams
  /** Makes one more ranked list; none when left out. */
  readonly external?: ExternalList | null
  readonly conversations: ConversationClient
  readonly datasets: R2Bucket
  /** What can be down; none when left out. */
  readonly dependencies?: readonly Dependency[]
  /** Tells the queue that job rows were written, to be delivered after `delaySeconds`; the rows in the database stay the truth. */
  enqueueJobs(ids: readonly string[], delaySeconds?: number): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
  /** Uniform in [0, 1). */
  random(): number
}
