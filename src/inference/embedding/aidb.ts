/**
 * AIDB, an external knowledge service: one more ranked list for a search, and an embedder.
 * @module
 */
import * as z from 'zod'
import { askEngine, type EngineEndpoint } from '../engine/http.ts'
import { type Engine, EngineFailure } from '../engine/resilience.ts'
import type { EmbeddingModel } from './embedding-models.ts'
import { ModelEmbedder, notOneForEach } from './model-embedder.ts'

/** It stands before every answer, so it may not take long, in milliseconds. */
const DEADLINE_MS = 1_500
/** Characters of one result that are read. */
const MAX_CONTENT_LENGTH = 20_000

/** One result of an external list, best first. */
export interface ExternalResult {
  readonly content: string
  /** As the service scores it, on a scale of its own. */
  readonly score: number
}

/** A service outside the coordinator that makes one more ranked list. */
export interface ExternalList {
  /** Its name in `degraded`. */
  readonly name: string
  /**
   * Its results for a query, best first; results without text are left out.
   * @throws CoordinatorError `engine_unavailable` when no whole answer comes within the deadline
   */
  search(project: string, query: string, limit: number): Promise<ExternalResult[]>
}

const found = z.object({
  results: z.array(z.looseObject({ content: z.string(), score: z.number() })),
})

export class AidbList implements ExternalList {
  readonly name = 'aidb'
  readonly #endpoint: EngineEndpoint
  readonly #engine: Engine

  constructor(endpoint: EngineEndpoint, engine: Engine) {
    this.#endpoint = endpoint
    this.#engine = engine
  }

  search(project: string, query: string, limit: number): Promise<ExternalResult[]> {
    return this.#engine.call(
      async (signal) => {
        const answer = await askEngine(this.#endpoint, '/vector/search', { query, limit, project }, signal)
        const parsed = found.safeParse(answer)
        if (!parsed.success || parsed.data.results.some(({ score }) => !Number.isFinite(score))) {
          throw new EngineFailure('invalid', 'did not answer with results that have content and score')
        }
        return parsed.data.results
          .map(({ content, score }) => ({ content: content.slice(0, MAX_CONTENT_LENGTH).toWellFormed(), score }))
          .filter(({ content }) => content.trim() !== '')
          .sort((a, b) => b.score - a.score)
          .slice(0, limit)
      },
      { repeatable: true, deadlineMs: DEADLINE_MS },
    )
  }
}

const list = z.array(z.array(z.unknown()))
const embedded = z.union([z.object({ embeddings: list }), list.transform((embeddings) => ({ embeddings }))])

export class AidbEmbedder extends ModelEmbedder {
  constructor(endpoint: EngineEndpoint, engine: Engine, model: EmbeddingModel) {
    super('aidb', model, engine, async (texts, signal) => {
      const parsed = embedded.safeParse(await askEngine(endpoint, '/vector/embed', { texts }, signal))
      if (!parsed.success) throw notOneForEach()
      return parsed.data.embeddings
    })
  }
}
