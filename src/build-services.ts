/**
 * Builds the services for operations, once per invocation. The only place that selects engines.
 * @module
 */
import { waitUntil } from 'cloudflare:workers'
import { countCall } from './budget.ts'
import { DurableConversations } from './conversation/durable-client.ts'
import { openDatabase } from './database/database.ts'
import { votesOnItems } from './database/queries/credit.ts'
import { addEmbeddingJob, postponeEmbeddingJob } from './database/queries/embedding.ts'
import type { Env } from './env.ts'
import { openUpstreams } from './inference/chat-upstream.ts'
import type { Embedder } from './inference/embedding/embedder.ts'
import { openMiniLm } from './inference/embedding/minilm/open.ts'
import { deferredStaticEmbedder, STATIC_TABLE_PATH } from './inference/embedding/static/embedder.ts'
import type { Dependency } from './inference/engine/dependency.ts'
import { modelDependencies } from './inference/model-dependencies.ts'
import {
  openAidb,
  openChatModel,
  openEmbedder,
  openRemoteModel,
  openReranker,
  otherEmbedders,
} from './inference/open-models.ts'
import { embeddingSubject } from './jobs/embed-collection.ts'
import { embeddedStore } from './knowledge/stores/embedded.ts'
import { enqueuer, migratingStore } from './knowledge/stores/migrating-store.ts'
import { openQdrant } from './knowledge/stores/qdrant/open.ts'
import type { KnowledgeStore } from './knowledge/stores/store.ts'
import { meterBucket, meterObjects } from './metering.ts'
import { syncCredit } from './outcomes/sync-credit.ts'
import type { Services } from './services.ts'
import { readSettings } from './settings.ts'
import { DAY_MS, MINUTE_MS } from './time.ts'
import { traceHeaders } from './tracing.ts'

/** Maximum number of messages that a queue accepts at once. */
const MESSAGES = 100

let staticEmbedder: Embedder | null = null

/** Opens every engine that the environment configures, and uses the embedded defaults for the others. */
export function buildServices(env: Env): Services {
  const settings = readSettings(env)
  const asset = (path: string) => env.ASSETS.fetch(new URL(path, 'https://assets.invalid'))
  staticEmbedder ??= deferredStaticEmbedder(async () => {
    const response = await asset(STATIC_TABLE_PATH)
    if (!response.ok) throw new Error(`the static asset ${STATIC_TABLE_PATH} is missing (status ${response.status})`)
    return response.arrayBuffer()
  })
  const database = openDatabase(env.DB)
  const enqueueJobs = async (ids: readonly string[], delaySeconds = 0) => {
    if (ids.length === 0) return
    for (let at = 0; at < ids.length; at += MESSAGES) {
      countCall()
      const bodies = ids.slice(at, at + MESSAGES).map((jobId) => ({ body: { jobId, ...traceHeaders() } }))
      await env.JOBS.sendBatch(bodies, { delaySeconds })
    }
  }
  const sentences = openMiniLm(settings, {
    asset,
    keepAlive: waitUntil,
  })
  const embedder = openEmbedder(settings, env.AI) ?? (settings.EMBEDDER === 'static' ? staticEmbedder : sentences)
  const embedded = embeddedStore(meterObjects(env.KNOWLEDGE))
  const qdrant = openQdrant(settings)
  const knowledge = migratingStore(qdrant ?? embedded, {
    embedder,
    others: [staticEmbedder, sentences, ...otherEmbedders(settings, env.AI)],
    mayFail: embedder !== staticEmbedder,
    enqueue: enqueuer(async (scope) => {
      const id = await addEmbeddingJob(database, scope.project, embeddingSubject(scope), Date.now())
      // The row is the source of truth: the sweep makes up for a lost message.
      if (id) await enqueueJobs([id]).catch(() => undefined)
    }),
    postpone: (scope) => {
      const now = Date.now()
      return postponeEmbeddingJob(database, scope.project, embeddingSubject(scope), now, now + MINUTE_MS)
    },
    // An item that was deleted and is stored again gets its earlier credit. If this fails, the write is kept: storing
    // the item again, or the next vote, sets the credit.
    written: async ({ project, collection }, ids) => {
      const items = ids.map((id) => ({ project, collection, id }))
      await votesOnItems(database, items)
        .then((votes) => syncCredit(database, [qdrant ?? embedded], votes))
        .catch(() => undefined)
    },
    now: () => Date.now(),
  })
  return {
    settings,
    database,
    knowledge,
    stores: { embedded, ...(qdrant && { qdrant }) },
    embedder,
    localModel: openChatModel(settings, env.AI),
    remoteModel: openRemoteModel(settings, env.AI),
    upstreams: openUpstreams(settings, env.AI),
    reranker: openReranker(settings),
    external: openAidb(settings),
    conversations: new DurableConversations(meterObjects(env.CONVERSATIONS), settings.CONVERSATION_DAYS * DAY_MS),
    datasets: meterBucket(env.DATASETS),
    dependencies: [...storageDependencies(env, knowledge), ...modelDependencies(settings)],
    enqueueJobs,
    now: () => Date.now(),
    random: () => Math.random(),
  }
}

/** Dependency checks for the stores of state, by their smallest reads. */
function storageDependencies(env: Env, knowledge: KnowledgeStore): Dependency[] {
  return [
    {
      name: 'database',
      required: true,
      uses: 'd1',
      ask: async () => {
        await env.DB.prepare('SELECT 1').first()
        return { state: 'ok' }
      },
    },
    {
      name: 'knowledge_store',
      required: true,
      uses: knowledge.name,
      ask: async () => {
        await knowledge.statistics({ project: 'default', collection: 'best-practices' })
        return { state: 'ok' }
      },
    },
    {
      name: 'datasets',
      required: false,
      uses: 'r2',
      ask: async () => {
        await env.DATASETS.list({ limit: 1 })
        return { state: 'ok' }
      },
    },
  ]
}
