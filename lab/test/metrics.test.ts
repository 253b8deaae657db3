import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bootstrap95, expectedCalibrationError, mean, measure, ndcg, recall, reciprocalRank } from '../eval/metrics.ts'

describe('retrieval measures', () => {
  const judgements = new Map([
    ['a', 2],
    ['b', 1],
    ['c', 0],
  ])

  it('match their definitions', () => {
    expect(ndcg(['a', 'b'], judgements, 10)).toBe(1)
    expect(ndcg(['b', 'a'], judgements, 10)).toBeCloseTo((1 + 2 / Math.log2(3)) / (2 + 1 / Math.log2(3)))
    expect(ndcg(['x', 'y'], judgements, 10)).toBe(0)
    expect(recall(['x', 'a'], judgements, 10)).toBe(0.5)
    expect(recall(['x', 'a'], judgements, 1)).toBe(0)
    expect(reciprocalRank(['c', 'b'], judgements, 10)).toBe(0.5)
  })

  it('stay within 0 and 1', () => {
    const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'))
    fc.assert(
      fc.property(ids, (ranked) => {
        for (const value of Object.values(measure(ranked, judgements))) {
          expect(value).toBeGreaterThanOrEqual(0)
          expect(value).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})

describe('intervals and calibration', () => {
  it('the interval contains the mean and is always the same', () => {
    const values = Array.from({ length: 200 }, (_, i) => Math.sin(i))
    const [low, high] = bootstrap95(values)
    expect(low).toBeLessThan(mean(values))
    expect(high).toBeGreaterThan(mean(values))
    expect(bootstrap95(values)).toEqual([low, high])
  })

  it('the calibration error is 0 for honest and large for overconfident probabilities', () => {
    const half = [true, false].map((relevant) => ({ probability: 0.5, relevant }))
    expect(expectedCalibrationError(half)).toBeCloseTo(0)
    expect(expectedCalibrationError([{ probability: 0.9, relevant: false }])).toBeCloseTo(0.9)
    expect(expectedCalibrationError([])).toBe(0)
  })
})
