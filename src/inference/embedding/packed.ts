/**
 * Helpers shared by the file formats of packed vectors.
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

const BYTES = 256

/**
 * Converts bytes to numbers: a function of lowest + step × byte, computed once for each of the 256 bytes.
 * @returns null if one of these numbers is not finite
 */
export function dequantise(
  bytes: Uint8Array,
  lowest: number,
  step: number,
  of: (value: number) => number = (value) => value,
): Float32Array | null {
  const values = Float32Array.from({ length: BYTES }, (_, byte) => of(lowest + step * byte))
  if (!values.every(Number.isFinite)) return null
  const numbers = new Float32Array(bytes.length)
  for (let index = 0; index < bytes.length; index++) numbers[index] = values[bytes[index] ?? 0] ?? 0
  return numbers
}

/** Largest magnitude of a signed byte. */
const MAX_CODE = 128

/**
 * Decodes codebooks of signed bytes, each with its own scale.
 * @param ends the end of each codebook
 * @returns null if a number may not be finite
 */
export function scaledCodebooks(
  bytes: Uint8Array,
  scales: readonly number[],
  ends: readonly number[],
): Float32Array | null {
  if (scales.some((scale) => !Number.isFinite(Math.fround(MAX_CODE * scale)))) return null
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const numbers = new Float32Array(codes.length)
  let index = 0
  scales.forEach((scale, codebook) => {
    for (const end = ends[codebook] ?? 0; index < end; index++) numbers[index] = scale * (codes[index] ?? 0)
  })
  return numbers
}
