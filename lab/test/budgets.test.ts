import { expect, test } from 'vitest'
import { tableIn } from '../budgets.ts'

test("finds the table in the test's output, with its sizes", () => {
  const printed = [
    'stdout | test/jobs/worst-use.test.ts',
    '\x1b[39mAt 300 / 3000 interactions:',
    '',
    '| operation or job | queries |',
    '|---|---|',
    '| augment_query | 1 / 1 |',
    '',
    '{"level":"info"}',
  ].join('\n')
  expect(tableIn(printed)).toBe(
    'At 300 / 3000 interactions:\n\n| operation or job | queries |\n|---|---|\n| augment_query | 1 / 1 |',
  )
})

test('returns null for a run without a table', () => {
  expect(tableIn('FAIL test/jobs/worst-use.test.ts')).toBeNull()
})
