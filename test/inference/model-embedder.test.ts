/** Progress of an embedding model behind an engine: whatever one request took, the next call embeds something. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AskForVectors, ModelEmbedder } from '../../src/inference/embedding/model-embedder.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'

const TEXTS = Array.from({ length: 12 }, (_, i) => `text ${i}`)
const STEP_MS = 15_000

/** An embedder whose engine takes the given time for each request, on the Worker's clock. */
function embedderTaking(...requestMs: number[]) {
  const model = { name: 'slow', dimensions: 2, contextTokens: 512, queryPrefix: '', documentPrefix: '' }
  let clock = Date.now()
  const ask: AskForVectors = async (texts) => {
    clock += requestMs.shift() ?? 1
    return texts.map(() => [1, 0])
  }
  vi.spyOn(Date, 'now').mockImplementation(() => clock)
  return new ModelEmbedder('test', model, new Engine('The engine', ''), ask)
}

async function embedded(embedder: ModelEmbedder): Promise<number> {
  let count = 0
  for await (const { at } of embedder.embedDocuments(TEXTS, STEP_MS)) count += at.length
  return count
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a model behind an engine', () => {
  it('embeds all texts in one call while it is fast', async () => {
    expect(await embedded(embedderTaking())).toBe(TEXTS.length)
  })

  it('starts no request after the time of a call is up', async () => {
    expect(await embedded(embedderTaking(90_000))).toBe(4)
  })

  it.each([
    ['a slow answer', 90_000],
    ['a clock that was set forward by hours', 36 * 3_600_000],
  ])('embeds documents after %s to a question', async (_, ms) => {
    const embedder = embedderTaking(ms)
    await embedder.embed(['a question'], 'query')
    expect(await embedded(embedder)).toBe(TEXTS.length)
  })

  it('embeds at least one text in each call, however slow the last request was', async () => {
    const embedder = embedderTaking(STEP_MS * 4, STEP_MS * 2)
    expect(await embedded(embedder)).toBe(4)
    expect(await embedded(embedder)).toBeGreaterThan(0)
  })
})
