/**
 * Dependency checks for the models that the settings name.
 * @module
 */
import type { Settings } from '../settings.ts'
import { MINILM_SPACE } from './embedding/minilm/model.ts'
import { miniLmLoader } from './embedding/minilm/open.ts'
import { askModelServer, askReachable, askServer } from './engine/ask-server.ts'
import type { Dependency } from './engine/dependency.ts'
import { atApi, type EngineEndpoint } from './engine/http.ts'
import {
  aidbEndpoint,
  chosenEmbedder,
  embeddingModel,
  knownEngine,
  llamaEndpoint,
  remoteEndpoint,
} from './open-models.ts'

/** A model server, checked with free read requests. */
function server(
  name: string,
  key: string,
  endpoint: EngineEndpoint,
  ask = (signal: AbortSignal) => askModelServer(endpoint, signal),
): Dependency {
  return {
    name,
    required: false,
    uses: new URL(endpoint.baseUrl).host,
    ask,
    engine: knownEngine(key, endpoint.baseUrl),
  }
}

/** The embedding server. Its vectors must have the size given in the settings. */
function embeddingServer(endpoint: EngineEndpoint, settings: Settings): Dependency {
  return server('embedder', 'embeddings', endpoint, (signal) =>
    askModelServer(endpoint, signal, embeddingModel(settings).dimensions),
  )
}

/** A server that is only known to have OpenAI's API. */
function openAiServer(name: string, key: string, endpoint: EngineEndpoint): Dependency {
  return server(name, key, endpoint, (signal) => askServer(atApi(endpoint), '/models', signal))
}

/** A Workers AI model. There is no free check, so the state comes from its breaker in this isolate. */
function hosted(name: string, key: string, model: string): Dependency {
  const engine = knownEngine(key, model)
  return {
    name,
    required: false,
    uses: `workers-ai ${model}`,
    ask: async () =>
      engine?.state === 'open' ? { state: 'down', error: 'failed repeatedly a moment ago' } : { state: 'ok' },
    engine,
  }
}

/** All dependencies on models. */
export function modelDependencies(settings: Settings): Dependency[] {
  const { LLAMA_CPP_BASE_URL: chat, LLAMA_CPP_EMBEDDINGS_URL: embeddings, AIDB_URL: aidb } = settings
  const { LLAMA_CPP_RERANK_URL: reranker, REMOTE_MODEL_BASE_URL: remote } = settings
  const { WORKERS_AI_LOCAL_MODEL: localModel, WORKERS_AI_REMOTE_MODEL: remoteModel } = settings
  const { WORKERS_AI_EMBEDDING_MODEL: hostedEmbedder } = settings
  const embedder = chosenEmbedder(settings)
  const found: (Dependency | false | '' | undefined)[] = [
    chat
      ? server('local_model', 'chat', llamaEndpoint(chat, settings))
      : localModel && hosted('local_model', 'chat', localModel),
    embedder === 'llama.cpp' && embeddings && embeddingServer(llamaEndpoint(embeddings, settings), settings),
    embedder === 'workers-ai' && hostedEmbedder && hosted('embedder', 'embeddings', hostedEmbedder),
    embedder === null && settings.EMBEDDER !== 'static' && builtIn(),
    embedder === 'aidb' && aidb && external('embedder', 'embeddings', aidbEndpoint(aidb, settings)),
    reranker && server('reranker', 'reranker', llamaEndpoint(reranker, settings)),
    remote
      ? openAiServer('remote_model', 'remote chat', remoteEndpoint(remote, settings))
      : remoteModel && hosted('remote_model', 'remote chat', remoteModel),
    aidb && external('aidb', 'aidb', aidbEndpoint(aidb, settings)),
  ]
  return found.filter((dependency) => typeof dependency === 'object')
}

/** The built-in sentence embedder. Not loaded yet counts as available; a failed load is reported. */
function builtIn(): Dependency {
  return {
    name: 'embedder',
    required: false,
    uses: MINILM_SPACE.name,
    ask: async () => {
      const failure = miniLmLoader()?.failure ?? null
      return failure === null ? { state: 'ok' } : { state: 'down', error: failure }
    },
  }
}

/** AIDB documents no health endpoint: any answer to a GET request means that it is available. */
function external(name: string, key: string, endpoint: EngineEndpoint): Dependency {
  return { ...server(name, key, endpoint), ask: (signal) => askReachable(endpoint, '/health', signal) }
}
