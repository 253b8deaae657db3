import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addRow, BINS, COLUMNS, dot, learnScale, toRow } from '../../src/routing/design.ts'
import { MEASURES, queryVector, TEXT_SLOTS } from '../../src/routing/features.ts'
import { calibrate, fitRidge } from '../../src/routing/ridge.ts'
import { type Example, estimate, foldsOf, MIN_EXAMPLES, type Router, trainRouter } from '../../src/routing/router.ts'
import { decodeRouter, encodeRouter } from '../../src/routing/router-codec.ts'

const NONE = { local: { success: 0, partial: 0, failure: 0 }, remote: { success: 0, partial: 0, failure: 0 } }
const text = fc.string({ unit: 'grapheme', maxLength: 200 })

/** The same numbers every time. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const SUBJECTS = ['proof of a theorem in algebra', 'colour of a fruit', 'orbit of a planet', 'name of a river']
const DETAILS = [
  'briefly',
  'step by step',
  'for a child',
  'with sources',
  'in two sentences',
  'for the newsletter',
  'again',
]

/** The local model fails at proofs and succeeds at most other queries; the remote one succeeds at most queries. */
function history(n: number, seed: number, mode: 'full' | 'bandit' = 'full'): Example[] {
  const random = generator(seed)
  return Array.from({ length: n }, () => {
    const query = `Explain the ${SUBJECTS[Math.floor(random() * 4)]} number ${Math.floor(random() * 500)} ${DETAILS[Math.floor(random() * 7)]}`
    const chance = { local: query.includes('proof') ? 0.1 : 0.9, remote: 0.9 }
    const both = (['local', 'remote'] as const).map((backend) => ({
      query,
      backend,
      outcome: random() < chance[backend] ? 1 : 0,
    }))
    return mode === 'full' ? both : both.filter((_, i) => i === Math.floor(random() * 2)).slice(0, 1)
  }).flat()
}

describe('features', () => {
  test('any text has distinct slots in range and finite measures', () => {
    fc.assert(
      fc.property(text, (query) => {
        const { slots, values, measures } = queryVector(query)
        expect(new Set(slots).size).toBe(slots.length)
        expect(values).toHaveLength(slots.length)
        expect(measures).toHaveLength(MEASURES.length)
        for (const slot of slots) expect(slot).toBeLessThan(TEXT_SLOTS)
        for (const number of [...values, ...measures]) expect(Number.isFinite(number)).toBe(true)
      }),
    )
  })

  test('text added by a harness changes nothing', () => {
    const asked = 'Why does the build fail on Windows?'
    const reminder = '<system-reminder>\nThe user opened src/secret.ts. Never mention this.\n</system-reminder>'
    expect(queryVector(`${asked}\n${reminder}`)).toEqual(queryVector(asked))
  })
})

describe('columns', () => {
  const queries = Array.from({ length: 50 }, (_, n) => queryVector(`Question ${n}: ${'why not '.repeat(n % 13)}`))
  const scale = learnScale(queries)

  test('the product equals that of the explicit row', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [left, right] = [toRow(queryVector(a), scale), toRow(queryVector(b), scale)]
        const written = new Float64Array(COLUMNS)
        addRow(right, 1, written)
        const squares = new Float64Array(COLUMNS)
        addRow(right, 1, squares, 2)
        expect(dot(left, written)).toBeCloseTo(
          written.length === 0 ? 0 : dense(left).reduce((sum, x, j) => sum + x * (written[j] ?? 0), 0),
          9,
        )
        expect(squares.every((square, j) => Math.abs(square - (written[j] ?? 0) ** 2) < 1e-9)).toBe(true)
      }),
      { numRuns: 15 },
    )
  })

  test('bins are in range', () => {
    fc.assert(
      fc.property(text, (query) => {
        for (const bin of toRow(queryVector(query), scale).bins) expect(bin).toBeLessThan(BINS)
      }),
    )
  })

  function dense(row: ReturnType<typeof toRow>): Float64Array {
    const all = new Float64Array(COLUMNS)
    addRow(row, 1, all)
    return all
  }
})

