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

export interface Embedder {
  readonly space: EmbeddingSpace
  /** Documents cost too much CPU to be embedded while they are stored: a job does it afterwards. Left out: they are embedded at once. */
  readonly defersDocuments?: boolean
  /**
   * Embeds texts, one answer each, in order.
   * @throws CoordinatorError with code `engine_unavailable` when the engine behind it doesn't answer
   */
  embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]>
}
