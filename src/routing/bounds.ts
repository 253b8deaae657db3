/**
 * Limits of the data that one router training reads. Memory and CPU grow with characters, not with rows. With these
 * limits, a training needs less than 64 MB (test/routing/training-bounds.node.test.ts).
 * @module
 */

/** Maximum number of interactions, latest first. */
export const MAX_EXAMPLES = 16_000
/** Maximum characters of one query. */
export const QUERY_CHARACTERS = 4_000
/** Maximum characters of all queries together. */
export const MAX_CHARACTERS = 3_000_000
