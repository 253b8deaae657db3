/**
 * The bindings of wrangler.toml. Variables (all strings, all optional) are described in settings.ts.
 * @module
 */

import type { Conversation } from './conversation/conversation.ts'
import type { WorkersAi } from './inference/workers-ai.ts'
import type { JobMessage } from './jobs/message.ts'
import type { KnowledgeIndex } from './knowledge/stores/knowledge-index.ts'
import type { Settings } from './settings.ts'

export interface Env extends Readonly<Partial<Record<keyof Settings, string>>> {
  /** Interactions, outcomes, retrieval log, jobs, exports. */
  readonly DB: D1Database
  /** One object per project and collection: the embedded knowledge store. */
  readonly KNOWLEDGE: DurableObjectNamespace<KnowledgeIndex>
  /** One object per project and conversation id. */
  readonly CONVERSATIONS: DurableObjectNamespace<Conversation>
  readonly JOBS: Queue<JobMessage>
  /** Fine-tuning datasets, immutable. */
  readonly DATASETS: R2Bucket
  /** OAuth clients, in the library's schema. */
  readonly OAUTH_KV: KVNamespace
  /** OAuth grants, codes and tokens: one object (transports/oauth/grants.ts) per signed-in key. */
  readonly OAUTH_GRANTS: DurableObjectNamespace
  /** Static files: the pages. */
  readonly ASSETS: Fetcher

  /** Limits per key and minute, and per address and minute. Missing: no limit. */
  readonly KEY_LIMIT?: RateLimit
  readonly ADDRESS_LIMIT?: RateLimit
  /** Limit of OAuth client registrations per address and minute. */
  readonly REGISTER_LIMIT?: RateLimit

  /** Workers AI models. Missing: none. */
  readonly AI?: WorkersAi
}
