import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  complexity,
  novelty,
  reusability,
  valueParts,
  valueScore,
  valueVersion,
} from '../../src/outcomes/value-score.ts'
import { readSettings, VALUE_WEIGHTS } from '../../src/settings.ts'

const facts = fc.record({
  query: fc.string({ maxLength: 200 }),
  response: fc.string({ maxLength: 500 }),
  outcome: fc.constantFrom('success' as const, 'partial' as const, 'failure' as const),
  userFeedback: fc.constantFrom(null, -1, 0, 1),
  similarities: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
})

const UNLIKE = { outcome: 0.5, feedback: 0.5, reusability: 0, complexity: 0, novelty: 0 }

describe('value score', () => {
  it('uses other weights, and includes them in its version', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const parts = valueParts(given, UNLIKE)
        expect(parts).toMatchObject({ reusability: 0, complexity: 0, novelty: 0 })
        expect(valueScore(parts)).toBeCloseTo(parts.outcome + parts.feedback, 12)
      }),
    )
    expect(valueVersion(VALUE_WEIGHTS)).toBe('value-1')
    expect(valueVersion({ ...VALUE_WEIGHTS })).toBe('value-1')
    expect(valueVersion(UNLIKE)).toBe('value-1:0.5/0.5/0/0/0')
  })

  it('reads its weights from a setting that must contain all parts and sum to 1', () => {
    expect(readSettings({}).VALUE_WEIGHTS).toEqual(VALUE_WEIGHTS)
    expect(readSettings({ VALUE_WEIGHTS: JSON.stringify(UNLIKE) }).VALUE_WEIGHTS).toEqual(UNLIKE)
    const wrong = [
      '',
      '{',
      '[]',
      '{"outcome":1}',
      { ...UNLIKE, novelty: 0.1 },
      { ...UNLIKE, outcome: 1.5, feedback: -1 },
    ]
    for (const value of wrong) {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      expect(() => readSettings({ VALUE_WEIGHTS: text })).toThrow('VALUE_WEIGHTS')
    }
  })

  it('is between 0 and 1, each part between 0 and its weight, and the parts sum to it', () => {
    expect(Object.values(VALUE_WEIGHTS).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
    fc.assert(
      fc.property(facts, (given) => {
        const parts = valueParts(given)
        const score = valueScore(parts)
        expect(score).toBeGreaterThanOrEqual(0)
        expect(score).toBeLessThanOrEqual(1)
        for (const [name, weight] of Object.entries(VALUE_WEIGHTS)) {
          const part = parts[name as keyof typeof parts]
          expect(part).toBeGreaterThanOrEqual(0)
          expect(part).toBeLessThanOrEqual(weight + 1e-12)
        }
        expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(score, 9)
      }),
    )
  })

  it('never falls when the outcome or the rating gets better', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const score = (change: object) => valueScore(valueParts({ ...given, ...change }))
        expect(score({ outcome: 'success' })).toBeGreaterThan(score({ outcome: 'partial' }))
        expect(score({ outcome: 'partial' })).toBeGreaterThan(score({ outcome: 'failure' }))
        expect(score({ userFeedback: 1 })).toBeGreaterThan(score({ userFeedback: 0 }))
        expect(score({ userFeedback: 0 })).toBe(score({ userFeedback: null }))
      }),
    )
  })

  it('lets a short, successful, well-rated answer qualify if it is new, and not if it was given before', () => {
    const given = { query: 'how to configure it', response: 'Set x.', outcome: 'success', userFeedback: 1 } as const
    expect(valueScore(valueParts({ ...given, similarities: [] }))).toBeGreaterThanOrEqual(0.7)
    const plain = { ...given, query: 'colour of the sky', similarities: [1] }
    expect(valueScore(valueParts(plain))).toBeLessThan(0.7)
  })

  it('computes novelty and recurrence from the similar queries', () => {
    expect(novelty([])).toBe(1)
    expect(novelty([0.2, 0.75, 0.4])).toBeCloseTo(0.25, 12)
    expect(reusability('x', [0.9, 0.8])).toBeCloseTo(0.25, 12)
    expect(reusability('x', [0.1, 0.2])).toBe(0)
    expect(reusability('how to deploy', [])).toBe(0.5)
  })

  it('grows with steps, code and length, and stays within 1', () => {
    expect(complexity('')).toBe(0)
    const steps = '1. one\n2. two\n3. three\n'
    expect(complexity(steps)).toBeGreaterThan(complexity('one two three'))
    expect(complexity(`${steps}\`\`\`\ncode\n\`\`\``)).toBeGreaterThan(complexity(steps))
    expect(complexity(steps.repeat(5000))).toBeLessThan(1)
  })
})
