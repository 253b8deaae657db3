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
  /** Clients, grants and tokens of OAuth, by the library's own schema. */
  readonly OAUTH_KV: KVNamespace
  /** Static files: the pages. */
  readonly ASSETS: Fetcher

  /** Requests per key and minute, and per address and minute; absent: no limit. */
  readonly KEY_LIMIT?: RateLimit
  readonly ADDRESS_LIMIT?: RateLimit

  /** Models of Workers AI; absent: none. */
  readonly AI?: WorkersAi
<<<<<<< HEAD
=======

  readonly HYBRID_API_KEY?: string
  readonly MCP_TOOLS?: string
  readonly ALLOWED_HOSTS?: string
  readonly ALLOWED_ORIGINS?: string
  readonly LOCAL_CONFIDENCE_THRESHOLD?: string
  readonly ROUTING_EXPLORATION?: string
  readonly ROUTING_QUALITY_WEIGHT?: string
  readonly ROUTING_COST_WEIGHT?: string
  readonly ROUTING_LATENCY_WEIGHT?: string
  readonly HIGH_VALUE_THRESHOLD?: string
  readonly VALUE_WEIGHTS?: string
  readonly RELEVANCE_THRESHOLD?: string
  readonly DEFAULT_TOKEN_BUDGET?: string
  readonly CONTROL_GROUP_SHARE?: string
  readonly HOLD_OUT_SHARE?: string
  readonly CONVERSATION_DAYS?: string
  readonly CONVERSATION_WINDOW_TOKENS?: string
  readonly FINETUNE_DATA_PATH?: string
  readonly LLAMA_CPP_BASE_URL?: string
  readonly LLAMA_CPP_API_KEY?: string
  readonly LLAMA_CPP_MODEL?: string
  readonly LLAMA_CPP_CODING_MODEL?: string
  readonly LLAMA_CPP_ANALYSIS_MODEL?: string
  readonly LLAMA_CPP_ACCESS_CLIENT_ID?: string
  readonly LLAMA_CPP_ACCESS_CLIENT_SECRET?: string
  readonly LLAMA_CPP_EMBEDDINGS_URL?: string
  readonly LLAMA_CPP_RERANK_URL?: string
  readonly EMBEDDER?: string
  readonly EMBEDDING_MODEL?: string
  readonly EMBEDDING_DIMENSIONS?: string
  readonly EMBEDDING_QUERY_PREFIX?: string
  readonly EMBEDDING_DOCUMENT_PREFIX?: string
  readonly EMBEDDING_CONTEXT_TOKENS?: string
  readonly QDRANT_URL?: string
  readonly QDRANT_API_KEY?: string
  readonly QDRANT_PREFIX?: string
  readonly QDRANT_QUANTIZATION?: string
  readonly REMOTE_MODEL_BASE_URL?: string
  readonly REMOTE_MODEL_API_KEY?: string
  readonly REMOTE_MODEL?: string
  readonly WORKERS_AI_LOCAL_MODEL?: string
  readonly WORKERS_AI_REMOTE_MODEL?: string
  readonly WORKERS_AI_EMBEDDING_MODEL?: string
  readonly AIDB_URL?: string
  readonly AIDB_API_KEY?: string
  readonly SQL_ROUTE_ENABLED?: string
  readonly MAX_BODY_BYTES?: string
  readonly MAX_FIELD_CHARACTERS?: string
  readonly CONCURRENT_REQUESTS_PER_KEY?: string
  readonly INGEST_ITEMS_PER_DAY?: string
  readonly INGEST_BYTES_PER_DAY?: string
  readonly PROJECT_ITEMS?: string
  readonly GENERATION_TOKENS_PER_KEY?: string
  readonly GENERATION_TOKENS_PER_PROJECT?: string
  readonly LOG_LEVEL?: string
>>>>>>> 6d81fe0 (/mcp lists nine tools in under 2,500 tokens, and a connection can be bound to a project)
}
