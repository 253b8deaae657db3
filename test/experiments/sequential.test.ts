import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { compareArms } from '../../src/experiments/compare.ts'
import { alwaysValidInterval, assignVariant } from '../../src/experiments/sequential.ts'
import { assignVariant as assignVariantOperation } from '../../src/operations/experiments/assign-variant.ts'
import { newcombe } from '../../src/statistics.ts'
import { call, testServices } from '../outcomes/support.ts'

const EXPERIMENTS = 1000
const OBSERVATIONS = 2000

/**
 * Share of experiments that ever show a difference when checked after every observation, and the number of
 * observations.
 */
function everShown(seed: number, rateA: number, rateB: number, interval: typeof alwaysValidInterval) {
  const random = seeded(seed)
  let shown = 0
  let observations = 0
  for (let experiment = 0; experiment < EXPERIMENTS; experiment++) {
    const a = { n: 0, sum: 0, squares: 0 }
    const b = { n: 0, sum: 0, squares: 0 }
    for (let i = 1; i <= OBSERVATIONS; i++) {
      const arm = random() < 0.5 ? a : b
      const success = random() < (arm === a ? rateA : rateB) ? 1 : 0
      arm.n++
      arm.sum += success
      arm.squares += success
      const found = interval(a, b)
      if (found && (found.low > 0 || found.high < 0)) {
        shown++
        observations += i
        break
      }
    }
  }
  return { share: shown / EXPERIMENTS, meanObservations: shown > 0 ? observations / shown : null }
}

describe('checking after every observation', () => {
  it.each([0.02, 0.1, 0.3, 0.5, 0.9])(
    'finds a difference between equal rates of %d in at most 5 of 100 experiments',
    (rate) => {
      const { share } = everShown(1, rate, rate, alwaysValidInterval)
      console.log(`false positives at ${rate} against ${rate}: ${share} of ${EXPERIMENTS} experiments`)
      expect(share).toBeLessThanOrEqual(0.05)
    },
  )

  it('would mislead an ordinary 95 % interval far more often', () => {
    const ordinary = everShown(1, 0.5, 0.5, (a, b) => (a.n < 10 || b.n < 10 ? null : newcombe(a.sum, a.n, b.sum, b.n)))
    expect(ordinary.share).toBeGreaterThan(0.25)
  })

  it('finds a true difference', () => {
    for (const [a, b, least] of [
      [0.5, 0.6, 0.9],
      [0.7, 0.8, 0.95],
      [0.5, 0.7, 0.99],
    ] as const) {
      const { share, meanObservations } = everShown(2, a, b, alwaysValidInterval)
      console.log(
        `power at ${a} against ${b}: ${share}, after ${meanObservations?.toFixed(0)} observations in the mean`,
      )
      expect(share).toBeGreaterThan(least)
    }
  })
})

describe('alwaysValidInterval', () => {
  it('is wider than the interval of a single look, and narrows with data', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 2000 }), fc.double({ min: 0.05, max: 0.95, noNaN: true }), (n, rate) => {
        const side = (size: number) => ({ n: size, sum: Math.round(size * rate), squares: Math.round(size * rate) })
        const interval = alwaysValidInterval(side(n), side(n))
        const later = alwaysValidInterval(side(4 * n), side(4 * n))
        const width = (found: { low: number; high: number } | null) => (found ? found.high - found.low : 0)
        expect(width(later)).toBeLessThanOrEqual(width(interval))
        const once = newcombe(side(n).sum, n, side(n).sum, n)
        expect(width(interval)).toBeGreaterThanOrEqual(width(once) * 0.99)
      }),
    )
  })

  it('is null without observations in an arm', () => {
    expect(alwaysValidInterval({ n: 0, sum: 0, squares: 0 }, { n: 9, sum: 3, squares: 3 })).toBeNull()
  })

  it('determines the verdict', () => {
    const arm = (success: number, failure: number) => ({
      total: success + failure,
      rated: 0,
      ratingSum: 0,
      ratingSquares: 0,
      success,
      partial: 0,
      failure,
    })
    // A single look would call this a difference, repeated looks don't.
    const found = compareArms(arm(50, 50), arm(66, 34))
    expect(found.successDifferenceInterval?.low).toBeGreaterThan(0)
    expect(found.verdict).toBe('no_difference_shown')
  })
})

describe('assign_variant', () => {
  it('always assigns the same variant to a unit, and equal shares to variants', async () => {
    const variants = ['a', 'b', 'c']
    const counts = new Map<string, number>()
    for (let i = 0; i < 3000; i++) {
      const variant = await assignVariant('prompt', `user-${i}`, variants)
      counts.set(variant, (counts.get(variant) ?? 0) + 1)
      if (i < 20) expect(await assignVariant('prompt', `user-${i}`, variants)).toBe(variant)
    }
    for (const variant of variants) expect(Math.abs((counts.get(variant) ?? 0) - 1000)).toBeLessThan(110)
  })

  it('is independent between experiments', async () => {
    let same = 0
    for (let i = 0; i < 1000; i++) {
      if ((await assignVariant('one', String(i), ['a', 'b'])) === (await assignVariant('two', String(i), ['a', 'b'])))
        same++
    }
    expect(Math.abs(same - 500)).toBeLessThan(80)
  })

  it('is available as an operation, which requires distinct names', async () => {
    const input = { experiment: 'e', unit: 'u', variants: ['a', 'b'] }
    const { variant, tag } = await call<{ variant: string; tag: string }>(assignVariantOperation, testServices(), input)
    expect(tag).toBe(`variant:${variant}`)
    await expect(
      call(assignVariantOperation, testServices(), { ...input, variants: ['a', 'a'] }),
    ).rejects.toMatchObject({ code: 'invalid_input', field: 'variants' })
  })
})
