import fc from 'fast-check'
import { expect, test } from 'vitest'
import { betaEstimate, COLD_START_OUTCOMES, chooseModel } from '../../src/routing/model-choice.ts'

const counts = fc.record({ success: fc.nat(5000), partial: fc.nat(5000), failure: fc.nat(5000) })

test('without outcomes the estimate is one half and marked as a cold start', () => {
  expect(betaEstimate({ success: 0, partial: 0, failure: 0 })).toMatchObject({
    probability: 0.5,
    outcomes: 0,
    cold_start: true,
  })
})

test('the estimate is in its interval, and more outcomes narrow it', () => {
  fc.assert(
    fc.property(counts, (seen) => {
      const estimate = betaEstimate(seen)
      const more = betaEstimate({
        success: seen.success * 2 + 2,
        partial: seen.partial * 2,
        failure: seen.failure * 2 + 2,
      })
      expect(estimate.low).toBeGreaterThan(0)
      expect(estimate.high).toBeLessThan(1)
      expect(estimate.low).toBeLessThan(estimate.probability)
      expect(estimate.high).toBeGreaterThan(estimate.probability)
      expect(more.high - more.low).toBeLessThan(estimate.high - estimate.low + 1e-12)
      expect(estimate.cold_start).toBe(seen.success + seen.partial + seen.failure < COLD_START_OUTCOMES)
    }),
  )
})

test('a partial success counts half', () => {
  expect(betaEstimate({ success: 0, partial: 20, failure: 0 }).probability).toBe(0.5)
  expect(betaEstimate({ success: 5, partial: 0, failure: 5 }).probability).toBe(0.5)
})

const base = {
  localModel: true,
  preferLocal: true,
  local: betaEstimate({ success: 90, partial: 0, failure: 10 }),
  remote: betaEstimate({ success: 0, partial: 0, failure: 0 }),
  threshold: 0.7,
  exploration: 0,
  random: 0.5,
}

test('an additional success never makes a local answer less likely', () => {
  fc.assert(
    fc.property(
      counts,
      counts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.boolean(),
      (local, remote, threshold, preferLocal) => {
        const choose = (seen: typeof local) =>
          chooseModel({ ...base, preferLocal, local: betaEstimate(seen), remote: betaEstimate(remote), threshold })
        const before = choose(local)
        const after = choose({ ...local, success: local.success + 1 })
        expect(before.backend === 'local' && after.backend === 'remote').toBe(false)
      },
    ),
  )
})

test('causes', () => {
  const poor = betaEstimate({ success: 40, partial: 0, failure: 60 })
  const better = betaEstimate({ success: 990, partial: 0, failure: 10 })
  expect(chooseModel(base)).toEqual({ backend: 'local', cause: 'confident', propensity: 1 })
  expect(chooseModel({ ...base, localModel: false })).toMatchObject({ backend: 'remote', cause: 'no_local_model' })
  expect(chooseModel({ ...base, local: poor })).toMatchObject({ backend: 'remote', cause: 'unsure' })
  expect(chooseModel({ ...base, local: base.remote })).toMatchObject({ backend: 'remote', cause: 'cold_start' })
  expect(chooseModel({ ...base, preferLocal: false, remote: better })).toMatchObject({
    backend: 'remote',
    cause: 'remote_preferred',
  })
  expect(chooseModel({ ...base, preferLocal: false, remote: poor })).toMatchObject({
    backend: 'local',
    cause: 'no_gain',
  })
  expect(chooseModel({ ...base, local: poor, remote: poor })).toMatchObject({ backend: 'local', cause: 'no_gain' })
})

test('a small share uses the other model, with the matching propensity', () => {
  const explored = chooseModel({ ...base, exploration: 0.02, random: 0.01 })
  expect(explored).toEqual({ backend: 'remote', cause: 'explored', propensity: 0.02 })
  expect(chooseModel({ ...base, exploration: 0.02, random: 0.02 })).toMatchObject({
    backend: 'local',
    propensity: 0.98,
  })
  expect(chooseModel({ ...base, localModel: false, exploration: 0.5, random: 0 })).toMatchObject({
    backend: 'remote',
    propensity: 1,
  })
})
