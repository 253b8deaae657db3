import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { documentText, questionText } from '../../../src/inference/embedding/minilm/texts.ts'

const TRACE = `Traceback (most recent call last):\n${'  File "x.py", line 1, in <module>\n    frobnicate(1)\n'.repeat(40)}`

describe('a question', () => {
  test('that is short is used whole', () => {
    expect(questionText(' How do I\n close the  stream? ')).toBe('How do I close the stream?')
  })

  test('that is long is reduced to its title and related sentences', () => {
    const issue = [
      'Cookies are lost after a redirect to another host',
      '',
      'Thanks for this library! I have used it for years.',
      'When a redirect leads to another host, the cookies of the session are lost. This worked before.',
      TRACE,
    ].join('\n')
    const text = questionText(issue)
    expect(text).toMatch(/^Cookies are lost after a redirect to another host/)
    expect(text).toContain('When a redirect leads to another host, the cookies of the session are lost.')
    expect(text.length).toBeLessThanOrEqual(400)
  })

  test('of any kind stays short, and starts with its first line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.nat(40), (line, lines) => {
        const text = questionText(`How do I ${line}\n${'some other sentence. \n'.repeat(lines)}`)
        expect(text.length).toBeLessThanOrEqual(400)
        expect(text.startsWith('How do I')).toBe(true)
        expect(text.isWellFormed()).toBe(true)
      }),
    )
  })

  test('without line ends is truncated', () => {
    expect(questionText('word '.repeat(10_000))).toHaveLength(400)
  })
})

describe('a document', () => {
  test('is its beginning without layout, and is idempotent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 4_000 }), (text) => {
        const taken = documentText(text)
        expect(taken.length).toBeLessThanOrEqual(1_500)
        expect(documentText(taken)).toBe(taken)
        expect(taken).not.toMatch(/\s\s/)
      }),
    )
  })
})
