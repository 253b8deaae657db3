import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import type { Exposure } from '../../src/database/queries/statistics.ts'
import { uplift } from '../../src/experiments/uplift.ts'
import {
  betaCumulative,
  betaMean,
  betaQuantile,
  CALLER_CAP,
  capped,
  combined,
  creditShift,
  logGamma,
  lowerBound,
  posterior,
  upperBound,
} from '../../src/ranking/credit.ts'

const votes = fc.record({ successes: fc.nat(2000), partials: fc.nat(2000), failures: fc.nat(2000) })

describe('Beta distribution', () => {
  it('matches known values', () => {
    expect(logGamma(10)).toBeCloseTo(Math.log(362880), 10)
    expect(betaCumulative(0.3, { alpha: 1, beta: 1 })).toBeCloseTo(0.3, 12)
    // I_x(2, 3) = 6x² − 8x³ + 3x⁴
    expect(betaCumulative(0.4, { alpha: 2, beta: 3 })).toBeCloseTo(6 * 0.16 - 8 * 0.064 + 3 * 0.0256, 12)
    expect(betaQuantile(0.1, { alpha: 1, beta: 1 })).toBeCloseTo(0.1, 8)
    // Beta(α, 1) has quantile p^(1/α)
    expect(betaQuantile(0.1, { alpha: 7, beta: 1 })).toBeCloseTo(0.1 ** (1 / 7), 8)
  })

  it('is inverted by its quantile, to 1e-9', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (alpha, beta, p) => {
          const quantile = betaQuantile(p, { alpha, beta })
          expect(betaCumulative(quantile - 1e-9, { alpha, beta })).toBeLessThanOrEqual(p)
          expect(betaCumulative(quantile + 1e-9, { alpha, beta })).toBeGreaterThanOrEqual(p)
        },
      ),
    )
  })
})

describe('posterior', () => {
  it('counts a partial success as half success and half failure', () => {
    expect(posterior({ successes: 2, partials: 2, failures: 1 })).toEqual({ alpha: 4, beta: 3 })
  })

  it('has its mean between its bounds, and rises only with successes', () => {
    fc.assert(
      fc.property(votes, (credit) => {
        const mean = betaMean(posterior(credit))
        expect(lowerBound(credit)).toBeLessThanOrEqual(mean)
        expect(upperBound(credit)).toBeGreaterThanOrEqual(mean)
        expect(lowerBound({ ...credit, successes: credit.successes + 1 })).toBeGreaterThan(lowerBound(credit) - 1e-9)
        expect(lowerBound({ ...credit, failures: credit.failures + 1 })).toBeLessThan(lowerBound(credit) + 1e-9)
      }),
    )
  })

  it('one lucky success has no effect, and steady success has one', () => {
    expect(creditShift({ successes: 0, partials: 0, failures: 0 }, 0.5)).toBe(0)
    expect(creditShift({ successes: 1, partials: 0, failures: 0 }, 0.5)).toBe(0)
    expect(creditShift({ successes: 3, partials: 0, failures: 0 }, 0.5)).toBe(0)
    expect(creditShift({ successes: 18, partials: 0, failures: 2 }, 0.5)).toBeGreaterThan(0.3)
    expect(creditShift({ successes: 2, partials: 0, failures: 18 }, 0.5)).toBeLessThan(-0.3)
  })

  it('shifts between −1 and 1', () => {
    fc.assert(
      fc.property(votes, fc.double({ min: 0, max: 1, noNaN: true }), (credit, usual) => {
        expect(Math.abs(creditShift(credit, usual))).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('cap', () => {
  it('keeps proportions and never counts more than the cap', () => {
    fc.assert(
      fc.property(votes, (credit) => {
        const counted = capped(credit)
        const total = credit.successes + credit.partials + credit.failures
        const left = counted.successes + counted.partials + counted.failures
        expect(left).toBeCloseTo(Math.min(total, CALLER_CAP), 9)
        if (total > 0) expect(counted.successes / left).toBeCloseTo(credit.successes / total, 9)
      }),
    )
  })

  it('limits a hostile caller with 10,000 votes to the weight of twenty', () => {
    const honest = Array.from({ length: 10 }, () => ({ successes: 9, partials: 0, failures: 1 }))
    const hostile = { successes: 0, partials: 0, failures: 10_000 }
    expect(lowerBound(combined([...honest, hostile]))).toBeGreaterThan(0.6)
    expect(combined([hostile], true).failures).toBe(CALLER_CAP)
  })
})

describe('uplift', () => {
  /** Exposures with known success rates, held out with varying probability. */
  function simulate(random: () => number, n: number, rateShown: number, rateHeldOut: number): Exposure[] {
    return Array.from({ length: n }, () => {
      const probability = random() < 0.5 ? 0.95 : 0.8
      const shown = random() < probability
      return { shown, probability, success: random() < (shown ? rateShown : rateHeldOut) ? 1 : 0 }
    })
  }

  it.each([
    [400, 0.7, 0.5],
    [400, 0.5, 0.5],
    [1000, 0.9, 0.6],
    [2000, 0.3, 0.4],
  ])('contains the true value in 95 of 100 intervals: %i exposures, %d against %d', (n, shown, heldOut) => {
    const random = seeded(20_27)
    const runs = 2000
    let covered = 0
    let sum = 0
    for (let run = 0; run < runs; run++) {
      const found = uplift(simulate(random, n, shown, heldOut))
      const truth = shown - heldOut
      sum += found.difference ?? 0
      if (found.interval && found.interval.low <= truth && truth <= found.interval.high) covered++
    }
    console.log(`coverage, ${n} exposures, ${shown} against ${heldOut}: ${covered / runs}`)
    // 2,000 runs at a true rate of 0.95 are between 0.935 and 0.965, except once in 500.
    expect(covered / runs).toBeGreaterThan(0.935)
    expect(covered / runs).toBeLessThan(0.985)
    expect(sum / runs).toBeCloseTo(shown - heldOut, 1)
  })

  it('is unbiased if easy queries are held out more often', () => {
    // Easy queries succeed at 0.9 and are held out half the time, hard ones at 0.1 and rarely; showing has no effect.
    const random = seeded(7)
    const exposures = Array.from({ length: 20_000 }, () => {
      const easy = random() < 0.5
      const probability = easy ? 0.5 : 0.95
      return { shown: random() < probability, probability, success: random() < (easy ? 0.9 : 0.1) ? 1 : 0 }
    })
    const mean = (shown: boolean) => {
      const side = exposures.filter((exposure) => exposure.shown === shown)
      return side.reduce((sum, exposure) => sum + exposure.success, 0) / side.length
    }
    expect(mean(true) - mean(false)).toBeLessThan(-0.3)
    expect(Math.abs(uplift(exposures).difference ?? 1)).toBeLessThan(0.05)
  })

  it('is null without hold-outs', () => {
    expect(uplift([])).toEqual({ shown: 0, heldOut: 0, difference: null, interval: null })
    expect(uplift([{ shown: true, probability: 0.95, success: 1 }])).toMatchObject({ difference: null, interval: null })
  })
})
