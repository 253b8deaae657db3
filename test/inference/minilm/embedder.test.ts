import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { Embedder } from '../../../src/inference/embedding/embedder.ts'
import { MiniLmEmbedder, type QuestionEncoding } from '../../../src/inference/embedding/minilm/embedder.ts'
import kernel from '../../../src/inference/embedding/minilm/kernel.wasm'
import { ModelLoader } from '../../../src/inference/embedding/minilm/loader.ts'
import { MINILM_SPACE } from '../../../src/inference/embedding/minilm/model.ts'
import { inChunks, weights } from './support.ts'

let file: Uint8Array
beforeAll(async () => {
  file = await weights()
})

/** A loader whose clock advances only when told to, and that counts how often the file was opened. */
function loaderOf(open: (attempt: number) => AsyncIterable<Uint8Array>) {
  const state = { now: 1_000_000, opened: 0 }
  const loader = new ModelLoader({ kernel, open: async () => open(++state.opened), now: () => state.now })
  return { loader, state }
}

async function* missing(): AsyncGenerator<Uint8Array> {
  yield await Promise.reject(new Error('the static asset is missing (status 404)'))
}

async function* never(): AsyncGenerator<Uint8Array> {
  yield await new Promise<Uint8Array>(() => undefined)
}

const TABLE_VECTOR = new Float32Array(256).fill(1 / 16)
const table: Embedder = {
  space: MINILM_SPACE,
  embed: async (texts) => texts.map(() => ({ vector: TABLE_VECTOR, coverage: 0.5 })),
}

function embedderOf(loader: ModelLoader, questions: QuestionEncoding, withTable: Embedder | null = table) {
  const kept: Promise<unknown>[] = []
  const embedder = new MiniLmEmbedder({
    loader,
    table: withTable,
    questions,
    keepAlive: (work) => kept.push(work),
  })
  return { embedder, kept }
}

describe('loading', () => {
  test('happens once, however many callers request it', async () => {
    const { loader, state } = loaderOf(() => inChunks(file))
    const models = await Promise.all([loader.load(), loader.load(), loader.within(10_000)])
    expect(new Set(models).size).toBe(1)
    expect(models[0]).toBe(loader.model)
    expect(state.opened).toBe(1)
  })

  test('is retried after a failure, with growing delays', async () => {
    const { loader, state } = loaderOf((attempt) => (attempt < 3 ? missing() : inChunks(file)))
    expect(await loader.load()).toBeNull()
    expect(loader.failure).toContain('missing')
    expect(await loader.load()).toBeNull()
    expect(state.opened).toBe(1)
    state.now += 5_001
    await loader.load()
    expect(state.opened).toBe(2)
    state.now += 5_001
    expect(await loader.load()).toBeNull()
    expect(state.opened).toBe(2)
    state.now += 5_000
    expect(await loader.load()).not.toBeNull()
    expect(loader.failure).toBeNull()
  })

  test('without enough memory fails, reports it, and leaves questions to the table', async () => {
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(() => {
      throw new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded')
    })
    const { loader } = loaderOf(() => inChunks(file))
    expect(await loader.load()).toBeNull()
    expect(grow).toHaveBeenCalled()
    grow.mockRestore()
    expect(loader.failure).toContain('memory size exceeded')
    const [found] = await embedderOf(loader, 'auto').embedder.embed(['how do I open a file?'], 'query')
    expect(found?.vector).toEqual(TABLE_VECTOR)
  })

  test('continues in a later request if the one that started it was ended', async () => {
    const { loader, state } = loaderOf((attempt) => (attempt === 1 ? never() : inChunks(file)))
    expect(await loader.within(1)).toBeNull()
    state.now += 14_000
    expect(await loader.within(1)).toBeNull()
    expect(state.opened).toBe(1)
    state.now += 6_001
    expect(await loader.within(10_000)).not.toBeNull()
    expect(state.opened).toBe(2)
  })
})

describe('questions', () => {
  test('auto: first the table answers, later the model', async () => {
    const { loader } = loaderOf(() => inChunks(file))
    const { embedder, kept } = embedderOf(loader, 'auto')
    const [first] = await embedder.embed(['how do I open a file?'], 'query')
    expect(first?.vector).toEqual(TABLE_VECTOR)
    await Promise.all(kept)
    const [second] = await embedder.embed(['how do I open a file?'], 'query')
    expect(second?.vector).toEqual(loader.model?.embed('how do I open a file?'))
    expect(second?.coverage).toBe(1)
  })

  test.each(['auto', 'full'] as const)('%s: many at once are embedded by the table', async (questions) => {
    const { loader } = loaderOf(() => inChunks(file))
    await loader.load()
    const many = Array.from({ length: 8 }, (_, i) => `What is question ${i}?`)
    const byTable = await embedderOf(loader, questions).embedder.embed(many, 'query')
    expect(byTable.every(({ vector }) => vector === TABLE_VECTOR)).toBe(true)
  })

  test('table: the model is never loaded', async () => {
    const { loader, state } = loaderOf(() => inChunks(file))
    const { embedder } = embedderOf(loader, 'table')
    const [found] = await embedder.embed(['how do I open a file?'], 'query')
    expect(found?.vector).toEqual(TABLE_VECTOR)
    expect(state.opened).toBe(0)
  })

  test('full: the first question waits for the model', async () => {
    const { loader } = loaderOf(() => inChunks(file))
    const [found] = await embedderOf(loader, 'full').embedder.embed(['how do I open a file?'], 'query')
    expect(found?.vector).toEqual(loader.model?.embed('how do I open a file?'))
  })

  test.each(['auto', 'full'] as const)('%s: without the weights the table answers', async (questions) => {
    const { loader } = loaderOf(missing)
    const [found] = await embedderOf(loader, questions).embedder.embed(['how do I open a file?'], 'query')
    expect(found?.vector).toEqual(TABLE_VECTOR)
  })

  test('without weights and table, the error states what to do', async () => {
    const { loader } = loaderOf(missing)
    const failure = embedderOf(loader, 'auto', null).embedder.embed(['how do I open a file?'], 'query')
    await expect(failure).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringContaining('missing'),
      hint: expect.stringContaining('public/'),
    })
  })
})

describe('documents', () => {
  test('are embedded by the model, however questions are embedded', async () => {
    const { loader } = loaderOf(() => inChunks(file))
    const found = await embedderOf(loader, 'table').embedder.embed(['Open the file.', '', 'Close it.'], 'document')
    expect(found.map(({ vector }) => vector !== null)).toEqual([true, false, true])
    expect(found[0]?.vector).toEqual(loader.model?.embed('Open the file.'))
  })

  test('white space makes no difference', async () => {
    const { loader } = loaderOf(() => inChunks(file))
    const { embedder } = embedderOf(loader, 'auto')
    const [a, b] = await embedder.embed(['if x:\n        return 1\n', 'if x: return 1'], 'document')
    expect(a).toEqual(b)
  })

  test('without the weights, jobs retry after the error', async () => {
    const { loader } = loaderOf(missing)
    const failure = embedderOf(loader, 'auto').embedder.embed(['Open the file.'], 'document')
    await expect(failure).rejects.toMatchObject({ code: 'engine_unavailable' })
  })
})
