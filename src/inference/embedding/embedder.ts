/**
 * What every source of embeddings offers: the built-in sentence embedder and word table, llama.cpp, Workers AI.
 * @module
 */

/** Vectors of two different spaces are never compared. */
export interface EmbeddingSpace {
  /** Names model and version, e.g. `static-256-v1`; stored with every collection. */
  readonly name: string
  readonly dimensions: number
}

/** Whether two spaces are the same: name and size. No space is like null. */
export function sameSpace(a: EmbeddingSpace | null, b: EmbeddingSpace): boolean {
  return a !== null && a.name === b.name && a.dimensions === b.dimensions
}

/** Models trained with prefixes embed a question and a passage differently. */
export type EmbeddingPurpose = 'query' | 'document'

export interface Embedding {
  /** Unit length, `space.dimensions` long; null when the text holds nothing that the model knows. Never a zero vector. */
  readonly vector: Float32Array | null
  /** Share of the text's words (weighted by information) that the model knows, 0 to 1. Low: let keyword search decide. */
  readonly coverage: number
}

/** What a client needs that computes vectors itself, and how it is checked. */
export interface ClientVectors {
  /** The part of a document's text that is embedded. */
  textOf(text: string): string
  /**
   * Whether a client's vector is the one of a document.
   * @param vector null: the client found no word in it
   * @throws CoordinatorError `engine_unavailable` when that can't be said now
   */
  verify(text: string, vector: Float32Array | null): Promise<boolean>
}

/** A client's vector may differ from the server's by what int8 codes lose, and no more. */
const MIN_COSINE = 0.98

/** Whether a client's vector is the one that the server has computed of the same text; null: the text has none. */
export function isVector(claimed: Float32Array | null, own: Float32Array | null): boolean {
  return claimed && own ? cosine(claimed, own) >= MIN_COSINE : claimed === own
}

/** Cosine of two vectors of unit length. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

/** What one request to an engine has brought. */
export interface EmbeddedBatch {
  /** Positions of the texts. */
  readonly at: readonly number[]
  readonly embeddings: readonly Embedding[]
}

export interface Embedder {
  readonly space: EmbeddingSpace
  /** Documents cost too much CPU to be embedded while they are stored: a job does it afterwards. Left out: they are embedded at once. */
  readonly defersDocuments?: boolean
  /** How clients take part that compute the vectors of documents themselves. Left out: only the server computes them. */
  readonly clients?: ClientVectors
  /**
   * Embeds texts, one answer each, in order.
   * @throws CoordinatorError with code `engine_unavailable` when the engine behind it doesn't answer
   */
  embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]>
  /**
   * Embeds documents and gives what each request has brought, so that it can be kept when a later one fails. Ends early when the time is
   * over. Left out: `embed` is one step.
   * @param milliseconds for all requests together
   * @throws CoordinatorError `engine_unavailable`
   */
  embedDocuments?(texts: readonly string[], milliseconds: number): AsyncGenerator<EmbeddedBatch, void, void>
}

/** The documents' embeddings, batch by batch where the embedder has them; see {@link Embedder.embedDocuments}. */
export async function* embeddedBatches(
  embedder: Embedder,
  texts: readonly string[],
  milliseconds: number,
): AsyncGenerator<EmbeddedBatch, void, void> {
  if (embedder.embedDocuments) yield* embedder.embedDocuments(texts, milliseconds)
  else yield { at: texts.map((_, i) => i), embeddings: await embedder.embed(texts, 'document') }
}

/** Whether what is stored may have to wait for its vectors. */
export function embedsLater(embedder: Embedder): boolean {
  return embedder.defersDocuments === true || embedder.embedDocuments !== undefined
}
