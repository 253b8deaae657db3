import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbedPool } from '../../cli/ingest/embed-pool.ts'
import { CachedEmbedPool } from '../vectors/vector-cache.ts'

describe('the cache of vectors', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vector-cache-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('embeds a text once per call and across runs, and returns the same as the pool', async () => {
    const texts = ['Open a file.', 'Close it.', 'Open a file.', '']
    const plain = new EmbedPool(1)
    const expected = await plain.embed(texts)
    await plain.close()

    const first = new CachedEmbedPool(join(folder, 'vectors.sqlite'), 1)
    expect(await first.embed(texts)).toEqual(expected)
    expect(first.embedded).toBe(3)
    await first.close()

    const second = new CachedEmbedPool(join(folder, 'vectors.sqlite'), 1)
    expect(await second.embed(['Close it.', '', 'Read its lines.'])).toEqual([expected[1], null, expect.any(String)])
    expect(second.embedded).toBe(1)
    await second.close()
  })
})
