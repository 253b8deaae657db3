/**
 * Embedding models behind an engine, whichever it is: batches, prefixes, texts that are too long, and vectors that are not what the
 * space promises. The space (name and size) comes from the configuration, not from the engine, so that it is known while the
 * engine is down: what is stored then waits for vectors of the right space.
 * @module
 */
import { CoordinatorError } from '../../errors.ts'
import { type Engine, EngineFailure } from '../engine/resilience.ts'
import type { Embedder, Embedding, EmbeddingPurpose, EmbeddingSpace } from './embedder.ts'
import type { EmbeddingModel } from './embedding-models.ts'

/** Texts of one request. */
const BATCH = 32
/** Characters of one request; a server reads a few thousand tokens a second. */
const BATCH_CHARACTERS = 60_000
/** No tokenizer makes more than one token of each of these characters, so a text of so many always fits. */
const CHARACTERS_PER_TOKEN = 3
/** A text that doesn't fit even so has no vector, in characters. */
const MIN_CLIP_LENGTH = 64
const QUERY_DEADLINE_MS = 2_000
const DOCUMENT_DEADLINE_MS = 30_000

/**
 * Asks for the vectors of texts, one for each and in their order, as the engine sends them.
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

  /** @param host names who runs the model; part of the space's name, since two hosts may run it differently */
  constructor(host: string, model: EmbeddingModel, engine: Engine, ask: AskForVectors) {
    this.space = { name: `${host}/${model.name}`, dimensions: model.dimensions }
    this.#engine = engine
    this.#model = model
    this.#ask = ask
  }

  async embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]> {
    const prefix = purpose === 'query' ? this.#model.queryPrefix : this.#model.documentPrefix
    const longest = this.#model.contextTokens * CHARACTERS_PER_TOKEN - prefix.length
    const prepared = texts.map((text) => (text.trim() === '' ? null : prefix + clip(text, longest)))
    const embeddings: Embedding[] = texts.map(() => ({ vector: null, coverage: 0 }))
    for (const batch of batches(prepared)) {
      const vectors = await this.#embedBatch(
        batch.map((at) => prepared[at] ?? ''),
        purpose,
      )
      vectors.forEach((vector, i) => {
        embeddings[batch[i] ?? 0] = { vector, coverage: vector ? 1 : 0 }
      })
    }
    return embeddings
  }

  /** A text that the server finds too long is shortened until it fits; it never takes its batch down with it. */
  async #embedBatch(texts: readonly string[], purpose: EmbeddingPurpose): Promise<(Float32Array | null)[]> {
    try {
      return await this.#request(texts, purpose)
    } catch (error) {
      if (!(error instanceof TooLong)) throw error
    }
    const vectors: (Float32Array | null)[] = []
    for (const text of texts) vectors.push(await this.#embedAlone(text, purpose))
    return vectors
  }

  async #embedAlone(text: string, purpose: EmbeddingPurpose): Promise<Float32Array | null> {
    let length = text.length
    do {
      try {
        const [vector] = await this.#request([clip(text, length)], purpose)
        return vector ?? null
      } catch (error) {
        if (!(error instanceof TooLong)) throw error
      }
      length = Math.floor(length / 2)
    } while (length >= MIN_CLIP_LENGTH)
    return null
  }

  #request(input: readonly string[], purpose: EmbeddingPurpose): Promise<Float32Array[]> {
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
      { repeatable: true, deadlineMs: purpose === 'query' ? QUERY_DEADLINE_MS : DOCUMENT_DEADLINE_MS },
    )
  }

  /** Unit vectors in the order of the texts. One that isn't what the space promises makes the whole reply worthless. */
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

/** What an engine's answer is that has too few vectors, too many, or something else. */
export function notOneForEach(): EngineFailure {
  return new EngineFailure('invalid', 'did not answer with one embedding for each text')
}

/** Told apart from other errors inside this module only. */
class TooLong extends CoordinatorError {
  constructor() {
    super('engine_unavailable', 'A text is longer than the embedding model takes.')
  }
}

/** Scaled to length 1; null when a value isn't a finite number or all are zero. */
export function unitVector(values: readonly unknown[]): Float32Array | null {
  let sum = 0
  for (const value of values) {
    if (typeof value !== 'number' || !Number.isFinite(value)) return null
    sum += value * value
  }
  const norm = Math.sqrt(sum)
  return norm > 0 && Number.isFinite(norm) ? Float32Array.from(values as number[], (value) => value / norm) : null
}

/** Positions of the texts that can be embedded, in requests of bounded size. */
function batches(texts: readonly (string | null)[]): number[][] {
  const all: number[][] = []
  let characters = 0
  texts.forEach((text, at) => {
    if (text === null) return
    const last = all.at(-1)
    if (last && last.length < BATCH && characters + text.length <= BATCH_CHARACTERS) last.push(at)
    else {
      all.push([at])
      characters = 0
    }
    characters += text.length
  })
  return all
}

/** The beginning of a text, never ending in half of a surrogate pair. */
function clip(text: string, length: number): string {
  return text.length <= length
    ? text
    : text
        .slice(0, length)
        .toWellFormed()
        .replace(/\ufffd$/, '')
}
