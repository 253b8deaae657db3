/**
 * A thread of `ingest` that embeds texts with the Worker's weights and kernel.
 * @module
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { MiniLm, WEIGHTS_PATH } from '../../src/inference/embedding/minilm/model.ts'
import { MAX_DOCUMENT_PIECES } from '../../src/inference/embedding/minilm/texts.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Texts of one message. `id` is returned with their vectors. */
export interface EmbedRequest {
  readonly id: number
  readonly texts: readonly string[]
}

/** Signed bytes in base64, in the format of `POST /knowledge/vectors`; null: a text without words. */
export interface EmbedAnswer {
  readonly id: number
  readonly vectors: (string | null)[]
}

const kernel = new WebAssembly.Module(
  new Uint8Array(await readFile(join(ROOT, 'src/inference/embedding/minilm/kernel.wasm'))),
)
const model = await MiniLm.load(kernel, createReadStream(join(ROOT, 'public', WEIGHTS_PATH)))

/** Symmetric int8: the largest magnitude becomes ±127. */
function encoded(vector: Float32Array): string {
  const peak = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return Buffer.from(Int8Array.from(vector, (value) => Math.round((value / peak) * 127)).buffer).toString('base64')
}

parentPort?.on('message', ({ id, texts }: EmbedRequest) => {
  const vectors = texts.map((text) => {
    const vector = model.embed(text, MAX_DOCUMENT_PIECES)
    return vector && encoded(vector)
  })
  parentPort?.postMessage({ id, vectors } satisfies EmbedAnswer)
})
