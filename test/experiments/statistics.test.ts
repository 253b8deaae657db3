import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareArms } from '../../src/experiments/compare.ts'
import { backoffMs } from '../../src/jobs/run-job.ts'
import { prometheusText } from '../../src/operations/administration/prometheus.ts'
import {
  minimumDetectableEffect,
  newcombe,
  normalCumulative,
  normalQuantile,
  sampleOf,
  sampleRatioPValue,
  studentQuantile,
  welch,
  wilson,
} from '../../src/statistics.ts'
import { contentTerms, dice } from '../../src/text/similarity.ts'

const counts = fc.tuple(fc.nat(500), fc.nat(500)).map(([hits, misses]) => ({ hits, n: hits + misses }))

describe('quantiles', () => {
  it.each([
    [1, 12.7062],
    [2, 4.30265],
    [3, 3.18245],
    [5, 2.57058],
    [10, 2.22814],
    [30, 2.04227],
    [100, 1.98397],
  ])("match published tables of Student's t, %i degrees of freedom", (freedom, value) => {
    expect(studentQuantile(0.975, freedom)).toBeCloseTo(value, 4)
  })

  it('invert the normal distribution', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (p) => {
        expect(normalCumulative(normalQuantile(p))).toBeCloseTo(p, 5)
      }),
    )
  })
})

describe('intervals', () => {
  it('reproduce published examples', () => {
    // Newcombe 1998, Statistics in Medicine 17:857 (81 of 263) and 17:873 (56/70 against 48/80).
    expect(wilson(81, 263).low).toBeCloseTo(0.2553, 4)
    expect(wilson(81, 263).high).toBeCloseTo(0.3662, 4)
    const difference = newcombe(48, 80, 56, 70)
    expect(difference.low).toBeCloseTo(0.0524, 4)
    expect(difference.high).toBeCloseTo(0.3339, 4)
  })

  it('contain the estimate, stay within bounds, and are symmetric in the arms', () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const interval = newcombe(a.hits, a.n, b.hits, b.n)
        const reverse = newcombe(b.hits, b.n, a.hits, a.n)
        expect(interval.low).toBeCloseTo(-reverse.high, 9)
        expect(interval.low).toBeGreaterThanOrEqual(-1)
        expect(interval.high).toBeLessThanOrEqual(1)
        if (a.n === 0 || b.n === 0) return
        const difference = b.hits / b.n - a.hits / a.n
        expect(interval.low).toBeLessThanOrEqual(difference + 1e-12)
        expect(interval.high).toBeGreaterThanOrEqual(difference - 1e-12)
      }),
    )
  })

  it('are null for means of fewer than two values', () => {
    expect(welch(sampleOf(1, 1, 1), sampleOf(50, 10, 30))).toBeNull()
    const interval = welch(sampleOf(100, 0, 100), sampleOf(100, 50, 100))
    expect(interval?.low).toBeGreaterThan(0.2)
    expect(interval?.high).toBeLessThan(0.8)
  })

  it('give a smaller detectable effect with more data', () => {
    expect(minimumDetectableEffect(0.5, 0, 10)).toBeNull()
    expect(minimumDetectableEffect(0.5, 400, 400)).toBeCloseTo(0.099, 3)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e5 }), (n) => {
        expect(minimumDetectableEffect(0.4, 2 * n, 2 * n) ?? 2).toBeLessThanOrEqual(
          minimumDetectableEffect(0.4, n, n) ?? 0,
        )
      }),
    )
  })

  it('detect an uneven assignment', () => {
    expect(sampleRatioPValue(500, 500)).toBeCloseTo(1, 6)
    expect(sampleRatioPValue(600, 400)).toBeLessThan(1e-6)
    expect(sampleRatioPValue(0, 0)).toBe(1)
  })
})

describe('comparison', () => {
  const arm = (success: number, failure: number, rated = 0, ratingSum = 0) => ({
    total: success + failure,
    rated,
    ratingSum,
    ratingSquares: rated,
    success,
    partial: 0,
    failure,
  })

  it.each([
    ['b_better', arm(40, 60), arm(70, 30)],
    ['a_better', arm(70, 30), arm(40, 60)],
    ['no_difference_shown', arm(50, 50), arm(52, 48)],
    ['not_enough_data', arm(5, 0), arm(0, 5)],
    ['sample_ratio_mismatch', arm(400, 400), arm(100, 100)],
    ['not_enough_data', arm(0, 0), arm(0, 0)],
  ] as const)('concludes %s', (verdict, a, b) => {
    const found = compareArms(a, b)
    expect(found.verdict).toBe(verdict)
    expect(found.explanation.length).toBeGreaterThan(20)
  })

  it('counts a partial success as half', () => {
    expect(compareArms({ ...arm(10, 10), partial: 20 }, arm(1, 1)).a.successRate).toBe(0.5)
  })
})

describe('similarity', () => {
  it('is 1 for the same need in other words, 0 for different needs', () => {
    expect(dice(contentTerms('How do I configure nginx?'), contentTerms('configuring NGINX'))).toBe(1)
    expect(dice(contentTerms('parse a date'), contentTerms('deploy the worker'))).toBe(0)
    expect(dice(contentTerms('what is it'), contentTerms('what is it'))).toBe(1)
  })

  it('is symmetric and between 0 and 1', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const similarity = dice(contentTerms(a), contentTerms(b))
        expect(similarity).toBe(dice(contentTerms(b), contentTerms(a)))
        expect(similarity).toBeGreaterThanOrEqual(0)
        expect(similarity).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('backoff', () => {
  it('grows, is bounded, and is spread over the upper half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, luck) => {
        const wait = backoffMs(attempts, luck)
        const ceiling = Math.min(900_000, 5000 * 2 ** (attempts - 1))
        expect(wait).toBeGreaterThanOrEqual(Math.floor(ceiling / 2))
        expect(wait).toBeLessThanOrEqual(ceiling)
      }),
    )
  })
})

describe('prometheusText', () => {
  it('escapes labels, writes special values and omits empty metrics', () => {
    const text = prometheusText([
      { name: 'a_total', help: 'line\nbreak', type: 'counter', samples: [{ labels: { x: 'q"\\\n' }, value: 3 }] },
      { name: 'b', help: 'none', type: 'gauge', samples: [] },
      { name: 'c', help: 'odd', type: 'gauge', samples: [{ value: Number.POSITIVE_INFINITY }] },
    ])
    expect(text).toBe(
      '# HELP a_total line\\nbreak\n# TYPE a_total counter\na_total{x="q\\"\\\\\\n"} 3\n# HELP c odd\n# TYPE c gauge\nc +Inf\n',
    )
  })
})
