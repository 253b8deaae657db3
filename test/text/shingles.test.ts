import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jaccard, letterPairs, mayBeAlike, NEAR_DUPLICATE, shingles } from '../../src/text/shingles.ts'
import { words } from '../../src/text/words.ts'

const word = fc.stringMatching(/^[a-z]{3,9}$/)
const text = fc.array(word, { minLength: 60, maxLength: 300 }).map((all) => all.join(' '))

describe('near-duplicates', () => {
  it('are never skipped because of their letter pairs', () => {
    fc.assert(
      fc.property(text, fc.array(fc.tuple(fc.nat(), word), { maxLength: 4 }), (original, changes) => {
        const copy = original.split(' ')
        for (const [at, replacement] of changes) copy[at % copy.length] = replacement
        const changed = copy.join('\n  ')
        fc.pre(jaccard(shingles(original), shingles(changed)) >= NEAR_DUPLICATE)
        expect(mayBeAlike(letterPairs(original), letterPairs(changed))).toBe(true)
      }),
    )
  })

  it('texts of other words are skipped', () => {
    const greeting =
      'export function greet(name: string): string { return "Hello " + name + ", welcome back" }\n'.repeat(8)
    const sum = 'const total = rows.map((row) => row.price * row.amount).reduce((a, b) => a + b, 0)\n'.repeat(8)
    expect(mayBeAlike(letterPairs(greeting), letterPairs(sum))).toBe(false)
  })
})

describe('words', () => {
  it('of ASCII text are the same in a text that has other characters too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 400 }), (ascii) => {
        expect(words(ascii)).toEqual(words(`${ascii} é`).slice(0, -1))
      }),
      { numRuns: 500, examples: [["it's don't HTTPServer2 utf8 getUser_name a1B2c3"]] },
    )
  })
})
