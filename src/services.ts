/**
 * Builds what operations reach, once per invocation. The only place that picks engines.
 * @module
 */
import { DurableConversations } from './conversation/durable-client.ts'
import { openDatabase } from './database/database.ts'
import type { Env } from './env.ts'
import type { Embedder } from './inference/embedder.ts'
import { openChatModel, openEmbedder, openRemoteModel } from './inference/open-models.ts'
import { createStaticEmbedder } from './inference/static/embedder.ts'
import staticTable from './inference/static/table.bin'
import { EmbeddedStore } from './knowledge/stores/embedded.ts'
import { openQdrant } from './knowledge/stores/open-qdrant.ts'
import type { Services } from './operations/operation.ts'
import { readSettings } from './settings.ts'

let staticEmbedder: Embedder | null = null

/** Opens every engine that the environment configures; what it doesn't configure runs on the embedded defaults. */
export function buildServices(env: Env): Services {
  const settings = readSettings(env)
  staticEmbedder ??= createStaticEmbedder(staticTable)
  return {
    settings,
    database: openDatabase(env.DB),
    knowledge: openQdrant(settings) ?? new EmbeddedStore(env.KNOWLEDGE),
    embedder: openEmbedder(settings) ?? staticEmbedder,
    localModel: openChatModel(settings),
    remoteModel: openRemoteModel(settings),
    conversations: new DurableConversations(env.CONVERSATIONS, settings.CONVERSATION_DAYS * 86_400_000),
    datasets: env.DATASETS,
    async announceJobs(ids) {
      if (ids.length === 0) return
      await env.JOBS.sendBatch(ids.map((jobId) => ({ body: { jobId } })))
    },
    now: () => Date.now(),
    random: () => Math.random(),
  }
}
