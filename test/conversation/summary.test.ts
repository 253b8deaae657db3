import fc from 'fast-check'
import { expect, it } from 'vitest'
import { extractSummary, type Utterance } from '../../src/conversation/summary.ts'

const utterances: fc.Arbitrary<Utterance[]> = fc.array(
  fc.record({
    turn: fc.integer({ min: 1, max: 500 }),
    speaker: fc.constantFrom('user' as const, 'assistant' as const),
    text: fc.string({ unit: 'grapheme', maxLength: 300 }),
  }),
  { maxLength: 30 },
)

it('stays within its length and contains only what was said', () => {
  fc.assert(
    fc.property(utterances, fc.integer({ min: 0, max: 1500 }), (said, length) => {
      const summary = extractSummary(said, length)
      expect(summary.length).toBeLessThanOrEqual(length)
      const all = said.map(({ text }) => text.replace(/\s+/g, ' ')).join('\n')
      for (const line of summary === '' ? [] : summary.split('\n')) {
        expect(line).toMatch(/^(user|assistant): /)
        expect(all).toContain(line.replace(/^(user|assistant): /, '').replace(/…$/, ''))
      }
    }),
    { numRuns: 200 },
  )
})

it('prefers recurring topics and recent turns', () => {
  const topic = (turn: number, text: string): Utterance => ({ turn, speaker: 'user', text })
  const summary = extractSummary(
    [
      topic(1, 'Nice weather today, is it.'),
      topic(2, 'The cookie signing fails in the cookie middleware.'),
      topic(3, 'Which cookie middleware signs the session cookie?'),
    ],
    60,
  )
  expect(summary).toContain('cookie')
})

it('is empty if nothing was said', () => {
  expect(extractSummary([])).toBe('')
})
