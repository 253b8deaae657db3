import { describe, expect, it } from 'vitest'
import { BatchSize } from '../../src/inference/embedding/batch-size.ts'

/** Embeds until everything is done or no request can succeed. Returns the virtual time and result of each request. */
function embedAll(
  texts: number,
  msPerText: number,
  deadlineMs: number,
): { requests: number[]; ms: number; left: number } {
  const size = new BatchSize()
  const requests: number[] = []
  let left = texts
  let ms = 0
  while (left > 0 && requests.length < 100) {
    const batch = Math.min(left, size.within(deadlineMs))
    if (batch === 0) break
    requests.push(batch)
    const takes = batch * msPerText
    ms += Math.min(takes, deadlineMs)
    if (takes > deadlineMs) {
      if (batch === 1) break
      size.timedOut(batch)
      continue
    }
    size.answered(batch, takes)
    left -= batch
  }
  return { requests, ms, left }
}

describe('the size of a batch', () => {
  it('grows to 32 texts with a fast engine', () => {
    expect(embedAll(200, 10, 30_000).requests).toEqual([4, 8, 16, 32, 32, 32, 32, 32, 12])
  })

  it('keeps requests at about ten seconds with a slow engine', () => {
    const { requests, left } = embedAll(40, 1_500, 30_000)
    expect(left).toBe(0)
    expect(Math.max(...requests)).toBe(6)
  })

  it('drops to one text with an engine that needs almost the whole deadline for it', () => {
    expect(embedAll(5, 25_000, 30_000)).toMatchObject({ requests: [4, 1, 1, 1, 1, 1], left: 0 })
  })

  it('starts no request that could not finish in the remaining time', () => {
    const size = new BatchSize()
    size.answered(4, 6_000)
    expect([size.within(30_000), size.within(4_000), size.within(1_000)]).toEqual([6, 2, 0])
  })

  it('recovers when the engine is fast again', () => {
    const size = new BatchSize()
    size.timedOut(4)
    const seen = [1, 2, 4, 8, 16].map(() => {
      const batch = size.within(30_000)
      size.answered(batch, batch)
      return batch
    })
    expect(seen).toEqual([1, 2, 4, 8, 16])
  })
})
