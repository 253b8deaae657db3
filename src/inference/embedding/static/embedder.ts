/**
 * The built-in embedder: a static table of word vectors, no model server and no network. See MODEL_CARD.md in this
 * folder for its training data and quality.
 * @module
 */

import { CoordinatorError } from '../../../errors.ts'
import { shownLimit } from '../../../text/truncation.ts'
import { words } from '../../../text/words.ts'
import { type Embedder, type Embedding, type EmbeddingPurpose, type EmbeddingSpace, isVector } from '../embedder.ts'
import { vectorTruncation } from '../truncation.ts'
import { parseWordTable, type WordTable } from './table.ts'

/** Maximum number of words read from a text. Later words don't change its vector. */
export const MAXIMUM_WORDS = 2048

/** Text is truncated to this many UTF-16 code units before it is split, to bound the cost of huge texts. */
const MAXIMUM_CODE_UNITS = MAXIMUM_WORDS * 16

/** Words have at least one character, so only longer texts are split to count them. */
function truncation(text: string, purpose: EmbeddingPurpose) {
  const whole =
    text.length <= MAXIMUM_WORDS || (text.length <= MAXIMUM_CODE_UNITS && words(text).length <= MAXIMUM_WORDS)
  return whole ? null : vectorTruncation(purpose, MAXIMUM_WORDS, `the first ${shownLimit(MAXIMUM_WORDS)} words`)
}

/** Shorter vectors have cancelled out and carry no information. */
const MIN_NORM = 1e-6

/** Adds `weight` × the row's vector to `sum`, directly from the packed codes. */
function addRow(sum: Float32Array, table: WordTable, row: number, weight: number): void {
  const { codebooks, codes, starts, words } = table
  for (let subspace = 0; subspace + 1 < starts.length; subspace++) {
    const start = starts[subspace] ?? 0
    const width = (starts[subspace + 1] ?? 0) - start
    const centroid = start * 256 + (codes[subspace * words.length + row] ?? 0) * width
    for (let offset = 0; offset < width; offset++) {
      sum[start + offset] = (sum[start + offset] ?? 0) + weight * (codebooks[centroid + offset] ?? 0)
    }
  }
}

/**
 * The vector of one text: the sum over its distinct words of saturated count × word vector, scaled to unit length. The
 * count n of a word saturates as 2n / (n + 1), the term-frequency part of BM25 with k1 = 1 and b = 0 (Robertson and
 * Zaragoza 2009, section 3.4).
 */
function embedText(table: WordTable, text: string): Embedding {
  const counts = new Map<string, number>()
  const found = words(text.length > MAXIMUM_CODE_UNITS ? text.slice(0, MAXIMUM_CODE_UNITS) : text)
  for (const word of found.length > MAXIMUM_WORDS ? found.slice(0, MAXIMUM_WORDS) : found) {
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const vector = new Float32Array(table.dimensions)
  let known = 0
  let unknown = 0
  for (const [word, count] of counts) {
    const saturated = (2 * count) / (count + 1)
    const row = table.words.rowOf(word)
    if (row === undefined) {
      unknown += saturated * table.highestIdf
      continue
    }
    known += saturated * (table.idf[row] ?? 0)
    addRow(vector, table, row, saturated * (table.norms[row] ?? 0))
  }
  const total = known + unknown
  const coverage = total > 0 ? known / total : 0
  let squares = 0
  for (const value of vector) squares += value * value
  const norm = Math.sqrt(squares)
  if (!(norm > MIN_NORM)) return { vector: null, coverage }
  for (let dimension = 0; dimension < vector.length; dimension++) vector[dimension] = (vector[dimension] ?? 0) / norm
  return { vector, coverage }
}

/**
 * Creates the built-in embedder from the bytes of the table. Texts are embedded synchronously in memory. Queries and
 * documents get the same vector. A text without known words gets `vector: null`.
 * @param table the whole file; must not be modified afterwards
 * @throws WordTableError if the bytes are not a readable table
 */
export function createStaticEmbedder(table: ArrayBuffer): Embedder {
  const parsed = parseWordTable(table)
  return {
    space: { name: `static-${parsed.dimensions}-v1`, dimensions: parsed.dimensions },
    embed: async (texts) => texts.map((text) => embedText(parsed, text)),
    truncation,
    clients: {
      textOf: (text) => text,
      verify: async (text, vector) => isVector(vector, embedText(parsed, text).vector),
    },
  }
}

/** The space of the bundled table. */
export const STATIC_SPACE: EmbeddingSpace = { name: 'static-256-v1', dimensions: 256 }
/** Path of the table in the static assets. */
export const STATIC_TABLE_PATH = '/models/static-256-v1.bin'

/**
 * The built-in embedder, which reads its table when it embeds the first text. Requests share the table, but not the
 * promise of it: a cancelled request never settles its promises.
 * @param read reads the whole file; rejects if it is missing
 */
export function deferredStaticEmbedder(read: () => Promise<ArrayBuffer>): Embedder {
  let opened: Embedder | null = null
  const open = async () => {
    try {
      opened ??= createStaticEmbedder(await read())
      return opened
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'it cannot be read'
      throw new CoordinatorError('engine_unavailable', `The word table is not loaded: ${problem}.`, {
        hint: 'Deploy the Worker with the whole folder public/, or leave EMBEDDER out.',
        retryAfter: 5,
      })
    }
  }
  return {
    space: STATIC_SPACE,
    embed: async (texts, purpose) => (await open()).embed(texts, purpose),
    truncation,
    clients: {
      textOf: (text) => text,
      verify: async (text, vector) => (await open()).clients?.verify(text, vector) ?? false,
    },
  }
}
