/**
 * Opens the models that the settings name. State that must outlive a request (breakers, the embedding cache) is kept
 * here, once per engine and isolate.
 * @module
 */
import { CoordinatorError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { StreamingChatModel } from './chat/chat-model.ts'
import { LlamaCppChat } from './chat/llama-cpp.ts'
import { OpenAiChat } from './chat/openai-chat.ts'
import { type ChatTransport, httpChat } from './chat/transport.ts'
import { AidbEmbedder, AidbList, type ExternalList } from './embedding/aidb.ts'
import { CachedEmbedder, EmbeddingCache } from './embedding/cached-embedder.ts'
import type { Embedder } from './embedding/embedder.ts'
import { type EmbeddingModel, knownEmbeddingModel } from './embedding/embedding-models.ts'
import { LlamaCppEmbedder } from './embedding/llama-cpp-embedder.ts'
import { accessHeaders, type EngineEndpoint, normalBaseUrl, openAiBase } from './engine/http.ts'
import { Engine, type EngineHint } from './engine/resilience.ts'
import { LlamaCppReranker } from './reranking/llama-cpp-reranker.ts'
import type { Reranker } from './reranking/reranker.ts'
import { type WorkersAi, WorkersAiEmbedder, workersAiChat } from './workers-ai.ts'

const CHECK = 'and that llama-server runs and is reachable from the Worker.'
const engines = new Map<string, Engine>()
const cache = new EmbeddingCache()

/** The engine for an address, shared within this isolate. */
export function engineAt(name: string, address: string, open: () => Engine): Engine {
  const key = `${name} ${address}`
  const engine = engines.get(key) ?? open()
  engines.set(key, engine)
  return engine
}

/** The engine for an address if this isolate has called it. */
export function knownEngine(name: string, address: string): Engine | undefined {
  return engines.get(`${name} ${address}`)
}

/** The chat model that the settings configure for one side, and how to reach it. */
export interface ConfiguredChat {
  readonly name: string
  /** Identifies the provider for breakers and messages. */
  readonly address: string
  readonly transport: ChatTransport
  /** Endpoint of a llama.cpp server. Missing for others. */
  readonly llama?: EngineEndpoint
  /** Model to request; null: the server's default. */
  readonly model: string | null
  /** What a person can check if it fails. */
  readonly hint: EngineHint
}

/**
 * The chat model of a side: a server by its URL, or a Workers AI model; null if none is set.
 * @throws CoordinatorError `internal` if a Workers AI model is named without the binding
 */
export function configuredChat(side: 'local' | 'remote', settings: Settings, ai?: WorkersAi): ConfiguredChat | null {
  const local = side === 'local'
  const variable = local ? 'LLAMA_CPP_BASE_URL' : 'REMOTE_MODEL_BASE_URL'
  const url = settings[variable]
  if (url) {
    const endpoint = local ? llamaEndpoint(url, settings) : remoteEndpoint(url, settings)
    return {
      name: local ? 'llama.cpp' : 'remote',
      address: endpoint.baseUrl,
      transport: httpChat(endpoint),
      ...(local && { llama: endpoint }),
      model: (local ? settings.LLAMA_CPP_MODEL : settings.REMOTE_MODEL) ?? null,
      hint: hintOf(
        endpoint,
        local ? `Check ${variable} ${CHECK}` : `Check ${variable} and that its server can be reached.`,
      ),
    }
  }
  const named = local ? 'WORKERS_AI_LOCAL_MODEL' : 'WORKERS_AI_REMOTE_MODEL'
  const model = settings[named]
  if (!model) return null
  const transport = workersAiChat(boundAi(ai, named), model)
  const hint = { reach: `Check ${named} and the account's Workers AI.` }
  return { name: 'workers-ai', address: model, transport, model, hint }
}

/** What to check if a server fails, and if it denies access. */
function hintOf({ credentials }: EngineEndpoint, reach: string): EngineHint {
  return credentials ? { reach, access: `Check ${credentials}.` } : { reach }
}

/** @throws CoordinatorError `internal` naming the variable that needs the binding */
function boundAi(ai: WorkersAi | undefined, variable: string): WorkersAi {
  if (ai) return ai
  throw new CoordinatorError('internal', `${variable} is set, but the Worker has no binding AI.`, {
    field: variable,
    hint: 'Uncomment [ai] in wrangler.toml, or remove the variable.',
  })
}

/** The local model from `LLAMA_CPP_BASE_URL`, or from `WORKERS_AI_LOCAL_MODEL`; null if neither is set. */
export function openChatModel(settings: Settings, ai?: WorkersAi): StreamingChatModel | null {
  // A model that takes a minute to think is not broken, and few servers can answer many requests concurrently.
  return openChat('local', 'chat', settings, ai, 8)
}

/**
 * The remote model from `REMOTE_MODEL_BASE_URL`, any OpenAI-compatible server, or from `WORKERS_AI_REMOTE_MODEL`; null
 * if neither is set.
 */
export function openRemoteModel(settings: Settings, ai?: WorkersAi): StreamingChatModel | null {
  return openChat('remote', 'remote chat', settings, ai, 16)
}

function openChat(
  side: 'local' | 'remote',
  key: string,
  settings: Settings,
  ai: WorkersAi | undefined,
  concurrent: number,
): StreamingChatModel | null {
  const chat = configuredChat(side, settings, ai)
  if (!chat) return null
  const engine = engineAt(key, chat.address, () => {
    const deadlineMs = settings.GENERATION_SECONDS * 1000
    const policy = { deadlineMs, attempts: 2, concurrent, failures: 3, openMs: 15_000 }
    return new Engine(`The ${side} model`, chat.hint, policy)
  })
  const model = chat.model ?? undefined
  return chat.llama
    ? new LlamaCppChat(chat.llama, engine, model)
    : new OpenAiChat(chat.name, chat.transport, engine, model)
}

/** The endpoint of the remote model, with its credentials. */
export function remoteEndpoint(url: string, settings: Settings): EngineEndpoint {
  return endpointOf(url, 'REMOTE_MODEL', settings)
}

/** The endpoint of a server with OpenAI's API, with the key and the Access service token from its variables. */
function endpointOf(url: string, prefix: 'LLAMA_CPP' | 'REMOTE_MODEL', settings: Settings): EngineEndpoint {
  const [id, secret] = [`${prefix}_ACCESS_CLIENT_ID`, `${prefix}_ACCESS_CLIENT_SECRET`] as const
  const key = settings[`${prefix}_API_KEY`]
  return {
    baseUrl: normalBaseUrl(url),
    apiUrl: openAiBase(url),
    headers: { ...(key && { authorization: `Bearer ${key}` }), ...accessHeaders(settings[id], settings[secret]) },
    credentials: `${prefix}_API_KEY, ${id} and ${secret}`,
  }
}

/**
 * Engines that can embed. By default, the first configured one is used; AIDB embeds only if it is chosen explicitly.
 */
const EMBEDDERS = ['llama.cpp', 'workers-ai', 'aidb'] as const
type EmbedderName = (typeof EMBEDDERS)[number]

/** The engine that embeds; null: a built-in embedder. */
export function chosenEmbedder(settings: Settings): EmbedderName | null {
  if (settings.EMBEDDER === 'static' || settings.EMBEDDER === 'minilm') return null
  if (settings.EMBEDDER) return settings.EMBEDDER
  if (settings.LLAMA_CPP_EMBEDDINGS_URL) return 'llama.cpp'
  return settings.WORKERS_AI_EMBEDDING_MODEL ? 'workers-ai' : null
}

/**
 * The engine that the settings choose as embedder; null: a built-in embedder.
 * @throws CoordinatorError `internal` if the settings don't define its space, or its engine isn't configured
 */
export function openEmbedder(settings: Settings, ai?: WorkersAi): Embedder | null {
  const chosen = chosenEmbedder(settings)
  return chosen && openEmbedderOf(chosen, settings, ai)
}

/** Configured embedders that are not chosen. They can still embed questions for collections in their space. */
export function otherEmbedders(settings: Settings, ai?: WorkersAi): Embedder[] {
  const chosen = chosenEmbedder(settings)
  const set = {
    'llama.cpp': settings.LLAMA_CPP_EMBEDDINGS_URL && settings.EMBEDDING_MODEL,
    'workers-ai': settings.WORKERS_AI_EMBEDDING_MODEL && ai,
    aidb: false,
  }
  return EMBEDDERS.filter((name) => name !== chosen && set[name]).map((name) => openEmbedderOf(name, settings, ai))
}

function openEmbedderOf(name: EmbedderName, settings: Settings, ai: WorkersAi | undefined): Embedder {
  return new CachedEmbedder(uncachedEmbedder(name, settings, ai), cache)
}

function uncachedEmbedder(name: EmbedderName, settings: Settings, ai: WorkersAi | undefined): Embedder {
  if (name === 'workers-ai') {
    const variable = 'WORKERS_AI_EMBEDDING_MODEL'
    const served = needed(settings[variable], variable)
    const engine = engineAt('embeddings', served, () => {
      return new Engine('The embedding model', `Check ${variable} and the account's Workers AI.`)
    })
    return new WorkersAiEmbedder(boundAi(ai, variable), engine, embeddingModel(settings, served), served)
  }
  if (name === 'aidb') {
    const endpoint = aidbEndpoint(needed(settings.AIDB_URL, 'AIDB_URL'), settings)
    const engine = engineAt('embeddings', endpoint.baseUrl, () => {
      return new Engine('AIDB', 'Check AIDB_URL and that AIDB is reachable from the Worker.')
    })
    return new AidbEmbedder(endpoint, engine, embeddingModel(settings))
  }
  const variable = 'LLAMA_CPP_EMBEDDINGS_URL'
  const endpoint = llamaEndpoint(needed(settings[variable], variable), settings)
  const engine = engineAt('embeddings', endpoint.baseUrl, () => {
    return new Engine('The embedding server', hintOf(endpoint, `Check ${variable} ${CHECK}`))
  })
  return new LlamaCppEmbedder(endpoint, engine, embeddingModel(settings))
}

/** @throws CoordinatorError `internal` naming the variable that the chosen embedder needs */
function needed(value: string | undefined, variable: string): string {
  if (value) return value
  throw new CoordinatorError('internal', `The embedder that EMBEDDER names needs ${variable}.`, {
    field: variable,
    hint: `Set ${variable}, or choose another EMBEDDER.`,
  })
}

/** The ranked list from `AIDB_URL`; null if it isn't set. */
export function openAidb(settings: Settings): ExternalList | null {
  if (!settings.AIDB_URL) return null
  const endpoint = aidbEndpoint(settings.AIDB_URL, settings)
  const engine = engineAt('aidb', endpoint.baseUrl, () => {
    return new Engine('AIDB', 'Check AIDB_URL and that AIDB is reachable from the Worker.', { backoffMs: 50 })
  })
  return new AidbList(endpoint, engine)
}

/** The endpoint of AIDB, with its key. */
export function aidbEndpoint(url: string, { AIDB_API_KEY: key }: Settings): EngineEndpoint {
  return {
    baseUrl: url.replace(/\/+$/, ''),
    headers: key ? { authorization: `Bearer ${key}` } : {},
    credentials: 'AIDB_API_KEY',
  }
}

/** The reranker from `LLAMA_CPP_RERANK_URL`; null if it isn't set. */
export function openReranker(settings: Settings): Reranker | null {
  if (!settings.LLAMA_CPP_RERANK_URL) return null
  const endpoint = llamaEndpoint(settings.LLAMA_CPP_RERANK_URL, settings)
  const engine = engineAt('reranker', endpoint.baseUrl, () => {
    return new Engine('The reranking server', hintOf(endpoint, `Check LLAMA_CPP_RERANK_URL ${CHECK}`))
  })
  return new LlamaCppReranker(endpoint, engine)
}

/**
 * The embedding model from the settings: a known model by its name, or a model that the settings describe completely.
 * @throws CoordinatorError `internal` naming the missing variable
 */
export function embeddingModel(settings: Settings, name = settings.EMBEDDING_MODEL): EmbeddingModel {
  const { EMBEDDING_DIMENSIONS: dimensions } = settings
  if (!name) {
    throw new CoordinatorError('internal', 'Set EMBEDDING_MODEL to the name of the embedding model.', {
      field: 'EMBEDDING_MODEL',
      hint: 'Set it to the model that the server was started with, e.g. nomic-embed-text-v1.5.',
    })
  }
  const known = knownEmbeddingModel(name)
  if (!known && dimensions === undefined) {
    throw new CoordinatorError('internal', `EMBEDDING_DIMENSIONS has to say how long the vectors of ${name} are.`, {
      field: 'EMBEDDING_DIMENSIONS',
      hint: 'llama.cpp says it in /v1/models as n_embd; else see the model card.',
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

/** The endpoint of a llama.cpp server, with its credentials. */
export function llamaEndpoint(url: string, settings: Settings): EngineEndpoint {
  return endpointOf(url, 'LLAMA_CPP', settings)
}
