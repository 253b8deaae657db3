/**
 * The inverted index gives the same results as a scan over all term lists, whatever was added, replaced and removed
 * before.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildSegment, mergeSegment, PACKED_ROW, rangeOf, type Segment } from '../../../src/knowledge/stores/segment.ts'
import { TermIndex } from '../../../src/knowledge/stores/term-index.ts'
import { documentColumns, queryTerms } from '../../../src/text/index-terms.ts'
import { keywordEvidence, planKeywordSearch } from '../../../src/text/keyword-plan.ts'
import { documentLength, hashTerm, TermListReader, termList } from '../../../src/text/term-list.ts'

const body = fc
  .array(fc.constantFrom('parse', 'cache', 'get_user', 'C++', '東京', 'error', 'retry', 'x'), { maxLength: 20 })
  .map((words) => words.join(' '))
const row = fc.integer({ min: 1, max: 2500 })
/** Null removes the row. */
const steps = fc.array(fc.tuple(row, fc.option(body, { nil: null })), { maxLength: 40 })

function apply(
  index: TermIndex,
  lists: Map<number, Uint8Array>,
  changes: readonly (readonly [number, string | null])[],
) {
  for (const [at, text] of changes) {
    const known = lists.get(at)
    if (known) {
      index.remove(at, known)
      lists.delete(at)
    }
    if (text === null) continue
    const list = termList(documentColumns({ body: text }))
    lists.set(at, list)
    index.add(at, list)
  }
}

function check(index: TermIndex, lists: ReadonlyMap<number, Uint8Array>, question: string) {
  const terms = queryTerms(question)
  const all = [...lists]
  const documentFrequencies = new Map(
    terms.map(({ term }) => [
      term,
      all.filter(([, list]) => new TermListReader(list).frequency(hashTerm(term)) > 0).length,
    ]),
  )
  for (const { term } of terms) {
    expect(index.documentFrequency(hashTerm(term))).toBe(documentFrequencies.get(term))
  }
  const total = all.reduce((sum, [, list]) => sum + documentLength(list), 0)
  expect(index.items).toBe(all.length)
  expect(index.averageLength).toBeCloseTo(all.length === 0 ? 0 : total / all.length, 9)
  const plan = planKeywordSearch(terms, {
    items: index.items,
    averageLength: index.averageLength,
    documentFrequencies,
  })
  const expected = all
    .map(([at, list]) => ({ at, ...keywordEvidence(plan, list) }))
    .filter(({ matched }) => matched > 0)
    .sort((a, b) => b.score - a.score)
  const found = index.search(plan, 10)
  expect(found.length).toBe(Math.min(10, expected.length))
  // Of every item, found or not.
  const asked = [...new Set([...found, ...lists.keys()])]
  const evidence = index.evidence(plan, asked)
  asked.forEach((at, i) => {
    const exact = keywordEvidence(plan, lists.get(at) ?? new Uint8Array(4))
    expect(evidence[i]?.score).toBeCloseTo(exact.score, 3)
    expect(evidence[i]?.coverage).toBeCloseTo(exact.coverage, 9)
    expect(evidence[i]?.matched).toBe(exact.matched)
    expect(evidence[i]?.length).toBe(exact.length)
    if (i < found.length) expect(evidence[i]?.score).toBeCloseTo(expected[i]?.score ?? -1, 3)
  })
  const even = new Set([...lists.keys()].filter((at) => at % 2 === 0))
  expect(index.search(plan, 10, even).every((at) => even.has(at))).toBe(true)
}

/** Term lists with random hashes, distributed like those of real words: several in every part of the range. */
const hashes = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 60 })

function listOf(from: readonly number[]): Uint8Array {
  const sorted = Uint32Array.from(from).sort()
  const bytes = new Uint8Array(4 + 5 * sorted.length)
  bytes.set(new Uint8Array(sorted.buffer), 4)
  sorted.forEach((hash, i) => {
    bytes[4 + 4 * sorted.length + i] = 1 + (hash % 255)
  })
  return bytes
}

describe('a segment', () => {
  it('contains every posting under its hash, in the order of the lists, also after a merge', () => {
    fc.assert(
      fc.property(fc.array(hashes, { maxLength: 40 }), fc.array(hashes, { maxLength: 10 }), (first, later) => {
        const rows = new Map(first.map((list, i) => [i + 1, list]))
        const built = buildSegment(
          [...rows].map(([row, list]) => ({ row, list: listOf(list) })),
          () => undefined,
        )
        expectPostings(built, rows)
        const stale = new Uint8Array(100)
        stale[1] = 1
        const recent = new Map<number, number[]>()
        later.forEach((list, i) => {
          rows.set(50 + i, list)
          for (const hash of list)
            recent.set(hash, [...(recent.get(hash) ?? []), (50 + i) * PACKED_ROW + 1 + (hash % 255)])
        })
        rows.delete(1)
        expectPostings(mergeSegment(built, recent, stale), rows)
      }),
    )
  })
})

function expectPostings(segment: Segment, rows: ReadonlyMap<number, readonly number[]>): void {
  const expected = new Map<number, number[]>()
  for (const [row, list] of rows) for (const hash of list) expected.set(hash, [...(expected.get(hash) ?? []), row])
  const kept = [...segment.hashes].filter((_, i) => segment.offsets[i] !== segment.offsets[i + 1])
  expect(kept).toEqual([...expected.keys()].sort((a, b) => a - b))
  for (const [hash, owners] of expected) {
    const [start, end] = rangeOf(segment, hash)
    expect([...segment.rows.subarray(start, end)]).toEqual(owners)
    expect([...segment.frequencies.subarray(start, end)]).toEqual(owners.map(() => 1 + (hash % 255)))
  }
}

describe('TermIndex', () => {
  it('agrees with a scan after any changes', () => {
    fc.assert(
      fc.property(steps, steps, body, (before, after, question) => {
        const lists = new Map<number, Uint8Array>()
        apply(TermIndex.build([]), lists, before)
        const index = TermIndex.build([...lists].map(([at, list]) => ({ row: at, list })))
        check(index, lists, question)
        apply(index, lists, after)
        check(index, lists, question)
      }),
    )
  })

  it('agrees after recent postings were merged', () => {
    const index = TermIndex.build([])
    const lists = new Map<number, Uint8Array>()
    for (let at = 1; at <= 3000; at++) {
      const text = Array.from({ length: 40 }, (_, i) => `term${(at * 7 + i * i) % 900}`).join(' ')
      apply(index, lists, [[at, text]])
      if (at % 3 === 0) apply(index, lists, [[at - 1, null]])
      if (at % 5 === 0) apply(index, lists, [[at, `${text} again`]])
    }
    check(index, lists, 'term8 term99 again')
    check(index, lists, 'term1 nowhere')
  })
})
