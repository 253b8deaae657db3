/**
 * What the files of packed vectors have in common.
 * @module
 */
import { fnv1aOfWords } from '../../hash.ts'

/** 32-bit FNV-1a over little-endian words of four bytes, the last one padded with zeros. */
export function checksum(bytes: Uint8Array): number {
  const aligned = bytes.byteLength % 4 === 0 && bytes.byteOffset % 4 === 0
  const copy = aligned ? bytes : new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4)
  if (!aligned) copy.set(bytes)
  return fnv1aOfWords(new Uint32Array(copy.buffer, copy.byteOffset, Math.ceil(bytes.byteLength / 4)))
}

/** Bytes to numbers: lowest + step × byte. */
export function dequantise(bytes: Uint8Array, lowest: number, step: number): Float32Array {
  const numbers = new Float32Array(bytes.length)
  for (let index = 0; index < bytes.length; index++) numbers[index] = lowest + step * (bytes[index] ?? 0)
  return numbers
}
