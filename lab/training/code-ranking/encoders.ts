/**
 * The two built-in embedders without a Worker: the word table, and the sentence embedder with document vectors from the
 * cache.
 * @module
 */
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Embedding, EmbeddingSpace } from '../../../src/inference/embedding/embedder.ts'
import { MINILM_SPACE, MiniLm, WEIGHTS_PATH } from '../../../src/inference/embedding/minilm/model.ts'
import { QUERY_TABLE_PATH, QueryTable } from '../../../src/inference/embedding/minilm/query-table.ts'
import { documentText, MAX_QUESTION_PIECES, questionText } from '../../../src/inference/embedding/minilm/texts.ts'
import {
  createStaticEmbedder,
  STATIC_SPACE,
  STATIC_TABLE_PATH,
} from '../../../src/inference/embedding/static/embedder.ts'
import { CachedEmbedPool } from '../../vectors/vector-cache.ts'

type Vector = Float32Array | null

export interface Encoder {
  readonly space: EmbeddingSpace
  documents(texts: readonly string[]): Promise<Vector[]>
  question(text: string): Promise<Embedding>
  /** Vectors of the questions for measuring a collection's scale. */
  unrelated(texts: readonly string[]): Promise<Vector[]>
  close(): Promise<void>
}

export const ENCODERS = ['words', 'sentences'] as const
export type EncoderName = (typeof ENCODERS)[number]

const ROOT = join(import.meta.dirname, '../../..')

/** Opens an embedder: `words` is the word table, `sentences` the sentence embedder. */
export async function openEncoder(name: EncoderName): Promise<Encoder> {
  return name === 'words' ? wordTable() : sentenceEmbedder()
}

async function wordTable(): Promise<Encoder> {
  const embedder = createStaticEmbedder(bytesOf(join('public', STATIC_TABLE_PATH)))
  const embed = async (texts: readonly string[]) =>
    (await embedder.embed(texts, 'document')).map(({ vector }) => vector)
  return {
    space: STATIC_SPACE,
    documents: embed,
    unrelated: embed,
    question: async (text) => (await embedder.embed([text], 'query'))[0] ?? { vector: null, coverage: 0 },
    close: async () => undefined,
  }
}

async function sentenceEmbedder(): Promise<Encoder> {
  const kernel = new WebAssembly.Module(readFileSync(join(ROOT, 'src/inference/embedding/minilm/kernel.wasm')))
  const model = await MiniLm.load(kernel, createReadStream(join(ROOT, 'public', WEIGHTS_PATH)))
  const table = new QueryTable(bytesOf(join('public', QUERY_TABLE_PATH)))
  const pool = new CachedEmbedPool()
  return {
    space: MINILM_SPACE,
    documents: async (texts) => (await pool.embed(texts.map(documentText))).map(decoded),
    question: async (text) => {
      const vector = model.embed(questionText(text), MAX_QUESTION_PIECES)
      return { vector, coverage: vector ? 1 : 0 }
    },
    // As in the product, where they must be free (MANY_QUESTIONS in embedder.ts).
    unrelated: async (texts) => (await table.embed(texts)).map(({ vector }) => vector),
    close: () => pool.close(),
  }
}

function bytesOf(path: string): ArrayBuffer {
  const bytes = readFileSync(join(ROOT, path))
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}

/** The unit vector from int8 codes in base64. */
function decoded(codes: string | null): Vector {
  if (codes === null) return null
  const vector = Float32Array.from(new Int8Array(Buffer.from(codes, 'base64')))
  const norm = Math.hypot(...vector)
  return vector.map((value) => value / norm)
}
