import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { piecesOf, tokenCounter } from '../../src/text/token-counter.ts'

describe('tokenCounter', () => {
  it('counts words and nothing', async () => {
    const count = await tokenCounter()
    expect(count('')).toBe(0)
    expect(count('hello world')).toBe(2)
    expect(count('<|endoftext|>')).toBeGreaterThan(1)
  })

  it('takes any text apart into pieces that make it up', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => piecesOf(text).join('') === text))
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a'.repeat(450), ' ', 'word', '漢'.repeat(300))), (parts) => {
        const text = parts.join('')
        return piecesOf(text).join('') === text
      }),
    )
  })

  it('counts 100 kB of one letter', async () => {
    expect((await tokenCounter())('a'.repeat(100_000))).toBeGreaterThan(1000)
  })
})
