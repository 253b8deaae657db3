/**
 * The cost of indexing a text is bounded by counts: characters after folding, terms read, distinct terms kept, and
 * bytes merged at once.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentColumns } from '../../src/text/index-terms.ts'
import { MAX_DISTINCT_TERMS, readTermList, termList } from '../../src/text/term-list.ts'
import { piecesOf } from '../../src/text/token-counter.ts'
import { tokenise } from '../../src/text/tokens.ts'
import { foldText } from '../../src/text/words.ts'

const LENGTH = 31_000
/** Terms that one chunk may add beyond a limit: two for each of its 2,000 characters. */
const CHUNK_TERMS = 4_100

const numbered = (length: number, piece: (i: number) => string) => {
  let text = ''
  for (let i = 0; text.length < length; i++) text += piece(i)
  return text
}
const repeated = (piece: string, length = LENGTH) => numbered(length, () => piece)
const ideograph = (i: number) => String.fromCharCode(0x4e00 + ((i * 7919) % 20_000))
const TEXTS: Readonly<Record<string, string>> = {
  'a ligature of 18 characters': repeated('\ufdfa'),
  'ligatures of 4 characters': repeated('\ufdf2 '),
  'squares of katakana': repeated('\u3316\u332b'),
  'stacked accents': repeated('a\u0301\u0302\u0303'),
  'different words': numbered(LENGTH, (i) => `w${i.toString(36)} `),
  identifiers: numbered(LENGTH, (i) => `get_x${i}.aB${i}-c/d${i} `),
  'single letters in a chain': repeated('a_b.'),
  ideographs: numbered(LENGTH, ideograph),
  'ideographs with apostrophes': numbered(LENGTH, (i) => `${ideograph(i)}'`),
  'Thai without spaces': repeated('ภาษาไทย'),
  pictographs: repeated('😀😁'),
  operators: repeated('&& || '),
}

/** Number of terms read from a document. */
function termsOf(body: string): number {
  const columns = documentColumns({ body })
  return columns.body.split(' ').length + columns.identifiers.split(' ').length
}

describe.each(Object.entries(TEXTS))('%s', (_, text) => {
  it('grow at most twofold when folded, and give at most 2.2 terms per character', () => {
    expect(foldText(text).length).toBeLessThanOrEqual(2 * text.length)
    expect(termsOf(text)).toBeLessThanOrEqual(Math.min(2.2 * text.length, 65_536 + CHUNK_TERMS))
  })

  it('repeated ten times give no more terms than the limit', () => {
    expect(termsOf(text.repeat(10))).toBeLessThanOrEqual(65_536 + CHUNK_TERMS)
  })

  it('are counted in runs of at most 600 bytes', () => {
    for (const run of piecesOf(text).flatMap((piece) => piece.match(/\S+/g) ?? []))
      expect(new TextEncoder().encode(run).length).toBeLessThanOrEqual(600)
  })
})

describe('foldText', () => {
  it('grows no text more than twofold, or to 64 characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => foldText(text).length <= Math.max(64, 2 * text.length)),
    )
  })

  it('keeps one compatibility character whole', () => {
    expect(foldText('\u3316')).toBe('キロメートル')
  })
})

describe('a text of full length in one script', () => {
  it('is indexed to its end', () => {
    const chinese = `${numbered(31_990, (i) => (i % 20 === 19 ? '。' : ideograph(i % 3000)))}終末`
    expect(documentColumns({ body: chinese }).body).toMatch(/終末$/u)
    expect(documentColumns({ body: `${repeated('the queue is full ', 31_990)}zebra` }).body).toMatch(/zebra$/)
  })
})

describe('tokenise', () => {
  it('stops at the chunk that reaches its limit, and says so if there is more', () => {
    expect(tokenise('one two three four', 'document', 2)).toEqual({
      words: ['on', 'two'],
      compounds: [],
      truncated: true,
    })
    expect(tokenise('one two', 'document', 2)).not.toHaveProperty('truncated')
  })
})

describe('termList', () => {
  it('keeps 16,384 distinct terms, and counts the others in the length', () => {
    const words = Array.from({ length: 20_000 }, (_, i) => `w${i.toString(36)}`)
    const list = readTermList(termList({ title: 'title', body: [...words, 'title'].join(' '), identifiers: '' }))
    expect(list.hashes.length).toBe(MAX_DISTINCT_TERMS)
    expect(list.length).toBe(20_002)
    expect([...list.frequencies].reduce((sum, halves) => sum + halves, 0)).toBe(2 * (MAX_DISTINCT_TERMS + 1))
  })
})
