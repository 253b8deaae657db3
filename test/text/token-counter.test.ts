import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { longestPrefix, piecesOf, tokenCounter } from '../../src/text/token-counter.ts'

describe('tokenCounter', () => {
  it('counts words, and 0 for empty text', async () => {
    const count = await tokenCounter()
    expect(count('')).toBe(0)
    expect(count('hello world')).toBe(2)
    expect(count('<|endoftext|>')).toBeGreaterThan(1)
  })

  it('splits any text into pieces that add up to it', () => {
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

describe('the longest prefix', () => {
  const words = 'the Größe of index_page 関数 🙂🙂 returns\n\t{"a":1}; 12345 internationalization '
  const texts = [words.repeat(40), 'x'.repeat(5_000), '🙂'.repeat(900), 'a b '.repeat(700), ' \n'.repeat(800), words]

  it('has at most the allowed tokens and no fewer than possible, up to white space', async () => {
    const countTokens = await tokenCounter()
    for (const text of texts) {
      for (const most of [0, 1, 2, 7, 50, 250, 333]) {
        const end = longestPrefix(text, most, countTokens)
        const shown = text.slice(0, end)
        expect(shown.isWellFormed()).toBe(true)
        expect(countTokens(shown)).toBeLessThanOrEqual(most)
        // A token may be two characters of white space, or a part of one outside ASCII.
        if (most > 2 && end < text.length) expect(countTokens(shown)).toBeGreaterThanOrEqual(most / 2 - 3)
      }
    }
  })

  it('is the whole text if it fits, to the last character', async () => {
    const countTokens = await tokenCounter()
    for (const text of [...texts, 'one', 'antidisestablishmentarianism']) {
      const most = countTokens(text)
      expect(longestPrefix(text, most, countTokens)).toBe(text.length)
      expect(longestPrefix(text, most + 1, countTokens)).toBe(text.length)
      if (most > 1) expect(longestPrefix(text, most - 1, countTokens)).toBeLessThan(text.length)
    }
  })

  it('is found with a few counts', async () => {
    const countTokens = await tokenCounter()
    let counts = 0
    const counted = (text: string) => {
      counts++
      return countTokens(text)
    }
    for (let most = 20; most <= 400; most += 20) longestPrefix(words.repeat(40), most, counted)
    expect(counts / 20).toBeLessThan(8)
  })
})
