/**
 * Opens the models that the settings name. What must outlive a request (breakers, the embedding cache) is kept here, one for
 * each engine and isolate.
 * @module
 */
import { CoordinatorError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { CachedEmbedder, EmbeddingCache } from './cached-embedder.ts'
import type { StreamingChatModel } from './chat-model.ts'
import { askServer, type Dependency } from './dependency.ts'
import type { Embedder } from './embedder.ts'
import { type EmbeddingModel, knownEmbeddingModel } from './embedding-models.ts'
import { type EngineEndpoint, normalBaseUrl } from './engine-http.ts'
import { LlamaCppChat } from './llama-cpp.ts'
import { LlamaCppEmbedder } from './llama-cpp-embedder.ts'
import { LlamaCppReranker } from './llama-cpp-reranker.ts'
import type { Reranker } from './reranker.ts'
import { Engine } from './resilience.ts'

const CHECK = 'and that llama-server runs and is reachable from the Worker.'
const engines = new Map<string, Engine>()
const cache = new EmbeddingCache()

/** The engine behind an address, as this isolate knows it. */
export function engineAt(name: string, address: string, open: () => Engine): Engine {
  const key = `${name} ${address}`
  const engine = engines.get(key) ?? open()
  engines.set(key, engine)
  return engine
}

/** The chat model of `LLAMA_CPP_BASE_URL`; null when none is set. */
export function openChatModel(settings: Settings): StreamingChatModel | null {
  if (!settings.LLAMA_CPP_BASE_URL) return null
  const endpoint = llamaEndpoint(settings.LLAMA_CPP_BASE_URL, settings)
  const engine = engineAt('chat', endpoint.baseUrl, () => {
    // A model that thinks for a minute is not broken, and few servers answer many at once.
    const policy = { deadlineMs: 60_000, attempts: 2, concurrent: 8, failures: 3, openMs: 15_000 }
    return new Engine('The local model', `Check LLAMA_CPP_BASE_URL ${CHECK}`, policy)
  })
  return new LlamaCppChat(endpoint, engine, settings.LLAMA_CPP_MODEL)
}

/** The chat model of `REMOTE_MODEL_BASE_URL`, any OpenAI-compatible server; null when none is set. */
export function openRemoteModel(settings: Settings): StreamingChatModel | null {
  if (!settings.REMOTE_MODEL_BASE_URL) return null
  const endpoint = remoteEndpoint(settings.REMOTE_MODEL_BASE_URL, settings)
  const engine = engineAt('remote chat', endpoint.baseUrl, () => {
    const policy = { deadlineMs: 60_000, attempts: 2, concurrent: 16, failures: 3, openMs: 15_000 }
    return new Engine('The remote model', 'Check REMOTE_MODEL_BASE_URL and that its server can be reached.', policy)
  })
  return new LlamaCppChat(endpoint, engine, settings.REMOTE_MODEL)
}

/** Where the remote model is, with its key. */
export function remoteEndpoint(url: string, { REMOTE_MODEL_API_KEY: key }: Settings): EngineEndpoint {
  return { baseUrl: normalBaseUrl(url), headers: key ? { authorization: `Bearer ${key}` } : {} }
}

/**
 * The embedder of `LLAMA_CPP_EMBEDDINGS_URL`; null when none is set.
 * @throws CoordinatorError `internal` when its space isn't known from the settings
 */
export function openEmbedder(settings: Settings): Embedder | null {
  if (!settings.LLAMA_CPP_EMBEDDINGS_URL) return null
  const endpoint = llamaEndpoint(settings.LLAMA_CPP_EMBEDDINGS_URL, settings)
  const engine = engineAt('embeddings', endpoint.baseUrl, () => {
    return new Engine('The embedding server', `Check LLAMA_CPP_EMBEDDINGS_URL ${CHECK}`)
  })
  return new CachedEmbedder(new LlamaCppEmbedder(endpoint, engine, embeddingModel(settings)), cache)
}

/** The reranker of `LLAMA_CPP_RERANK_URL`; null when none is set. */
export function openReranker(settings: Settings): Reranker | null {
  if (!settings.LLAMA_CPP_RERANK_URL) return null
  const endpoint = llamaEndpoint(settings.LLAMA_CPP_RERANK_URL, settings)
  const engine = engineAt('reranker', endpoint.baseUrl, () => {
    return new Engine('The reranking server', `Check LLAMA_CPP_RERANK_URL ${CHECK}`)
  })
  return new LlamaCppReranker(endpoint, engine)
}

/**
 * The embedding model that the settings describe: a known one by its name, or one that they describe in full.
 * @throws CoordinatorError `internal` naming the missing variable
 */
export function embeddingModel(settings: Settings): EmbeddingModel {
  const { EMBEDDING_MODEL: name, EMBEDDING_DIMENSIONS: dimensions } = settings
  if (!name) {
    throw new CoordinatorError('internal', 'EMBEDDING_MODEL has to name the model that embeds.', {
      field: 'EMBEDDING_MODEL',
      hint: 'Set it to the model that the server was started with, e.g. nomic-embed-text-v1.5.',
    })
  }
  const known = knownEmbeddingModel(name)
  if (!known && dimensions === undefined) {
    throw new CoordinatorError('internal', `EMBEDDING_DIMENSIONS has to say how long the vectors of ${name} are.`, {
      field: 'EMBEDDING_DIMENSIONS',
      hint: 'It stands in /v1/models of the server as n_embd.',
    })
  }
  return {
    name: known?.name ?? name,
    dimensions: dimensions ?? known?.dimensions ?? 0,
    contextTokens: known?.contextTokens ?? settings.EMBEDDING_CONTEXT_TOKENS,
    queryPrefix: settings.EMBEDDING_QUERY_PREFIX ?? known?.queryPrefix ?? '',
    documentPrefix: settings.EMBEDDING_DOCUMENT_PREFIX ?? known?.documentPrefix ?? '',
  }
}

/** The model servers that the settings name, to be asked whether they can serve. */
export function modelDependencies(settings: Settings): Dependency[] {
  const server = (name: string, key: string, endpoint: EngineEndpoint, path = '/health'): Dependency => ({
    name,
    required: false,
    uses: new URL(endpoint.baseUrl).host,
    ask: (signal) => askServer(endpoint, path, signal),
    engine: engines.get(`${key} ${endpoint.baseUrl}`),
  })
  const { LLAMA_CPP_BASE_URL: chat, LLAMA_CPP_EMBEDDINGS_URL: embeddings } = settings
  const { LLAMA_CPP_RERANK_URL: reranker, REMOTE_MODEL_BASE_URL: remote } = settings
  return [
    ...(chat ? [server('local_model', 'chat', llamaEndpoint(chat, settings))] : []),
    ...(embeddings ? [server('embedder', 'embeddings', llamaEndpoint(embeddings, settings))] : []),
    ...(reranker ? [server('reranker', 'reranker', llamaEndpoint(reranker, settings))] : []),
    ...(remote ? [server('remote_model', 'remote chat', remoteEndpoint(remote, settings), '/v1/models')] : []),
  ]
}

/** Where a llama.cpp server is, with what lets the Worker in. */
export function llamaEndpoint(url: string, settings: Settings): EngineEndpoint {
  const { LLAMA_CPP_API_KEY: key, LLAMA_CPP_ACCESS_CLIENT_ID: id, LLAMA_CPP_ACCESS_CLIENT_SECRET: secret } = settings
  return {
    baseUrl: normalBaseUrl(url),
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(id && secret && { 'cf-access-client-id': id, 'cf-access-client-secret': secret }),
    },
  }
}
