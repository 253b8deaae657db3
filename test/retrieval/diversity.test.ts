import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collapseNearDuplicates, maximalMarginalRelevance } from '../../src/retrieval/diversity.ts'
import { jaccard, shingles } from '../../src/text/shingles.ts'

const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 12 })
const long = Array.from({ length: 100 }, (_, i) => `word${i}`).join(' ')

describe('jaccard', () => {
  it('is symmetric, between 0 and 1, and 1 for equal sets', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const [first, second] = [shingles(a), shingles(b)]
        expect(jaccard(first, second)).toBe(jaccard(second, first))
        expect(jaccard(first, second)).toBeLessThanOrEqual(1)
        expect(jaccard(first, first)).toBe(first.size > 0 ? 1 : 0)
      }),
    )
  })
})

describe('collapseNearDuplicates', () => {
  it('loses nothing and keeps the order', () => {
    fc.assert(
      fc.property(texts, (contents) => {
        const results = contents.map((text, place) => ({ text, place }))
        const collapsed = collapseNearDuplicates(results, ({ text }) => text)
        const all = collapsed.flatMap(({ item, duplicates }) => [item, ...duplicates])
        expect(new Set(all)).toEqual(new Set(results))
        expect(all).toHaveLength(results.length)
        const places = collapsed.map(({ item }) => item.place)
        expect(places).toEqual([...places].sort((a, b) => a - b))
      }),
    )
  })

  it('collapses copies with different case or one changed word, and nothing else', () => {
    const changed = long.replace('word99', 'other')
    const half = long.split(' ').slice(0, 80).join(' ')
    const collapsed = collapseNearDuplicates([long, long.toUpperCase(), changed, half, ''], (text) => text)
    expect(collapsed.map(({ duplicates }) => duplicates.length)).toEqual([2, 0, 0])
  })
})

describe('maximalMarginalRelevance', () => {
  const results = [
    { id: 'a', group: 1, relevance: 0.9 },
    { id: 'b', group: 1, relevance: 0.85 },
    { id: 'c', group: 2, relevance: 0.6 },
  ]
  const options = {
    relevance: (result: (typeof results)[number]) => result.relevance,
    similarity: (a: (typeof results)[number], b: (typeof results)[number]) => (a.group === b.group ? 1 : 0),
    limit: 3,
  }

  it('keeps the order of relevance at λ = 1 and prefers novelty below', () => {
    expect(maximalMarginalRelevance(results, { ...options, lambda: 1 }).map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(maximalMarginalRelevance(results, { ...options, lambda: 0.6 }).map(({ id }) => id)).toEqual(['a', 'c', 'b'])
  })

  it('returns at most the limit, each once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
        fc.nat(25),
        (scores, limit) => {
          const items = scores.map((score, i) => ({ score, i }))
          const chosen = maximalMarginalRelevance(items, {
            relevance: ({ score }) => score,
            similarity: (a, b) => 1 - Math.abs(a.score - b.score),
            lambda: 0.7,
            limit,
          })
          expect(new Set(chosen).size).toBe(Math.min(limit, items.length))
        },
      ),
    )
  })
})
