import { expect, test } from 'vitest'
import { hostileCases } from '../eval/hostile-key.ts'

test('1,000 votes of one key of ten never reverse the opinion of the nine others, and move an item by less than a tenth of the maximum credit', () => {
  const cases = hostileCases()
  expect(cases).toHaveLength(40)
  for (const { votes, without, with: beside, moved } of cases) {
    expect(Math.abs(moved)).toBeLessThan(0.5)
    if (votes >= 2) expect(Math.sign(beside) * Math.sign(without)).toBeGreaterThanOrEqual(0)
  }
})
