import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Memo } from '../../src/text/memo.ts'

it('returns the result of the work for any text, and computes cached results once', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 12, unit: 'binary' }), { maxLength: 40 }), (texts) => {
      const memo = new Memo<string>(1000, 8)
      let worked = 0
      const work = (text: string) => {
        worked++
        return `<${text}>`
      }
      for (const text of [...texts, ...texts]) expect(memo.of(text, work)).toBe(`<${text}>`)
      const remembered = new Set(texts.filter(({ length }) => length <= 8)).size
      expect(worked).toBe(remembered + 2 * texts.filter(({ length }) => length > 8).length)
    }),
  )
})

it('is cleared when it is full', () => {
  const memo = new Memo<number>(2, 8)
  let worked = 0
  for (const text of ['a', 'b', 'a', 'c', 'a']) memo.of(text, () => ++worked)
  expect(worked).toBe(4)
})