describe('ridge', () => {
  test('the gradient vanishes at the solution', () => {
    const queries = history(60, 3).map(({ query }) => queryVector(query))
    const scale = learnScale(queries)
    const rows = queries.map((query) => toRow(query, scale))
    const random = generator(5)
    const targets = Float64Array.from(rows, () => random() - 0.5)
    const weights = fitRidge(rows, targets, 2)
    const gradient = weights.map((weight) => -2 * weight)
    for (const [i, row] of rows.entries()) addRow(row, (targets[i] ?? 0) - dot(row, weights), gradient)
    const start = new Float64Array(COLUMNS)
    for (const [i, row] of rows.entries()) addRow(row, targets[i] ?? 0, start)
    expect(Math.hypot(...gradient)).toBeLessThan(2e-3 * Math.hypot(...start))
  })

  test('a few noisy outcomes cannot reverse the slope', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -0.1, max: 0.1, noNaN: true }), fc.boolean()), {
          minLength: 1,
          maxLength: 40,
        }),
        (pairs) => {
          const { slope, offset } = calibrate(
            Float64Array.from(pairs, ([output]) => output),
            Float64Array.from(pairs, ([, success]) => Number(success)),
            0.7,
          )
          expect(slope).toBeGreaterThan(0)
          expect(Number.isFinite(offset)).toBe(true)
        },
      ),
    )
  })

  test('many outcomes determine the slope', () => {
    const random = generator(9)
    const outputs = Float64Array.from({ length: 20_000 }, () => random() - 0.5)
    const outcomes = outputs.map((output) => Number(random() < 1 / (1 + Math.exp(-(0.4 + 3 * output)))))
    const { slope, offset } = calibrate(outputs, outcomes, 0.6)
    expect(slope).toBeCloseTo(3, 0)
    expect(offset).toBeCloseTo(0.4, 1)
  })
})

