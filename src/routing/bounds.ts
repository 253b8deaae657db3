/**
 * How much a training of the router reads. Memory and CPU grow with characters, not with rows; with these bounds it needs less
 * than 64 MB (test/routing/training-bounds.node.test.ts).
 * @module
 */

/** Interactions at most, the latest ones. */
export const MAX_EXAMPLES = 16_000
/** Characters of one query. */
export const QUERY_CHARACTERS = 4_000
/** Characters of all queries together. */
export const MAX_CHARACTERS = 3_000_000
