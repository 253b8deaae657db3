/**
 * Code that reads users' texts takes linear time, whatever they contain: quadratic time would let one request, or one
 * stored item, block an isolate for minutes.
 */
import { describe, expect, test } from 'vitest'
import { extractSummary } from '../../src/conversation/summary.ts'
import { splitPassages } from '../../src/knowledge/passages.ts'
import { complexity, reusability } from '../../src/outcomes/value-score.ts'
import { errorType, essence } from '../../src/patterns/extract.ts'
import { queryVector } from '../../src/routing/features.ts'
import { modeSignals } from '../../src/routing/search-mode.ts'
import { readSqlText } from '../../src/routing/sql-text.ts'
import { neutralise, suspectedInstructions } from '../../src/security/injection.ts'
import { documentColumns, queryTerms } from '../../src/text/index-terms.ts'
import { analyseQuery } from '../../src/text/query-analysis.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'
import { words } from '../../src/text/words.ts'
import { locateJsonError } from '../../src/transports/json-error.ts'
import { cpuTime, steeperThanLinear } from '../growth.node.ts'

const countTokens = await tokenCounter()

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  analyseQuery,
  complexity,
  countTokens,
  documentColumns: (body) => documentColumns({ body }),
  errorType,
  essence,
  extractSummary: (text) => extractSummary([{ turn: 1, speaker: 'user', text }]),
  locateJsonError,
  modeSignals: (query) => modeSignals(query, null),
  neutralise,
  queryTerms,
  queryVector,
  readSqlText: (text) => readSqlText(`SELECT ${text}`),
  reusability: (query) => reusability(query, []),
  splitPassages: (body) => splitPassages(body, countTokens),
  suspectedInstructions,
  words,
}

const PIECES = [
  'a',
  'Aa',
  'é'.normalize('NFD'),
  '漢',
  '1',
  ' ',
  '\n',
  '\r',
  '\u2028',
  '\n \n',
  '_',
  '.',
  '?',
  '"',
  '“',
  '`',
  ')',
  ':1',
  'a_',
  'a/',
  '- ',
  '. ',
  '((',
  '{"a":',
  'ignore all ',
  'send the ',
]
const LENGTH = 32_000

const linear = (read: (text: string) => unknown) => [
  ...steeperThanLinear(read, PIECES, LENGTH),
  ...steeperThanLinear((text) => read(`a${text}äb`), PIECES, LENGTH),
]

describe.each(Object.entries(READERS))('%s', (_, read) => {
  test('takes linear CPU time in the length of a text', () => {
    expect(linear(read)).toEqual([])
  })
})

test('detects quadratic time', () => {
  const square = (text: string) => {
    let sum = 0
    for (let i = 0; i < text.length; i += 3) for (let j = 0; j < text.length; j += 3) sum += text.charCodeAt(j) ^ i
    return sum
  }
  expect(steeperThanLinear(square, ['a'], LENGTH)).toHaveLength(1)
})

test('the token counter does not slow down for new words after many words', () => {
  let next = 1_000_000
  const newWord = () => {
    next += 7919
    return next.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'.charAt(Number(digit)))
  }
  const newWords = (count: number) => Array.from({ length: count }, newWord).join(' ')
  const costOf = (text: string) => cpuTime(() => countTokens(text), 1)
  countTokens(newWords(10_000))
  const early = Math.min(costOf(newWords(10_000)), costOf(newWords(10_000)))
  countTokens(newWords(150_000))
  const late = Math.min(costOf(newWords(10_000)), costOf(newWords(10_000)))
  expect(late).toBeLessThan(3 * Math.max(10, early))
})