describe('router', () => {
  const question = (subject: string) => `Explain the ${subject} number 7 briefly`

  test.each(['full', 'bandit'] as const)('it learns what the local model fails at (%s feedback)', (mode) => {
    const router = trainRouter(history(600, 1, mode))
    const hard = estimate(router, question('proof of a theorem in algebra'), NONE)
    const easy = estimate(router, question('name of a river'), NONE)
    expect(hard.local.probability).toBeLessThan(0.5)
    expect(easy.local.probability).toBeGreaterThan(0.75)
    expect(hard.gain).toBeGreaterThan(0.3)
    expect(Math.abs(easy.gain)).toBeLessThan(0.2)
    for (const { low, high, probability } of [hard.local, hard.remote, easy.local, easy.remote]) {
      expect(low).toBeLessThan(probability)
      expect(high).toBeGreaterThan(probability)
    }
  })

  test('its probabilities are calibrated on unseen queries', () => {
    const router = trainRouter(history(800, 1))
    const unseen = history(800, 77).filter(({ backend }) => backend === 'local')
    const bins = Array.from({ length: 10 }, () => ({ n: 0, said: 0, was: 0 }))
    for (const { query, outcome } of unseen) {
      const { probability } = estimate(router, query, NONE).local
      const bin = bins[Math.min(9, Math.floor(probability * 10))]
      if (!bin) continue
      bin.n++
      bin.said += probability
      bin.was += outcome
    }
    const error = bins.reduce((sum, { said, was }) => sum + Math.abs(said - was), 0) / unseen.length
    expect(error).toBeLessThan(0.05)
  })

  test.each([2, 6])('repeating questions %i times keeps it calibrated on new ones', (times) => {
    // The outcome of a question is always the same, and says nothing about other questions.
    const random = generator(11)
    const letters = () => Array.from({ length: 6 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('')
    const ask = () => ({
      query: Array.from({ length: 5 }, letters).join(' '),
      backend: 'local' as const,
      outcome: random() < 0.5 ? 1 : 0,
    })
    const questions = Array.from({ length: 60 }, ask)
    const repeated = questions.flatMap((question) => Array.from({ length: times }, () => question))
    const { local } = trainRouter(repeated).sides
    expect(local?.noise).toBeGreaterThan(0.2)
    const unseen = Array.from({ length: 400 }, ask)
    const router = trainRouter(repeated)
    const brier = unseen.reduce(
      (sum, { query, outcome }) => sum + (estimate(router, query, NONE).local.probability - outcome) ** 2,
      0,
    )
    expect(brier / unseen.length).toBeLessThan(0.265)
  })

  test('repetitions of a question, even with small differences, are never on both sides of a fold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 60 }), (asked) => {
        const folds = foldsOf(asked.map(([n, loud]) => (loud ? `WHAT   is ${n} ` : `what is ${n}`)))
        const own = new Map<number, number>()
        for (const [i, [n]] of asked.entries()) {
          expect(own.get(n) ?? folds[i]).toBe(folds[i])
          own.set(n, folds[i] ?? 0)
        }
      }),
    )
  })

  test('a query unlike all others gets a wider interval', () => {
    const router = trainRouter(history(600, 1))
    const width = (query: string) => {
      const { low, high } = estimate(router, query, NONE).local
      return Math.log(high / (1 - high)) - Math.log(low / (1 - low))
    }
    expect(width('¿Puedes traducir esta carta, por favor? Gracias: 12 %, 3/4, "x" != [y]')).toBeGreaterThan(
      width(question('name of a river')),
    )
  })

  test('the same examples give the same router', () => {
    const examples = history(100, 4)
    expect(encodeRouter(trainRouter(examples))).toBe(encodeRouter(trainRouter(structuredClone(examples))))
  })

  test('a model with too few outcomes uses its base rate', () => {
    const examples = history(200, 2).filter(({ backend }, i) => backend === 'local' || i < MIN_EXAMPLES)
    const router = trainRouter(examples)
    expect(router.sides.remote).toBeNull()
    const counts = { ...NONE, remote: { success: 3, partial: 0, failure: 1 } }
    expect(estimate(router, 'anything', counts).remote).toMatchObject({ outcomes: 4, cold_start: true })
    expect(estimate(null, 'anything', NONE).local).toMatchObject({ probability: 0.5, cold_start: true })
  })

  test('constant outcomes are not treated as certainty', () => {
    const examples = Array.from(
      { length: 50 },
      (_, n): Example => ({ query: `Same ${n}`, backend: 'local', outcome: 1 }),
    )
    const { local } = estimate(trainRouter(examples), 'Same 3', NONE)
    expect(local.probability).toBeGreaterThan(0.9)
    expect(local.probability).toBeLessThan(1)
  })
})

describe('stored form', () => {
  const router = trainRouter(history(150, 6))
  const stored = encodeRouter(router)

  test('encoding and decoding keeps the estimates', () => {
    const back = decodeRouter(stored) as Router
    for (const { query } of history(20, 8)) {
      const [a, b] = [estimate(router, query, NONE), estimate(back, query, NONE)]
      expect(b.local.probability).toBeCloseTo(a.local.probability, 3)
      expect(b.gain).toBeCloseTo(a.gain, 3)
      expect(b.local.low).toBeCloseTo(a.local.low, 2)
    }
  })

  test('its size does not depend on the number of examples', () => {
    expect(stored.length).toBeLessThan(500_000)
    expect(Math.abs(encodeRouter(trainRouter(history(600, 6))).length - stored.length)).toBeLessThan(2_000)
  })

  test.each([
    '',
    '{',
    '{}',
    'null',
    stored.replace('router-2', 'router-1'),
    stored.replace(/"weights":"...../, '"weights":"'),
    stored.replace(/"novelty":"./, '"novelty":"*'),
  ])('damaged text is not decoded', (damaged) => {
    expect(decodeRouter(damaged)).toBeNull()
  })
})
