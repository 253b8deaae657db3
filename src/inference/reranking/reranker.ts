/**
 * What every reranker offers: a model that reads query and passage together.
 * @module
 */

export interface Reranker {
  readonly name: string
  /**
   * Probability of relevance (0 to 1) of each passage to the query, in order.
   * @throws CoordinatorError `engine_unavailable` when no whole answer comes within the deadline
   */
  rerank(query: string, passages: readonly string[]): Promise<number[]>
}
