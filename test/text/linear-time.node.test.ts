/**
 * What reads users' texts takes a time in proportion to their length, whatever they hold: a square would let one request, or one
 * stored item, keep an isolate busy for minutes. In node, because the clock of a Worker stands still while it computes.
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
/** For what takes a few milliseconds; those with a square took between one and thirty seconds. */
const MAX_MS = 700

describe.each(Object.entries(READERS))('%s', (_, read) => {
  const time = (text: string) => {
    const started = performance.now()
    read(text)
    return performance.now() - started
  }

  test('takes no long text for ever', () => {
    const slow: string[] = []
    for (const piece of PIECES) {
      const run = piece.repeat(LENGTH / piece.length)
      for (const text of [run, `a${run}äb`]) {
        time(text.slice(0, 500))
        const took = time(text)
        // A machine that is busy with something else may be slow once; the same text could be answered from a cache.
        if (took > MAX_MS && time(text.slice(1)) > MAX_MS) slow.push(`${JSON.stringify(piece)}: ${Math.round(took)} ms`)
      }
    }
    expect(slow).toEqual([])
  })
})
