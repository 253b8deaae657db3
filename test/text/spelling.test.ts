import { describe, expect, it } from 'vitest'
import { collectionTerms } from '../../src/text/index-terms.ts'
import { otherSpelling } from '../../src/text/spelling.ts'
import { stem } from '../../src/text/stem.ts'

describe('otherSpelling', () => {
  it.each([
    ['recognised', 'recognized'],
    ['behaviour', 'behavior'],
    ['analyse', 'analyze'],
    ['catalogue', 'catalog'],
    ['centre', 'center'],
    ['serialiser', 'serializer'],
  ])('%s and %s are one word', (british, american) => {
    expect(otherSpelling(stem(british))).toBe(stem(american))
    expect(otherSpelling(stem(american))).toBe(stem(british))
  })

  it('leaves short and foreign words alone', () => {
    for (const word of ['rise', 'hour', 'für', 'x1', '']) expect(otherSpelling(word)).toBeNull()
  })
})

describe('collectionTerms', () => {
  const held = (frequencies: Record<string, number>) => (term: string) => frequencies[term] ?? 0

  it('asks for a word as the collection spells it', () => {
    const terms = collectionTerms('recognised formats', held({ recogn: 0, recogniz: 3, recognis: 0, format: 5 }))
    expect(terms.map(({ term }) => term)).toContain(otherSpelling(stem('recognised')) ?? stem('recognised'))
  })

  it('asks for a name that two words make where there is one', () => {
    const phrases = (frequencies: Record<string, number>) =>
      collectionTerms('the JSON object writer', held(frequencies)).filter(({ kind }) => kind === 'phrase')
    expect(phrases({ jsonobject: 2 }).map(({ term }) => term)).toEqual(['jsonobject'])
    expect(phrases({})).toEqual([])
  })
})
