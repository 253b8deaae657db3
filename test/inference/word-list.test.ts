import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WordList } from '../../src/inference/embedding/word-list.ts'

const words = fc.array(
  fc.string({ unit: 'grapheme' }).filter((word) => !word.includes('\n')),
  { minLength: 1 },
)

test('finds the first occurrence of each word, and no other word', () => {
  fc.assert(
    fc.property(words, fc.string({ unit: 'grapheme' }), (list, other) => {
      const found = new WordList(list.join('\n'))
      expect(found.length).toBe(list.length)
      for (const word of [...list, other]) {
        const row = word === '' ? -1 : list.indexOf(word)
        expect(found.rowOf(word)).toBe(row < 0 ? undefined : row)
      }
    }),
  )
})

test('reports empty and repeated words', () => {
  fc.assert(
    fc.property(words, (list) => {
      const distinct = new Set(list).size === list.length && !list.includes('')
      expect(new WordList(list.join('\n')).distinct).toBe(distinct)
    }),
  )
})
