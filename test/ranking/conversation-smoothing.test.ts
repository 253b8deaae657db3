import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { smoothTurns } from '../../src/ranking/conversation-smoothing.ts'
import { fuse } from '../../src/ranking/fusion.ts'

const turn = (position: number, conversation = 'c') => ({ conversation, position })

describe('smoothTurns', () => {
  it('does not change items outside conversations', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true })), (scores) => {
        expect(smoothTurns(scores.map((score) => ({ score })))).toEqual(scores)
      }),
    )
  })

  it('never raises a score above the best', () => {
    const scored = fc.record({
      score: fc.double({ min: 0, max: 2, noNaN: true }),
      turn: fc.nat(9).map((position) => turn(position)),
    })
    fc.assert(
      fc.property(fc.array(scored, { minLength: 1 }), (candidates) => {
        const most = Math.max(...candidates.map(({ score }) => score))
        for (const score of smoothTurns(candidates)) expect(score).toBeLessThanOrEqual(most + 1e-12)
      }),
    )
  })

  it('prefers a turn among good neighbours to an equal one alone', () => {
    const [alone, between] = smoothTurns([
      { score: 1, turn: turn(5, 'other') },
      { score: 1, turn: turn(5) },
      { score: 0.8, turn: turn(4) },
      { score: 0.8, turn: turn(6) },
    ])
    expect(between).toBeGreaterThan(alone ?? 0)
  })
})

describe('fuse', () => {
  it('raises the answer next to the question that it answers', () => {
    const at = (score: number, position: number, conversation: string) => ({
      item: `${conversation}${position}`,
      keyword: { score, coverage: score / 10 },
      cosine: null,
      turn: turn(position, conversation),
    })
    const facts = { attainable: 20, terms: 4, embeddingCoverage: 0 }
    const { results } = fuse([at(10, 4, 'a'), at(5, 5, 'a'), at(5.2, 9, 'b')], facts)
    expect(results.map(({ item }) => item)).toEqual(['a4', 'a5', 'b9'])
  })
})
