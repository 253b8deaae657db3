import { expect, test } from 'vitest'
import { asQuestion, chooseQuestions, parseLog, questionOf } from '../eval/commit-set.ts'

const LOG = [
  '\x01a1\x02Initial import\n\nA\tsrc/parse.py\nA\tsrc/write.py\n',
  '\x01b2\x02fix(parser): keep empty lines at the end (#12)\n\nM\tsrc/parse.py\nM\ttests/test_parse.py\n',
  '\x01c3\x02docs: how to keep empty lines\n\nM\tsrc/parse.py\n',
  '\x01d4\x02Flush the buffer before it is closed\n\nM\tsrc/write.py\n',
  '\x01e5\x02Move everything to a new folder now\n\nR100\tsrc/write.py\tlib/write.py\n',
  '\x01f6\x02Let parse take more than text\n\nM\tsrc/parse.py\n',
].join('')

test('removes numbers, prefixes and references from subjects', () => {
  expect(questionOf('fix(parser): keep empty lines (#12)')).toBe('keep empty lines')
  expect(questionOf('🐛 Accept dates without time. Closes #7')).toBe('Accept dates without time.')
  expect(questionOf(':bookmark: Release 1.2')).toBe('Release 1.2')
})

test('a commit gives a question if it changed a few existing sources', () => {
  const commits = parseLog(LOG)
  expect(commits.map((commit) => asQuestion(commit)?.files ?? null)).toEqual([
    null,
    ['src/parse.py'],
    null,
    ['src/write.py'],
    null,
    ['src/parse.py'],
  ])
})

test('questions are in time order after the snapshot, and none names its file', () => {
  const chosen = chooseQuestions(parseLog(LOG), 10, () => new Set(['src/parse.py', 'src/write.py']))
  expect(chosen?.snapshot).toBe('a1')
  expect(chosen?.questions.map(({ text }) => text)).toEqual([
    'keep empty lines at the end',
    'Flush the buffer before it is closed',
  ])
})
