/**
 * AIDB, an external knowledge service: provides a ranked list for searches, and an embedder.
 * @module
 */
import * as z from 'zod'
import { askEngine, type EngineEndpoint } from '../engine/http.ts'
import { type Engine, EngineFailure } from '../engine/resilience.ts'
import type { EmbeddingModel } from './embedding-models.ts'
import { ModelEmbedder, notOneForEach } from './model-embedder.ts'

/** Deadline in milliseconds. Every answer waits for it, so it must be short. */
const DEADLINE_MS = 1_500
/** Maximum characters read from one result. */
const MAX_CONTENT_LENGTH = 20_000

/** One result of an external list. */
export interface ExternalResult {
  readonly content: string
  /** The service's own score, on its own scale. */
  readonly score: number
}

/** An external service that provides a ranked list. */
export interface ExternalList {
  /** Its name in `degraded`. */
  readonly name: string
  /**
   * Results for a query, best first. Results without text are omitted.
   * @throws CoordinatorError `engine_unavailable` if no complete answer arrives before the deadline
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
