/**
 * Embedding models on any engine: handles batches, prefixes, texts that are too long, and vectors that don't match the
 * space. The space (name and size) comes from the configuration, not from the engine, so that it is known while the
 * engine is down: items stored in the meantime wait for vectors of the right space.
 * @module
 */
import { CoordinatorError } from '../../errors.ts'
import { clip } from '../../text/clip.ts'
import { shownLimit, type Truncation } from '../../text/truncation.ts'
import { type Engine, EngineFailure, isTimeout } from '../engine/resilience.ts'
import { BatchSize } from './batch-size.ts'
import type { EmbeddedBatch, Embedder, Embedding, EmbeddingPurpose, EmbeddingSpace } from './embedder.ts'
import type { EmbeddingModel } from './embedding-models.ts'
import { vectorTruncation } from './truncation.ts'

/** Maximum characters of one request. A server reads a few thousand tokens per second. */
const BATCH_CHARACTERS = 60_000
/** Characters kept per token of the model's context. A text that is still too long is shortened further. */
const CHARACTERS_PER_TOKEN = 3
/** A text that would have to be shorter than this to fit gets no vector, in characters. */
const MIN_CLIP_LENGTH = 64
const QUERY_DEADLINE_MS = 2_000
/** Deadline of one request of documents. */
const DOCUMENT_DEADLINE_MS = 30_000

/** The measured speed of each engine in this isolate. */
const sizes = new WeakMap<Engine, BatchSize>()

/**
 * Requests the raw vectors of texts from the engine, one per text, in order.
 * @throws EngineFailure
 */
export type AskForVectors = (
  texts: readonly string[],
  signal: AbortSignal,
) => Promise<readonly (readonly unknown[] | undefined)[]>

export class ModelEmbedder implements Embedder {
  readonly space: EmbeddingSpace
  readonly #engine: Engine
  readonly #model: EmbeddingModel
  readonly #ask: AskForVectors

  /** @param host the provider of the model; part of the space's name, because two providers may run it differently */
  constructor(host: string, model: EmbeddingModel, engine: Engine, ask: AskForVectors) {
    this.space = { name: `${host}/${model.name}`, dimensions: model.dimensions }
    this.#engine = engine
    this.#model = model
    this.#ask = ask
  }

