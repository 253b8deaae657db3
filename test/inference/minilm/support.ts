import { env } from 'cloudflare:test'
import kernel from '../../../src/inference/embedding/minilm/kernel.wasm'
import { MiniLm, WEIGHTS_PATH } from '../../../src/inference/embedding/minilm/model.ts'

/** The weights file, as provided to the Worker. */
export async function weights(): Promise<Uint8Array> {
  const response = await env.ASSETS.fetch(new URL(WEIGHTS_PATH, 'https://assets.invalid'))
  if (!response.ok) throw new Error(`${WEIGHTS_PATH}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** Bytes in chunks, as received from a network. */
export async function* inChunks(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function loadModel(bytes: Uint8Array, chunk?: number): Promise<MiniLm> {
  return MiniLm.load(kernel, inChunks(bytes, chunk))
}

export const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}
