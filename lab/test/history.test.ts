import { expect, test } from 'vitest'
import type { CodeQuestion } from '../eval/code-data.ts'
import { historyOf, inTimeOrder } from '../eval/history.ts'

const LOG = [
  'cccccccccccccccccccc 300 Merge pull request #12 from someone/branch',
  'bbbbbbbbbbbbbbbbbbbb 200 Keep empty lines (#9)',
  'aaaaaaaaaaaaaaaaaaaa 100 Flush the buffer',
].join('\n')

const question = (id: string, kind: string, answeredBy: CodeQuestion['answeredBy']): CodeQuestion => ({
  id,
  kind,
  text: id,
  targets: [],
  answeredBy,
})
const FIRST = question('first', 'commit', { commit: 'aaaaaaaaaaaa' })
const NAMED = question('named', 'commit_named', { commit: 'bbbbbbbbbbbb' })
const ISSUE = question('issue', 'issue', { pullRequest: 12 })
const repository = (questions: readonly CodeQuestion[]) => ({ name: 'r', repository: 'o/r', questions, published: {} })

test('sorts commits and issues of all kinds by the time of their answers', () => {
  expect(inTimeOrder([ISSUE, NAMED, FIRST], LOG)).toEqual([FIRST, NAMED, ISSUE])
})

test('a pull request that is not in the log follows the one with the next lower number', () => {
  const unnamed = question('unnamed', 'issue', { pullRequest: 11 })
  expect(inTimeOrder([ISSUE, unnamed, FIRST], LOG)).toEqual([FIRST, unnamed, ISSUE])
})

test('reports a commit that is not in the log', () => {
  expect(() => inTimeOrder([question('gone', 'commit', { commit: 'dddddddddddd' })], LOG)).toThrow(/gone/)
})

test('a set of only commits is already in order; issue titles and written questions are not part of the history', () => {
  const written = question('written', 'question', null)
  const title = question('title', 'issue_title', { pullRequest: 12 })
  expect(historyOf(repository([FIRST, written, title]), undefined)).toEqual([FIRST])
  expect(() => historyOf(repository([FIRST, NAMED]), undefined)).toThrow(/--mirrors/)
})
