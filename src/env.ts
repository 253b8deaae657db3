/**
 * What wrangler.toml binds to the Worker. Variables (all strings, all optional) are described in settings.ts.
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
  /** Clients of OAuth, by the library's own schema. */
  readonly OAUTH_KV: KVNamespace
  /** Grants, codes and tokens of OAuth: one object (transports/oauth/grants.ts) per key that signed in. */
  readonly OAUTH_GRANTS: DurableObjectNamespace
  /** Static files: the pages. */
  readonly ASSETS: Fetcher

  /** Requests per key and minute, and per address and minute; absent: no limit. */
  readonly KEY_LIMIT?: RateLimit
  readonly ADDRESS_LIMIT?: RateLimit
  /** Registrations of OAuth clients per address and minute. */
  readonly REGISTER_LIMIT?: RateLimit

  /** Models of Workers AI; absent: none. */
  readonly AI?: WorkersAi
}
