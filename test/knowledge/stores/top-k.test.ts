import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TopK } from '../../../src/knowledge/stores/top-k.ts'

/** Few different scores, so that many are equal. */
const scores = fc.array(fc.integer({ min: -3, max: 6 }), { maxLength: 60 })

it('keeps the greatest scores above the floor, with the first of equal ones in front', () => {
  fc.assert(
    fc.property(scores, fc.nat(12), fc.constantFrom(Number.NEGATIVE_INFINITY, 0), (offered, limit, floor) => {
      const best = new TopK(limit, floor)
      offered.forEach((score, row) => {
        if (score > best.floor) best.add(row, score)
      })
      const expected = offered
        .map((score, row) => ({ score, row }))
        .filter(({ score }) => score > floor)
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .slice(0, limit)
      expect(best.rows).toEqual(expected.map(({ row }) => row))
      expect([...best.scores]).toEqual(expected.map(({ score }) => score))
    }),
  )
})
