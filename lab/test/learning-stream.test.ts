import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { checkpoints, outcomeOf, shuffled, splitQueries } from '../eval/learning-stream.ts'

describe('the simulated stream of the learning evaluation', () => {
  it('asks no query of the measured half, and leaves none out', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), fc.nat(), (queries, seed) => {
        const { training, unseen } = splitQueries(queries, seeded(seed))
        expect([...training, ...unseen].sort()).toEqual([...queries].sort())
        expect(unseen.length - training.length).toBe(queries.length % 2)
        expect(splitQueries(queries, seeded(seed))).toEqual({ training, unseen })
      }),
    )
  })

  it('shuffles every order about equally often', () => {
    const random = seeded(7)
    const seen = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const order = shuffled(['a', 'b', 'c'], random).join('')
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    expect(seen.size).toBe(6)
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  it('is right four times in five when honest, and never when hostile', () => {
    const random = seeded(3)
    const draws = Array.from({ length: 10_000 }, random)
    const right = draws.filter((draw) => outcomeOf(true, false, draw) === 'success').length
    expect(Math.abs(right / draws.length - 0.8)).toBeLessThan(0.02)
    for (const draw of draws.slice(0, 100)) {
      expect(outcomeOf(true, true, draw)).toBe('failure')
      expect(outcomeOf(false, true, draw)).toBe('success')
      expect(outcomeOf(false, false, draw)).not.toBe(outcomeOf(true, false, draw))
    }
  })

  it('measures at ascending numbers of outcomes, the last after all of them', () => {
    expect(checkpoints(2000)).toEqual([250, 500, 1000, 2000])
    expect(checkpoints(1)).toEqual([1])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (outcomes) => {
        const points = checkpoints(outcomes)
        expect(points.at(-1)).toBe(outcomes)
        expect(points.every((point, i) => point > (points[i - 1] ?? 0))).toBe(true)
      }),
    )
  })
})
