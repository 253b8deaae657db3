/**
 * The interface of embedders: the built-in sentence embedder and word table, llama.cpp, Workers AI.
 * @module
 */

import type { Truncation } from '../../text/truncation.ts'

/** An embedding space. Vectors of different spaces are never compared. */
export interface EmbeddingSpace {
  /** Model and version, e.g. `static-256-v1`. Stored with every collection. */
  readonly name: string
  readonly dimensions: number
}

/** Whether two spaces have the same name and size. Null equals no space. */
export function sameSpace(a: EmbeddingSpace | null, b: EmbeddingSpace): boolean {
  return a !== null && a.name === b.name && a.dimensions === b.dimensions
}

/** Models trained with prefixes embed questions and passages differently. */
export type EmbeddingPurpose = 'query' | 'document'

export interface Embedding {
  /** Unit vector of length `space.dimensions`; null if the model knows nothing in the text. Never a zero vector. */
  readonly vector: Float32Array | null
  /**
   * Share of the text's words (weighted by information) that the model knows, 0 to 1. If it is low, rely on keyword
   * search.
   */
  readonly coverage: number
}

/** What a client that computes vectors needs, and how the server checks it. */
export interface ClientVectors {
  /** The part of a document's text to embed. */
  textOf(text: string): string
  /**
   * Checks whether a client's vector matches a document.
   * @param vector null: the client found no word in the text
   * @throws CoordinatorError `engine_unavailable` if it can't be checked now
   */
  verify(text: string, vector: Float32Array | null): Promise<boolean>
}

/** Minimum cosine between a client's vector and the server's: allows only for the loss by int8 codes. */
const MIN_COSINE = 0.98

/** Whether a client's vector equals the one that the server computed for the same text; null: the text has none. */
export function isVector(claimed: Float32Array | null, own: Float32Array | null): boolean {
  return claimed && own ? cosine(claimed, own) >= MIN_COSINE : claimed === own
}

/** Cosine of two unit vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

/** The result of one request to an engine. */
export interface EmbeddedBatch {
  /** Indices of the texts. */
  readonly at: readonly number[]
  readonly embeddings: readonly Embedding[]
}

export interface Embedder {
  readonly space: EmbeddingSpace
  /** Whether documents are embedded by a later job because they need too much CPU. Default: embedded immediately. */
  readonly defersDocuments?: boolean
  /** How clients can compute the vectors of documents. Missing: only the server computes them. */
  readonly clients?: ClientVectors
  /** What the vector of a text doesn't represent; null: nothing is left out. Missing: the embedder reads every text whole. */
  truncation?(text: string, purpose: EmbeddingPurpose): Truncation | null
  /**
   * Embeds texts. Returns one embedding per text, in order.
   * @throws CoordinatorError `engine_unavailable` if the engine doesn't answer
   */
  embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]>
  /**
   * Embeds documents and yields the result of each request, so that it can be stored even if a later one fails. Ends
   * early when the time is up. Missing: `embed` makes a single request.
   * @param milliseconds time limit for all requests together
   * @throws CoordinatorError `engine_unavailable`
   */
  embedDocuments?(texts: readonly string[], milliseconds: number): AsyncGenerator<EmbeddedBatch, void, void>
}

/** The documents' embeddings, in batches if the embedder supports them; see {@link Embedder.embedDocuments}. */
export async function* embeddedBatches(
  embedder: Embedder,
  texts: readonly string[],
  milliseconds: number,
): AsyncGenerator<EmbeddedBatch, void, void> {
  if (embedder.embedDocuments) yield* embedder.embedDocuments(texts, milliseconds)
  else yield { at: texts.map((_, i) => i), embeddings: await embedder.embed(texts, 'document') }
}

/** Whether stored items may have to wait for their vectors. */
export function embedsLater(embedder: Embedder): boolean {
  return embedder.defersDocuments === true || embedder.embedDocuments !== undefined
}
