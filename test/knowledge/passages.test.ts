import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitPassages } from '../../src/knowledge/passages.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'

const countTokens = await tokenCounter()
const split = (body: string) => splitPassages(body, countTokens).map(({ start, end }) => body.slice(start, end))

const line = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 120 }),
  fc.constantFrom(
    '',
    '  ',
    '}',
    'return value;',
    '# Heading',
    '- item one',
    '| a | b |',
    'A sentence stands here. Another one follows!',
  ),
)
const body = fc.oneof(
  fc.array(line, { maxLength: 60 }).map((lines) => lines.join('\n')),
  fc.string({ unit: 'binary', maxLength: 400 }).map((text) => text.toWellFormed()),
  fc
    .tuple(fc.constantFrom('x', '字', '🙂', 'word '), fc.integer({ min: 1, max: 6000 }))
    .map(([text, n]) => text.repeat(n)),
)

describe('passages', () => {
  it('are contiguous, cover the body, keep surrogate pairs whole, and count their tokens', () => {
    fc.assert(
      fc.property(body, (text) => {
        const passages = splitPassages(text, countTokens)
        expect(passages.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text)
        for (const [i, { start, end, tokens }] of passages.entries()) {
          expect(start).toBe(passages[i - 1]?.end ?? 0)
          const own = text.slice(start, end)
          expect(own.isWellFormed()).toBe(true)
          expect(tokens).toBe(countTokens(own))
          expect(own.length).toBeLessThanOrEqual(1700)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('are sentences in prose, in scripts with and without spaces', () => {
    expect(
      split('The first sentence is long enough to stand alone here. The second one is long enough as well, surely.'),
    ).toHaveLength(2)
    const chinese = '这是第一句话，它足够长，可以单独成为一个段落，因为里面有很多很多字，所以不会和下一句合并在一起。'
    expect(split(chinese + chinese)).toHaveLength(2)
  })

  it('are runs of lines between blank lines in code', () => {
    const block = (name: string) =>
      `export function ${name}(value: number) {\n  return compute(value) + ${name}.length\n}`
    expect(split(`${block('first')}\n\n${block('second')}\n`)).toEqual([
      `${block('first')}\n\n`,
      `${block('second')}\n`,
    ])
    const long = Array.from({ length: 40 }, (_, i) => `  const value${i} = compute(${i}); // step`).join('\n')
    expect(split(long).length).toBeGreaterThanOrEqual(3)
  })

  it('join parts that are too short', () => {
    expect(split('Yes. No. It depends on the configuration of the server that answers.')).toHaveLength(1)
    expect(split('')).toEqual([])
  })
})
