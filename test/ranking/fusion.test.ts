import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logOdds } from '../../src/ranking/calibration.ts'
import { type FusionCandidate, fuse } from '../../src/ranking/fusion.ts'
import { logistic } from '../../src/statistics.ts'

const unit = fc.double({ min: 0, max: 1, noNaN: true })
const candidate: fc.Arbitrary<FusionCandidate<number>> = fc.record({
  item: fc.nat(),
  keyword: fc.option(fc.record({ score: fc.double({ min: 0.01, max: 60, noNaN: true }), coverage: fc.option(unit) })),
  cosine: fc.option(fc.double({ min: -1, max: 1, noNaN: true })),
  rerank: fc.option(unit),
  credit: fc.double({ min: -1, max: 1, noNaN: true }),
})
const query = fc.record({
  attainable: fc.double({ min: 0, max: 200, noNaN: true }),
  terms: fc.nat(32),
  embeddingCoverage: unit,
})
const plain = { attainable: 30, terms: 3, embeddingCoverage: 0.9 }

describe('fuse', () => {
  it('returns every candidate once, best first, with a probability', () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 30 }), query, (candidates, facts) => {
        const { results, answerable } = fuse(candidates, facts)
        expect(results.map(({ item }) => item).sort()).toEqual(candidates.map(({ item }) => item).sort())
        for (const probability of [answerable, ...results.map((result) => result.probability)]) {
          expect(probability).toBeGreaterThanOrEqual(0)
          expect(probability).toBeLessThanOrEqual(1)
        }
        for (let i = 1; i < results.length; i++) {
          expect(results[i - 1]?.probability).toBeGreaterThanOrEqual(results[i]?.probability ?? 0)
        }
      }),
    )
  })

  it('ranks only by keyword if there are no vectors, and only by vectors if no word matches', () => {
    const words = [3, 9, 6].map((score) => ({ item: score, keyword: { score, coverage: 0.5 }, cosine: null }))
    expect(fuse(words, plain).results.map(({ item }) => item)).toEqual([9, 6, 3])
    const vectors = [0.3, 0.9, 0.6].map((cosine) => ({ item: cosine, keyword: null, cosine }))
    expect(fuse(vectors, plain).results.map(({ item }) => item)).toEqual([0.9, 0.6, 0.3])
  })

  it('never ranks better evidence lower, unless a reranker or the record contradicts it', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 10 }), query, unit, (candidates, facts, gain) => {
        const [first, ...rest] = candidates.map((one) => ({ ...one, rerank: null, credit: 0 }))
        if (!first || first.cosine === null) return
        const rankOf = (cosine: number) =>
          fuse([{ ...first, item: -1, cosine }, ...rest], facts).results.findIndex(({ item }) => item === -1)
        expect(rankOf(Math.min(1, first.cosine + gain))).toBeLessThanOrEqual(rankOf(first.cosine))
      }),
    )
  })

  it('reports the rank and score in each list', () => {
    const { results } = fuse(
      [
        { item: 'both', keyword: { score: 8, coverage: 1 }, cosine: 0.5 },
        { item: 'vector', keyword: null, cosine: 0.8 },
      ],
      plain,
    )
    expect(results[0]).toMatchObject({
      item: 'both',
      breakdown: {
        keyword: { rank: 1, score: 8, coverage: 1 },
        semantic: { rank: 2, score: 0.5 },
        rerank: null,
        credit: 0,
      },
    })
    expect(results[1]?.breakdown.keyword).toBeNull()
  })

  it('lets a reranker and a good record move a result', () => {
    const pair = [
      { item: 'a', keyword: { score: 8, coverage: 1 }, cosine: null },
      { item: 'b', keyword: { score: 7, coverage: 1 }, cosine: null },
    ]
    const [a, b] = pair
    if (!a || !b) throw new Error('two candidates')
    expect(
      fuse(
        [
          { ...a, rerank: 0.1 },
          { ...b, rerank: 0.9 },
        ],
        plain,
      ).results[0]?.item,
    ).toBe('b')
    const before = fuse([a, b], plain).results.find(({ item }) => item === 'b')?.probability ?? 0
    const after = fuse([a, { ...b, credit: 1 }], plain).results.find(({ item }) => item === 'b')?.probability ?? 0
    expect(after).toBeGreaterThan(before)
  })

  it('weights the number of covered terms in short texts, and their frequency in long ones', () => {
    const pair = [
      { item: 'covers', keyword: { score: 7, coverage: 0.9, length: 12 }, cosine: null },
      { item: 'repeats', keyword: { score: 9, coverage: 0.5, length: 12 }, cosine: null },
    ]
    expect(fuse(pair, { ...plain, averageLength: 12 }).results[0]?.item).toBe('covers')
    expect(fuse(pair, { ...plain, averageLength: 200 }).results[0]?.item).toBe('repeats')
  })

  it('relies on words for identifiers, and for questions with unknown words', () => {
    const pair = [
      { item: 'words', keyword: { score: 8, coverage: 0.8 }, cosine: 0.1 },
      { item: 'vector', keyword: { score: 6.5, coverage: 0.6 }, cosine: 0.7 },
    ]
    expect(fuse(pair, plain).results[0]?.item).toBe('vector')
    expect(fuse(pair, { ...plain, compounds: 3 }).results[0]?.item).toBe('words')
    expect(fuse(pair, { ...plain, embeddingCoverage: 0.3 }).results[0]?.item).toBe('words')
  })

  it('treats a missing second or tenth item as no evidence: a small collection is no more confident about a stray word than a large one', () => {
    const stray = { item: 'note', keyword: { score: 9, coverage: 0.3 }, cosine: 0.2 }
    const facts = { attainable: 40, terms: 5, embeddingCoverage: 0.9, averageLength: 40 }
    const others = Array.from({ length: 29 }, (_, i) => ({
      item: `other ${i}`,
      keyword: null,
      cosine: 0.05 + i / 1000,
    }))
    const alone = fuse([stray], { ...facts, items: 1 }).answerable
    expect(alone).toBeLessThan(0.3)
    expect(alone).toBeLessThanOrEqual(fuse([stray, ...others], { ...facts, items: 30 }).answerable)
    const full = { item: 'note', keyword: { score: 30, coverage: 0.95 }, cosine: 0.65 }
    expect(fuse([full], { ...facts, items: 1 }).answerable).toBeGreaterThan(0.7)
  })

  it('goes by words alone while the scale of the cosines is unknown, and orders by the cosines all the same', () => {
    const high = [0.8, 0.9, 0.85].map((cosine) => ({ item: cosine, keyword: { score: 3, coverage: 0.1 }, cosine }))
    const facts = { attainable: 30, terms: 3, embeddingCoverage: 1, sentences: true }
    const unknown = fuse(high, { ...facts, scale: null })
    const words = fuse(
      high.map((one) => ({ ...one, cosine: null })),
      facts,
    )
    expect(unknown.answerable).toBeCloseTo(words.answerable, 1)
    expect(unknown.answerable).toBeLessThan(fuse(high, facts).answerable)
    expect(unknown.results.map(({ item }) => item)).toEqual([0.9, 0.85, 0.8])
    // Nothing else was searched.
    expect(fuse(high, { ...facts, attainable: 0, scale: null }).evidence.vectors).toBe(true)
  })

  it('converts the cosines of another embedder to scale', () => {
    const pair = [0.62, 0.6].map((cosine) => ({ item: cosine, keyword: null, cosine }))
    const facts = { attainable: 0, terms: 3, embeddingCoverage: 1, items: 1000 }
    const raw = fuse(pair, facts)
    const scaled = fuse(pair, { ...facts, scale: { level: 0.6, spread: 0.05 } })
    expect(scaled.answerable).toBeLessThan(raw.answerable)
    expect(scaled.results.map(({ item }) => item)).toEqual([0.62, 0.6])
  })

  it('weights a sentence encoder more than the word table, except among turns, without more confidence', () => {
    const pair = [
      { item: 'words', keyword: { score: 12, coverage: 0.8 }, cosine: 0.2 },
      { item: 'meaning', keyword: { score: 4, coverage: 0.3 }, cosine: 0.6 },
    ]
    const first = (facts: object, candidates: FusionCandidate<string>[] = pair) =>
      fuse(candidates, { ...plain, averageLength: 200, ...facts }).results[0]?.item
    expect(first({})).toBe('words')
    expect(first({ sentences: true })).toBe('meaning')
    expect(first({ sentences: true, embeddingCoverage: 0.3 })).toBe('words')
    const turns = pair.map((one, i) => ({ ...one, turn: { conversation: one.item, position: 10 * i } }))
    expect(first({ sentences: true }, turns)).toBe('words')
    const leads = (facts: object) => fuse(pair, { ...plain, averageLength: 200, ...facts }).evidence
    expect(leads({ sentences: true }).leadOverSecond).toBe(leads({}).leadOverSecond)
  })

  it('is confident about a full match, and not about a stray word', () => {
    const facts = { attainable: 40, terms: 5, embeddingCoverage: 0.9, items: 1000, averageLength: 120 }
    const others = Array.from({ length: 12 }, (_, i) => ({
      item: `other ${i}`,
      keyword: { score: 4 - i / 10, coverage: 0.15 },
      cosine: 0.1,
    }))
    const full = { item: 'full', keyword: { score: 26, coverage: 1 }, cosine: 0.6 }
    expect(fuse([full, ...others], facts).answerable).toBeGreaterThan(0.9)
    expect(fuse(others, facts).answerable).toBeLessThan(0.1)
    expect(fuse(others.slice(0, 1), { ...facts, items: 3 }).answerable).toBeLessThan(0.5)
  })

  it('finds nothing answerable without candidates', () => {
    expect(fuse([], plain)).toMatchObject({ results: [], answerable: 0 })
  })
})

describe('calibration', () => {
  it('logistic and log-odds are inverse functions', () => {
    fc.assert(
      fc.property(fc.double({ min: -11, max: 11, noNaN: true }), (x) => {
        expect(logOdds(logistic(x))).toBeCloseTo(x, 6)
      }),
    )
  })
})
