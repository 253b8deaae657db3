import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WordPieces } from '../../../src/inference/embedding/minilm/word-pieces.ts'

const VOCABULARY = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'read', '##ing', '##er', 'file', '.', 's', '##s', 'e', '中']
const pieces = new WordPieces(VOCABULARY.join('\n'))
const named = (text: string, limit = 64) => pieces.ids(text, limit).map((id) => VOCABULARY[id])

describe('word pieces', () => {
  test('are the longest matches from the left', () => {
    expect(named('Reading files.')).toEqual(['[CLS]', 'read', '##ing', 'file', '##s', '.', '[SEP]'])
  })

  test('a word that cannot be composed of pieces is one unknown piece', () => {
    expect(named('reading readable file')).toEqual(['[CLS]', 'read', '##ing', '[UNK]', 'file', '[SEP]'])
  })

  test('a word of more than 100 characters is unknown, one of 100 is not', () => {
    expect(named(`s${'s'.repeat(99)}`, 128)).toHaveLength(102)
    expect(named(`s${'s'.repeat(100)}`)).toEqual(['[CLS]', '[UNK]', '[SEP]'])
  })

  test('folds accents and case, and separates ideographs', () => {
    expect(named('RÉAD fi\u200ble中é')).toEqual(['[CLS]', 'read', 'file', '中', 'e', '[SEP]'])
  })

  test('a special token in a text is treated as text', () => {
    expect(named('[SEP] read [CLS]').filter((piece) => piece === '[SEP]' || piece === '[CLS]')).toHaveLength(2)
  })

  test('a vocabulary without the special tokens is rejected', () => {
    expect(() => new WordPieces('read\nfile')).toThrow('[CLS]')
  })
})

describe('any text', () => {
  const texts = fc.string({ unit: 'binary', maxLength: 300 })

  test('stays within the limit, between the special tokens', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 2, max: 40 }), (text, limit) => {
        const ids = pieces.ids(text, limit)
        expect(ids.length).toBeLessThanOrEqual(limit)
        expect([ids[0], ids.at(-1)]).toEqual([2, 3])
        expect(ids.slice(1, -1).every((id) => id !== 2 && id !== 3)).toBe(true)
      }),
    )
  })

  test('a lower limit gives a prefix of the result of a higher one', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const long = pieces.ids(text, 40)
        const short = pieces.ids(text, 10)
        expect(short.slice(0, -1)).toEqual(long.slice(0, short.length - 1))
      }),
    )
  })

  test('white space around and between words is irrelevant', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('read', 'file', '.', 'reading', '中'), { maxLength: 12 }), (words) => {
        expect(pieces.ids(`\n\t ${words.join(' \r\n\t')}  `, 64)).toEqual(pieces.ids(words.join(' '), 64))
      }),
    )
  })
})
