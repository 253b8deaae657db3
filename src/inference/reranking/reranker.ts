/**
 * The interface of rerankers: models that read query and passage together.
 * @module
 */

export interface Reranker {
  readonly name: string
  /**
   * Probability of relevance (0 to 1) of each passage to the query, in order.
   * @throws CoordinatorError `engine_unavailable` if no complete answer arrives before the deadline
   */
  rerank(query: string, passages: readonly string[]): Promise<number[]>
}
