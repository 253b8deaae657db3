/** What is cut is reported, and nothing else: each report is compared with what the index and the analysis hold. */
import { describe, expect, it } from 'vitest'
import { vectorTruncationOf } from '../../src/inference/embedding/minilm/texts.ts'
import { deferredStaticEmbedder, STATIC_SPACE } from '../../src/inference/embedding/static/embedder.ts'
import { documentColumns, queryTerms } from '../../src/text/index-terms.ts'
import { indexTruncations } from '../../src/text/index-truncations.ts'
import { analyseQuery } from '../../src/text/query-analysis.ts'
import { documentLength, readTermList, termList } from '../../src/text/term-list.ts'
import { tokenise } from '../../src/text/tokens.ts'

/** Distinct words without suffixes, each one term. */
const word = (i: number) =>
  `q${[...i.toString(19)].map((digit) => 'bcdfghjklmnpqrtvwxz'[Number.parseInt(digit, 19)]).join('')}`
const words = (count: number, from = 0) => Array.from({ length: count }, (_, i) => word(from + i)).join(' ')
const limits = (found: readonly { limit: number }[]) => found.map(({ limit }) => limit)

/** Whether the index holds every term of a text. */
function isIndexedWhole(title: string, body: string): boolean {
  const all = [tokenise(title, 'document'), tokenise(body, 'document')]
  const terms = new Set(all.flatMap((tokens) => [...tokens.words, ...tokens.compounds]))
  const list = termList(documentColumns({ title, body }))
  const read = all.reduce((sum, tokens) => sum + tokens.words.length + tokens.compounds.length, 0)
  return readTermList(list).hashes.length === terms.size && documentLength(list) >= read
}

describe('the keyword index', () => {
  const repeated = (count: number) => 'the queue is full '.repeat(count)
  it.each([
    ['a short text', '', 'zebra', []],
    ['16,000 distinct terms', '', words(16_000), []],
    ['17,000 distinct terms', '', words(17_000), [16_384]],
    ['as many in title and body together', words(9_000), words(9_000, 9_000), [16_384]],
    ['65,536 terms', '', repeated(16_384), []],
    ['65,537 terms', '', `${repeated(16_384)}zebra`, [65_536]],
    ['a title of 16,385 terms', `${repeated(4_096)}zebra`, 'body', [16_384]],
  ])('%s', (_, title, body, expected) => {
    expect(limits(indexTruncations({ title, body }))).toEqual(expected)
    expect(isIndexedWhole(title, body)).toBe(expected.length === 0)
  })

  it('reports text that normalisation makes too long', () => {
    const [found] = indexTruncations({ body: '㌖'.repeat(100) })
    expect(found).toMatchObject({ limit: 2, message: expect.stringContaining('Unicode normalisation') })
    expect(indexTruncations({ body: '㌖ und äöü, 终末' })).toEqual([])
  })

  it('names the part, the limit and the fix', () => {
    expect(indexTruncations({ body: `${repeated(16_384)}zebra` })).toEqual([
      {
        limit: 65_536,
        message: 'Keyword search covers the first 65,536 terms of the body.',
        hint: 'Store the text as several items.',
        search: 'keyword',
      },
    ])
  })
})

describe('the analysis of a query', () => {
  const code = (characters: number) => `Why?\n\`\`\`ts\n${'x'.repeat(characters)}\n\`\`\``
  const log = (lines: number) =>
    `Why?\n${Array.from({ length: lines }, (_, i) => `ERROR worker: failure number ${word(i)}`).join('\n')}`
  it.each([
    ['32 terms', words(32), []],
    ['33 terms', words(33), [32]],
    ['12,001 characters of few terms', 'queue '.repeat(2_000).padEnd(12_001, 'x'), [12_000]],
    ['40,000 characters of code', code(40_000 - 16), [400]],
    ['40,001 characters', 'queue '.repeat(7_000).slice(0, 40_001), [40_000, 12_000]],
    ['a block of 400 characters', code(400), []],
    ['a block of 401 characters', code(401), [400]],
    ['a log with 3 errors', log(3), []],
    ['a log with 4 errors', log(4), [3]],
  ])('%s', (_, query, expected) => {
    expect(limits(analyseQuery(query).truncated)).toEqual(expected)
  })

  it('reports the terms that are left out, and no others', () => {
    for (const count of [1, 31, 32, 33, 60]) {
      const searched = queryTerms(words(count)).length
      expect(analyseQuery(words(count)).truncated.length > 0).toBe(searched < count)
    }
  })
})

describe('the word table', () => {
  const { truncation, space } = deferredStaticEmbedder(() => Promise.reject(new Error('not needed')))
  it('represents 2,048 words', () => {
    expect(space).toEqual(STATIC_SPACE)
    expect(truncation?.('word '.repeat(2_048), 'document')).toBeNull()
    expect(truncation?.('word '.repeat(2_049), 'document')).toMatchObject({ limit: 2_048 })
    expect(truncation?.('x'.repeat(32_769), 'query')).toMatchObject({ limit: 2_048 })
  })
})

describe('the sentence embedder', () => {
  it('represents 128 word pieces of an item, and 400 characters of a query', () => {
    expect(vectorTruncationOf('word '.repeat(128), 'document')).toBeNull()
    expect(vectorTruncationOf('word '.repeat(129), 'document')).toMatchObject({ limit: 128 })
    expect(vectorTruncationOf('a.b,c;'.repeat(22), 'document')).toMatchObject({ limit: 128 })
    expect(vectorTruncationOf('x'.repeat(400), 'query')).toBeNull()
    expect(vectorTruncationOf('x'.repeat(401), 'query')).toMatchObject({ limit: 400 })
  })
})