  async embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]> {
    const embeddings: Embedding[] = texts.map(() => ({ vector: null, coverage: 0 }))
    for await (const batch of this.#batches(texts, purpose, Number.POSITIVE_INFINITY)) {
      batch.at.forEach((at, i) => {
        embeddings[at] = batch.embeddings[i] ?? { vector: null, coverage: 0 }
      })
    }
    return embeddings
  }

  truncation(text: string, purpose: EmbeddingPurpose): Truncation | null {
    const longest = this.#longest(purpose)
    return text.length <= longest
      ? null
      : vectorTruncation(purpose, longest, `about the first ${shownLimit(longest)} characters`)
  }

  /** Number of characters of a text that fit in the model's context, approximately. */
  #longest(purpose: EmbeddingPurpose): number {
    return this.#model.contextTokens * CHARACTERS_PER_TOKEN - this.#prefix(purpose).length
  }

  #prefix(purpose: EmbeddingPurpose): string {
    return purpose === 'query' ? this.#model.queryPrefix : this.#model.documentPrefix
  }

  embedDocuments(texts: readonly string[], milliseconds: number): AsyncGenerator<EmbeddedBatch, void, void> {
    return this.#batches(texts, 'document', milliseconds)
  }

  /**
   * If a batch takes too long, it is reduced and sent again. The first request of a call always contains at least one
   * text, even if the last answer was slow: otherwise a single slow answer would stop the embedding of documents until
   * the isolate ends.
   */
  async *#batches(
    texts: readonly string[],
    purpose: EmbeddingPurpose,
    milliseconds: number,
  ): AsyncGenerator<EmbeddedBatch, void, void> {
    const end = Date.now() + milliseconds
    const size = sizes.get(this.#engine) ?? new BatchSize()
    sizes.set(this.#engine, size)
    const prefix = this.#prefix(purpose)
    const longest = this.#longest(purpose)
    const prepared = texts.map((text) => (text.trim() === '' ? null : prefix + clip(text, longest)))
    const blank = positions(prepared, (text) => text === null)
    if (blank.length > 0) yield { at: blank, embeddings: blank.map(() => ({ vector: null, coverage: 0 })) }
    const left = positions(prepared, (text) => text !== null)
    for (let requests = 0; left.length > 0; requests++) {
      const deadlineMs = Math.min(purpose === 'query' ? QUERY_DEADLINE_MS : DOCUMENT_DEADLINE_MS, end - Date.now())
      const atMost = Math.max(size.within(deadlineMs), requests === 0 ? 1 : 0)
      const at = left.slice(0, batchLength(left, prepared, atMost))
      if (at.length === 0) return
      const started = Date.now()
      try {
        const vectors = await this.#embedBatch(
          at.map((position) => prepared[position] ?? ''),
          purpose,
          deadlineMs,
        )
        // The clock may have changed. A request never takes longer than its deadline.
        size.answered(at.length, Math.min(Date.now() - started, deadlineMs))
        yield { at, embeddings: vectors.map((vector) => ({ vector, coverage: vector ? 1 : 0 })) }
        left.splice(0, at.length)
      } catch (error) {
        if (!isTimeout(error)) throw error
        size.timedOut(at.length)
        if (purpose === 'query' || at.length === 1 || Date.now() >= end) throw error
      }
    }
  }

  /**
   * If the server rejects a text as too long, the text is shortened until it fits. It doesn't make the rest of its
   * batch fail.
   */
  async #embedBatch(
    texts: readonly string[],
    purpose: EmbeddingPurpose,
    deadlineMs: number,
  ): Promise<(Float32Array | null)[]> {
    try {
      return await this.#request(texts, deadlineMs)
    } catch (error) {
      if (!(error instanceof TooLong)) throw error
    }
    const vectors: (Float32Array | null)[] = []
    const aloneMs = purpose === 'query' ? QUERY_DEADLINE_MS : DOCUMENT_DEADLINE_MS
    for (const text of texts) vectors.push(await this.#embedAlone(text, aloneMs))
    return vectors
  }

  async #embedAlone(text: string, deadlineMs: number): Promise<Float32Array | null> {
    let length = text.length
    do {
      try {
        const [vector] = await this.#request([clip(text, length)], deadlineMs)
        return vector ?? null
      } catch (error) {
        if (!(error instanceof TooLong)) throw error
      }
      length = Math.floor(length / 2)
    } while (length >= MIN_CLIP_LENGTH)
    return null
  }

  #request(input: readonly string[], deadlineMs: number): Promise<Float32Array[]> {
    return this.#engine.call(
      async (signal) => {
        try {
          return this.#read(await this.#ask(input, signal), input.length)
        } catch (error) {
          if (error instanceof EngineFailure && error.kind === 'refused' && /longer than/.test(error.message)) {
            throw new TooLong()
          }
          throw error
        }
      },
      { repeatable: true, deadlineMs },
    )
  }

  /** Unit vectors in the order of the texts. If one doesn't match the space, the whole answer is rejected. */
  #read(answer: readonly (readonly unknown[] | undefined)[], count: number): Float32Array[] {
    if (answer.length !== count) throw notOneForEach()
    return Array.from(answer, (values) => {
      if (!values) throw notOneForEach()
      if (values.length !== this.space.dimensions) {
        throw new EngineFailure(
          'refused',
          `gave vectors of ${values.length} numbers where ${this.space.name} has ${this.space.dimensions}`,
        )
      }
      const vector = unitVector(values)
      if (!vector) throw new EngineFailure('invalid', 'gave a vector that is not made of finite numbers')
      return vector
    })
  }
}

/** The failure for an answer with too few vectors, too many, or something else. */
export function notOneForEach(): EngineFailure {
  return new EngineFailure('invalid', 'did not answer with one embedding for each text')
}

/** Used only within this module. */
class TooLong extends CoordinatorError {
  constructor() {
    super('engine_unavailable', 'A text is longer than the embedding model takes.')
  }
}

/** Scales a vector to length 1. Returns null if a value isn't a finite number or all values are zero. */
export function unitVector(values: readonly unknown[]): Float32Array | null {
  let sum = 0
  for (const value of values) {
    if (typeof value !== 'number' || !Number.isFinite(value)) return null
    sum += value * value
  }
  const norm = Math.sqrt(sum)
  return norm > 0 && Number.isFinite(norm) ? Float32Array.from(values as number[], (value) => value / norm) : null
}

function positions<T>(all: readonly T[], holds: (one: T) => boolean): number[] {
  return all.flatMap((one, at) => (holds(one) ? [at] : []))
}

/** Number of texts in the next request: limited in count and total size. A text that exceeds the size is sent alone. */
function batchLength(left: readonly number[], texts: readonly (string | null)[], atMost: number): number {
  let characters = 0
  for (let count = 0; count < Math.min(atMost, left.length); count++) {
    characters += texts[left[count] ?? 0]?.length ?? 0
    if (count > 0 && characters > BATCH_CHARACTERS) return count
  }
  return Math.min(atMost, left.length)
}
