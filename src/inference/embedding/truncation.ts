/**
 * How embedders report that a vector represents a part of a text.
 * @module
 */
import { ASK_LESS, type Truncation } from '../../text/truncation.ts'
import type { EmbeddingPurpose } from './embedder.ts'

/** Splitting an item is rarely worth it: keyword search covers the rest. */
const ORDER_ITEM = 'Put what matters most first, or store the text as several items.'

/** A vector that represents only the named part of a text: `the first 2,048 words`. */
export function vectorTruncation(purpose: EmbeddingPurpose, limit: number, part: string): Truncation {
  return {
    limit,
    message: `The vector represents ${part} of ${purpose === 'query' ? 'a query' : 'an item'}.`,
    hint: purpose === 'query' ? ASK_LESS : ORDER_ITEM,
    search: 'semantic',
  }
}
