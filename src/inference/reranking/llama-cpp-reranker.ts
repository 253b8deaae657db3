/**
 * A llama.cpp server that was started with a reranking model (`llama-server --rerank`).
 * @module
 */

import * as z from 'zod'
import { logistic } from '../../statistics.ts'
import { askEngine, type EngineEndpoint } from '../engine/http.ts'
import { type Engine, EngineFailure } from '../engine/resilience.ts'
import type { Reranker } from './reranker.ts'

/** Deadline in milliseconds. Every answer waits for it, so it must be short. */
const DEADLINE_MS = 1_500
/** Maximum characters read from a passage. */
const MAX_PASSAGE_LENGTH = 2_000

const reply = z.object({
  results: z.array(z.object({ index: z.int().min(0), relevance_score: z.number() })),
})

export class LlamaCppReranker implements Reranker {
  readonly name = 'llama.cpp'
  readonly #endpoint: EngineEndpoint
  readonly #engine: Engine

  constructor(endpoint: EngineEndpoint, engine: Engine) {
    this.#endpoint = endpoint
    this.#engine = engine
  }

  /** Converts the server's scores from log-odds to probabilities. */
  rerank(query: string, passages: readonly string[]): Promise<number[]> {
    const documents = passages.map((passage) => passage.slice(0, MAX_PASSAGE_LENGTH).toWellFormed())
    return this.#engine.call(
      async (signal) => {
        const body = await askEngine(this.#endpoint, '/v1/rerank', { query, documents }, signal)
        const scores = new Map(
          reply.safeParse(body).data?.results.map((result) => [result.index, result.relevance_score]),
        )
        return passages.map((_, index) => {
          const score = scores.get(index)
          if (score === undefined || !Number.isFinite(score)) {
            throw new EngineFailure('invalid', 'did not answer with one score for each passage')
          }
          return logistic(score)
        })
      },
      { repeatable: true, deadlineMs: DEADLINE_MS },
    )
  }
}
