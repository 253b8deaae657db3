import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bootstrapRows, calibrationError, recovered, routerMetrics, seeded } from '../eval/routing-metrics.ts'

const row = fc.record({ weak: fc.integer({ min: 0, max: 1 }), strong: fc.integer({ min: 0, max: 1 }) })
/** Rows on which the strong model is better. */
const rows = fc
  .array(row, { minLength: 1, maxLength: 60 })
  .map((all) => [...all, { weak: 0, strong: 1 }, { weak: 0, strong: 1 }])
const gap = (all: readonly { weak: number; strong: number }[]) =>
  all.reduce((sum, { weak, strong }) => sum + strong - weak, 0)

test('a worked example', () => {
  const labelled = [
    { weak: 0, strong: 1 },
    { weak: 1, strong: 1 },
    { weak: 0, strong: 1 },
    { weak: 1, strong: 1 },
  ]
  expect(recovered(labelled, [4, 3, 2, 1])).toEqual([0, 0.5, 0.5, 1, 1])
  expect(routerMetrics(labelled, [4, 3, 2, 1])).toEqual({ apgr: 0.6, cpt50: 0.25, cpt80: 0.75 })
  expect(routerMetrics(labelled, [4, 1, 3, 2])).toEqual({ apgr: 0.7, cpt50: 0.25, cpt80: 0.5 })
})

test('the curve runs from nothing to everything, and no order beats the oracle', () => {
  fc.assert(
    fc.property(rows, fc.infiniteStream(fc.double({ noNaN: true, min: 0, max: 1 })), (labelled, scores) => {
      fc.pre(gap(labelled) > 0)
      const given = labelled.map(() => scores.next().value)
      const curve = recovered(labelled, given)
      expect(curve[0]).toBe(0)
      expect(curve.at(-1)).toBeCloseTo(1)
      const oracle = routerMetrics(
        labelled,
        labelled.map(({ weak, strong }) => strong - weak),
      )
      const measured = routerMetrics(labelled, given)
      expect(measured.apgr).toBeLessThanOrEqual(oracle.apgr + 1e-9)
      expect(measured.cpt80).toBeGreaterThanOrEqual(measured.cpt50)
    }),
  )
})

test('random routing recovers half of the gap', () => {
  const random = seeded(3)
  const labelled = Array.from({ length: 20_000 }, () => ({
    weak: Number(random() < 0.5),
    strong: Number(random() < 0.9),
  }))
  expect(
    routerMetrics(
      labelled,
      labelled.map(() => random()),
    ).apgr,
  ).toBeCloseTo(0.5, 1)
})

test('calibration error', () => {
  expect(calibrationError([0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1])).toBe(0)
  expect(calibrationError([0.9, 0.9], [1, 0])).toBeCloseTo(0.4)
  expect(calibrationError([1, 0], [0, 1])).toBe(1)
})

test('the interval contains the value and is always the same', () => {
  const values = Array.from({ length: 200 }, (_, i) => i / 200)
  const mean = (indices: readonly number[]) => indices.reduce((sum, i) => sum + (values[i] ?? 0), 0) / indices.length
  const interval = bootstrapRows(200, mean)
  expect(interval[0]).toBeLessThan(0.4975)
  expect(interval[1]).toBeGreaterThan(0.4975)
  expect(bootstrapRows(200, mean)).toEqual(interval)
})
