import { beforeAll, describe, expect, test } from 'vitest'
import { MINILM_SPACE, type MiniLm, WeightsError } from '../../../src/inference/embedding/minilm/model.ts'
// Results of the reference implementation for our own texts: lab/minilm/record-fixtures.py.
import recorded from '../../fixtures/minilm/texts.json'
import { cosine, loadModel, weights } from './support.ts'

let file: Uint8Array
let model: MiniLm
beforeAll(async () => {
  file = await weights()
  model = await loadModel(file)
})

describe('the model', () => {
  test.each(recorded)('tokenises $text like the reference', ({ text, ids }) => {
    expect(model.ids(text)).toEqual(ids)
  })

  test.each(recorded)('has the vector of the reference for $text', ({ text, vector }) => {
    const found = model.embed(text)
    expect(found).toHaveLength(MINILM_SPACE.dimensions)
    expect(Math.hypot(...(found ?? []))).toBeCloseTo(1, 5)
    // The reference computes with 8 bits, the file has 6 and 4; single characters differ most.
    expect(cosine(found ?? [], vector)).toBeGreaterThan(text.length > 20 && !text.startsWith('word word') ? 0.99 : 0.98)
  })

  test('distinguishes meaning without shared words', () => {
    const question = model.embed('How can I remove a directory and everything in it?')
    const near = model.embed('rm -rf deletes folders recursively')
    const far = model.embed('The weather in the mountains was cold last winter')
    expect(cosine(question ?? [], near ?? [])).toBeGreaterThan(cosine(question ?? [], far ?? []) + 0.3)
  })

  test('a text without words has no vector', () => {
    expect(model.embed('')).toBeNull()
    expect(model.embed(' \n\t\u200b')).toBeNull()
  })

  test('every number of tokens works, and a text always gives the same vector', () => {
    const before = model.embed('close the stream', 64)
    for (let count = 1; count <= 20; count++) {
      const vector = model.embed('file '.repeat(count))
      expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5)
    }
    expect(model.embed('x '.repeat(5_000))).not.toBeNull()
    expect(model.embed('close the stream', 64)).toEqual(before)
  })

  test('takes less than 26 MB of memory', () => {
    expect(model.bytes).toBeLessThan(26_000_000)
  })
})

describe('the weights file', () => {
  test('reads the same in chunks of any size', async () => {
    for (const size of [997, 1_000_003]) {
      const other = await loadModel(file, size)
      expect(other.embed('open a file')).toEqual(model.embed('open a file'))
    }
  })

  test.each([
    ['nothing', (bytes: Uint8Array) => bytes.slice(0, 0), 'fewer than their header'],
    ['half a header', (bytes: Uint8Array) => bytes.slice(0, 40), 'fewer than their header'],
    ['a page instead of it', () => new TextEncoder().encode('<!doctype html>'.repeat(20)), 'do not begin with'],
    ['half of it', (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2), 'where their header names'],
    ['another version', (bytes: Uint8Array) => changed(bytes, 4, 2), 'format version 2'],
    ['another space', (bytes: Uint8Array) => changed(bytes, 41, 120), 'are of the space mxnilm-l6-256-v1'],
    ['an impossible size', (bytes: Uint8Array) => changed(bytes, 12, 9), 'impossible sizes'],
    ['a changed byte of the floats', (bytes: Uint8Array) => changed(bytes, 5_000, 77), 'checksum'],
    ['a changed byte of the matrices', (bytes: Uint8Array) => changed(bytes, 15_000_000, 77), 'checksum'],
  ])('%s is rejected', async (_, damage, message) => {
    const failure = await loadModel(damage(file)).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(WeightsError)
    expect(String(failure)).toContain(message)
  })

  test('additional bytes are rejected', async () => {
    const longer = new Uint8Array(file.length + 4)
    longer.set(file)
    await expect(loadModel(longer)).rejects.toThrow('longer than')
  })
})

function changed(bytes: Uint8Array, at: number, difference: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = at >= 64 ? (copy[at] ?? 0) ^ difference : difference
  return copy
}
