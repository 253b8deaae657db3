/**
 * An embedder for a llama.cpp server, or any other server with OpenAI's API.
 * @module
 */
import * as z from 'zod'
import { askEngine, type EngineEndpoint } from '../engine/http.ts'
import type { Engine } from '../engine/resilience.ts'
import type { EmbeddingModel } from './embedding-models.ts'
import { ModelEmbedder, notOneForEach } from './model-embedder.ts'

const reply = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.unknown()) })),
})

export class LlamaCppEmbedder extends ModelEmbedder {
  /** @param served name to request, if the server has several models (router mode) */
  constructor(endpoint: EngineEndpoint, engine: Engine, model: EmbeddingModel, served?: string) {
    super('llama.cpp', model, engine, async (input, signal) => {
      const body = { input, encoding_format: 'float', ...(served !== undefined && { model: served }) }
      const parsed = reply.safeParse(await askEngine(endpoint, '/v1/embeddings', body, signal))
      if (!parsed.success || parsed.data.data.length !== input.length) throw notOneForEach()
      const vectors = new Map(parsed.data.data.map(({ index, embedding }) => [index, embedding]))
      return input.map((_, at) => vectors.get(at))
    })
  }
}
