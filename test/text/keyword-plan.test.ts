import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentColumns, queryTerms } from '../../src/text/index-terms.ts'
import { keywordEvidence, planKeywordSearch } from '../../src/text/keyword-plan.ts'
import { documentLength, hashTerm, TermListReader, termList } from '../../src/text/term-list.ts'

const documents = fc.array(
  fc
    .array(fc.constantFrom('parse', 'cache', 'get_user', 'C++', '東京', 'error', 'retry'), {
      minLength: 1,
      maxLength: 30,
    })
    .map((words) => words.join(' ')),
  { minLength: 1, maxLength: 8 },
)

function statisticsOf(bodies: readonly string[], question: string) {
  const columns = bodies.map((body) => documentColumns({ body }))
  const sets = columns.map(({ body, identifiers }) => new Set(`${body} ${identifiers}`.split(' ')))
  const lists = columns.map(termList)
  const documentFrequencies = new Map(
    queryTerms(question).map(({ term }) => [term, sets.filter((set) => set.has(term)).length]),
  )
  const averageLength = lists.reduce((sum, list) => sum + documentLength(list), 0) / lists.length
  return { lists, statistics: { items: bodies.length, averageLength, documentFrequencies } }
}

describe('termList', () => {
  it('returns the frequency of every term', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (body) => {
        const columns = documentColumns({ body })
        const reader = new TermListReader(termList(columns))
        const words = columns.body.split(' ').filter((word) => word !== '')
        const names = columns.identifiers.split(' ').filter((name) => name !== '')
        expect(reader.length).toBe(words.length + names.length)
        for (const word of words) {
          const frequency =
            words.filter((other) => other === word).length + names.filter((name) => name === word).length / 2
          expect(reader.frequency(hashTerm(word))).toBe(Math.min(127.5, frequency))
        }
        expect(reader.frequency(hashTerm('never\u0001said'))).toBe(0)
      }),
    )
  })

  it('is readable when empty', () => {
    expect(new TermListReader(new Uint8Array()).frequency(1)).toBe(0)
    expect(new TermListReader(termList(documentColumns({ body: '' }))).length).toBe(0)
  })
})

describe('planKeywordSearch', () => {
  it('weights rare terms above common ones, and absent ones no more than the others on average', () => {
    const terms = queryTerms('common rare absent')
    const [common, rare, absent] = terms.map(({ term }) => term)
    const documentFrequencies = new Map([
      [common ?? '', 40_000],
      [rare ?? '', 3],
    ])
    const plan = planKeywordSearch(terms, { items: 50_000, averageLength: 80, documentFrequencies })
    const idf = new Map(plan.terms.map((term) => [term.term, term.idf]))
    expect(idf.get(rare ?? '')).toBeGreaterThan(idf.get(common ?? '') ?? 0)
    expect(idf.get(absent ?? '')).toBeCloseTo(((idf.get(rare ?? '') ?? 0) + (idf.get(common ?? '') ?? 0)) / 2)
    expect(plan.totalIdf).toBeCloseTo([...idf.values()].reduce((sum, value) => sum + value, 0))
    expect(plan.attainable).toBeCloseTo(plan.totalIdf * 2.2)
  })
})

describe('keywordEvidence', () => {
  it('stays within its bounds, and is zero exactly if no term is shared', () => {
    fc.assert(
      fc.property(documents, (bodies) => {
        const question = bodies[0] ?? ''
        const { lists, statistics } = statisticsOf(bodies, question)
        const plan = planKeywordSearch(queryTerms(question), statistics)
        for (const list of lists) {
          const evidence = keywordEvidence(plan, list)
          expect(evidence.score).toBeGreaterThanOrEqual(0)
          expect(evidence.score).toBeLessThanOrEqual(plan.attainable)
          expect(evidence.score === 0).toBe(evidence.matched === 0)
        }
        expect(keywordEvidence(plan, lists[0] ?? new Uint8Array()).coverage).toBeCloseTo(1)
      }),
    )
  })

  it('prefers the document with more terms of the question', () => {
    const bodies = ['retry the request', 'retry the request with backoff', 'something else']
    const { lists, statistics } = statisticsOf(bodies, 'retry with backoff')
    const plan = planKeywordSearch(queryTerms('retry with backoff'), statistics)
    const [some, all, none] = lists.map((list) => keywordEvidence(plan, list).score)
    expect(all).toBeGreaterThan(some ?? 0)
    expect(none).toBe(0)
  })
})
