import { describe, expect, test } from 'vitest'
import { type BeirSet, cut } from '../eval/beir.ts'
import type { AskedQuestion } from '../eval/code.ts'
import { silenceAt } from '../eval/embedders-report.ts'

const none = { ndcg_chunks: 0, ndcg_files: 0, hit_1: 0, hit_5: 0, hit_10: 0 }
const asked = (probability: number, real: boolean): AskedQuestion => ({
  repository: 'r',
  id: String(probability),
  kind: 'k',
  silent: false,
  right: false,
  found: false,
  probability,
  tokens: 0,
  ...(real && { arms: { keyword: none, semantic: none, hybrid: none } }),
})

describe('silence at a rate of false injection', () => {
  const foreign = Array.from({ length: 100 }, (_, i) => asked(i / 200, false))

  test('allows as many false injections as the rate states', () => {
    // Two of a hundred are above .485.
    const { threshold, silent } = silenceAt([...foreign, asked(0.486, true), asked(0.4, true), asked(0.9, true)])
    expect(foreign.filter(({ probability }) => probability > threshold)).toHaveLength(2)
    expect(silent).toBeCloseTo(1 / 3)
  })

  test('without foreign questions nothing is silent', () => {
    expect(silenceAt([asked(0.1, true)])).toMatchObject({ silent: 0, threshold: 0 })
  })
})

describe('a reduced set', () => {
  const set: BeirSet = {
    name: 'set',
    collection: 'best-practices',
    documents: Array.from({ length: 50 }, (_, i) => ({ _id: `d${i}`, text: 'text' })),
    queries: [
      { id: 'a', text: 'a', judgements: new Map([['d40', 1]]) },
      { id: 'b', text: 'b', judgements: new Map([['d41', 1]]) },
    ],
  }

  test('keeps the judged documents of its queries, and is always the same', () => {
    const small = cut(set, 1, 10)
    expect(small.queries).toHaveLength(1)
    expect(small.documents).toHaveLength(10)
    expect(small.documents[0]?._id).toBe('d40')
    expect(cut(set, 1, 10)).toEqual(small)
  })

  test('a larger limit keeps every document', () => {
    expect(cut(set, 5, 50).documents).toBe(set.documents)
  })
})
