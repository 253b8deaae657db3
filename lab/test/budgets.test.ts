import { expect, test } from 'vitest'
import { tableIn } from '../budgets.ts'

test('the table is found in what the test prints, with its sizes', () => {
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

test('a run that printed none has none', () => {
  expect(tableIn('FAIL test/jobs/worst-use.test.ts')).toBeNull()
})
