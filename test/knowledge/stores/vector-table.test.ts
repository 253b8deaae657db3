import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../cli/shared/random.ts'
import { quantize, VectorTable } from '../../../src/knowledge/stores/vectors/vector-table.ts'

const DIMENSIONS = 20
const component = fc.double({ min: -1, max: 1, noNaN: true })
const vector = fc
  .array(component, { minLength: DIMENSIONS, maxLength: DIMENSIONS })
  .map((values) => Float32Array.from(values))
  .filter((values) => Math.hypot(...values) > 0.01)
  .map((values) => values.map((value) => value / Math.hypot(...values)))
const row = fc.integer({ min: 1, max: 40 })
const steps = fc.array(fc.oneof(fc.record({ set: row, vector }), fc.record({ remove: row })), { maxLength: 80 })

/** The reference implementation: uncompressed vectors, compared by a sum of products. */
class Reference {
  readonly vectors = new Map<number, Float32Array>()

  cosine(query: Float32Array, at: number): number | null {
    const own = this.vectors.get(at)
    return own ? own.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0) : null
  }
}

function play(played: readonly ({ set: number; vector: Float32Array } | { remove: number })[]): {
  table: VectorTable
  reference: Reference
} {
  const table = new VectorTable(DIMENSIONS)
  const reference = new Reference()
  for (const step of played) {
    if ('set' in step) {
      table.set(step.set, quantize(step.vector))
      reference.vectors.set(step.set, step.vector)
    } else {
      table.delete(step.remove)
      reference.vectors.delete(step.remove)
    }
  }
  return { table, reference }
}

/** Rounding to 1/127 of the greatest component, in both vectors. */
const TOLERANCE = 0.02

describe('the table of vectors', () => {
  it('contains what was set and not removed', () => {
    fc.assert(
      fc.property(steps, vector, (played, query) => {
        const { table, reference } = play(played)
        expect(table.size).toBe(reference.vectors.size)
        const rows = Array.from({ length: 42 }, (_, i) => i)
        table.cosines(query, rows).forEach((cosine, i) => {
          const expected = reference.cosine(query, i)
          if (expected === null) expect(cosine).toBeNull()
          else expect(Math.abs((cosine ?? 9) - expected)).toBeLessThan(TOLERANCE)
        })
      }),
    )
  })

  it('finds the nearest rows, by decreasing cosine, within the error of its codes', () => {
    fc.assert(
      fc.property(steps, vector, fc.integer({ min: 1, max: 12 }), (played, query, limit) => {
        const { table, reference } = play(played)
        const found = table.nearest(query, limit)
        expect(found).toHaveLength(Math.min(limit, reference.vectors.size))
        expect(new Set(found.map((entry) => entry.row)).size).toBe(found.length)
        const exact = [...reference.vectors.keys()].map((at) => reference.cosine(query, at) ?? 0).sort((a, b) => b - a)
        found.forEach(({ row: at, cosine }, i) => {
          expect(Math.abs(cosine - (reference.cosine(query, at) ?? 9))).toBeLessThan(TOLERANCE)
          expect(Math.abs(cosine - (exact[i] ?? 9))).toBeLessThan(TOLERANCE)
          if (i > 0) expect(cosine).toBeLessThanOrEqual(found[i - 1]?.cosine ?? 0)
        })
      }),
    )
  })

  it('finds the same cosines by scan and by row', () => {
    fc.assert(
      fc.property(steps, vector, (played, query) => {
        const { table } = play(played)
        const found = table.nearest(query, 100)
        const cosines = table.cosines(
          query,
          found.map((entry) => entry.row),
        )
        found.forEach(({ cosine }, i) => {
          expect(cosines[i]).toBeCloseTo(cosine, 6)
        })
      }),
    )
  })

  it('finds only allowed rows', () => {
    fc.assert(
      fc.property(steps, vector, fc.uniqueArray(row), (played, query, rows) => {
        const { table, reference } = play(played)
        const allowed = new Set(rows)
        const found = table.nearest(query, 100, allowed).map((entry) => entry.row)
        expect(found.sort()).toEqual([...reference.vectors.keys()].filter((at) => allowed.has(at)).sort())
      }),
    )
  })

  it('encodes a vector within half a step of its greatest component', () => {
    fc.assert(
      fc.property(vector, (values) => {
        const { codes, scale } = quantize(values)
        expect(codes.length % 16).toBe(0)
        values.forEach((value, i) => {
          expect(Math.abs((codes[i] ?? 0) * scale - value)).toBeLessThanOrEqual(scale * 0.5001)
        })
        expect(codes.subarray(values.length).every((code) => code === 0)).toBe(true)
      }),
    )
  })

  it('grows beyond its initial memory', () => {
    const table = new VectorTable(256)
    const unit = (at: number) => Float32Array.from({ length: 256 }, (_, i) => (i === at % 256 ? 1 : 0))
    for (let i = 0; i < 3000; i++) table.set(i, quantize(unit(i)))
    expect(table.size).toBe(3000)
    expect(table.bytes).toBeGreaterThan(3000 * 256)
    expect(
      table
        .nearest(unit(7), 20)
        .slice(0, 12)
        .every((entry) => entry.row % 256 === 7),
    ).toBe(true)
    for (let i = 0; i < 2990; i++) table.delete(i)
    expect(table.nearest(unit(2995), 1)).toMatchObject([{ row: 2995 }])
  })

  it('finds the same among thousands as comparing each of them', () => {
    const random = seeded(11)
    const some = () => {
      const values = Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5)
      const length = Math.hypot(...values)
      return values.map((value) => value / length)
    }
    const table = new VectorTable(DIMENSIONS)
    const rows = Array.from({ length: 9_001 }, (_, i) => 3 * i + 1)
    for (const row of rows) table.set(row, quantize(some()))
    for (const row of rows.filter((_, i) => i % 7 === 0)) table.delete(row)
    const left = rows.filter((_, i) => i % 7 !== 0)
    const even = left.filter((row) => row % 2 === 0)
    for (const [limit, among] of [
      [1, left],
      [100, left],
      [100, even],
    ] as const) {
      const query = some()
      const exact = table.cosines(query, among).map((cosine) => cosine ?? -1)
      const best = [...exact].sort((a, b) => b - a).slice(0, limit)
      const found = table.nearest(query, limit, among === even ? new Set(even) : undefined)
      expect(found).toHaveLength(limit)
      found.forEach(({ row, cosine }, i) => {
        expect(cosine).toBeCloseTo(best[i] ?? 9, 5)
        expect(cosine).toBeCloseTo(exact[among.indexOf(row)] ?? 9, 5)
      })
    }
  })
})
