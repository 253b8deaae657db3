import { describe, expect, it } from 'vitest'
import { collectionTerms } from '../../src/text/index-terms.ts'
import { otherSpellings } from '../../src/text/spelling.ts'
import { stem } from '../../src/text/stem.ts'

describe('otherSpellings', () => {
  it.each([
    ['recognised', 'recognized'],
    ['behaviour', 'behavior'],
    ['analyse', 'analyze'],
    ['catalogue', 'catalog'],
    ['centre', 'center'],
    ['serialiser', 'serializer'],
  ])('%s and %s are one word', (british, american) => {
    expect(otherSpellings(stem(british))).toContain(stem(american))
    expect(otherSpellings(stem(american))).toContain(stem(british))
  })

  it('does not change short and foreign words', () => {
    for (const word of ['rise', 'hour', 'für', 'x1', '']) expect(otherSpellings(word)).toEqual([])
  })
})

describe('collectionTerms', () => {
  const held = (frequencies: Record<string, number>) => (term: string) => frequencies[term] ?? 0

  it('searches for a word in the spelling of the collection', () => {
    const spelt = (text: string, frequencies: Record<string, number>) =>
      collectionTerms(text, held(frequencies)).map(({ term }) => term)
    expect(spelt('recognised formats', { recogn: 3, format: 5 })).toEqual(['recogn', 'format'])
    expect(spelt('recognised formats', { recognis: 4, recogn: 3, format: 5 })).toEqual(['recognis', 'format'])
    expect(spelt('colour', {})).toEqual(['colour'])
  })

  it('searches for a name formed by two words if it exists', () => {
    const phrases = (frequencies: Record<string, number>) =>
      collectionTerms('the JSON object writer', held(frequencies)).filter(({ kind }) => kind === 'phrase')
    expect(phrases({ jsonobject: 2 }).map(({ term }) => term)).toEqual(['jsonobject'])
    expect(phrases({})).toEqual([])
  })
})
