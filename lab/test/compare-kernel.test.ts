import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import wabt from 'wabt'

const FOLDER = join(import.meta.dirname, '../../src/knowledge/stores/vectors')

it('the compiled kernel for comparing vectors matches its source', async () => {
  const source = await readFile(join(FOLDER, 'compare.wat'), 'utf8')
  const { buffer } = (await wabt()).parseWat('compare.wat', source, { simd: true }).toBinary({})
  expect(Buffer.from(buffer).equals(await readFile(join(FOLDER, 'compare.wasm')))).toBe(true)
})
