import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { betaEstimate, chooseModel, leastGain } from '../../src/routing/model-choice.ts'
import { chosenAt, type LoggedDecision, replay } from '../../src/routing/replay.ts'
import { operationOf } from '../security/keyed-worker.ts'
import { callRest } from '../transports/worker-client.ts'

const known = (probability: number) => ({ probability, low: 0, high: 1, outcomes: 100, cold_start: false })

/** Numbers in [0, 1), the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Decisions by a threshold with exploration, over queries with known probabilities of success. `bias`: the error of the
 * logged estimates.
 */
function simulate(count: number, threshold: number, exploration: number, random: () => number, bias = 0) {
  const decisions: LoggedDecision[] = []
  let truth = 0
  for (let i = 0; i < count; i++) {
    const [local, remote] = [random(), 0.6 + 0.4 * random()]
    const estimates = { local: known(Math.min(1, Math.max(0, local + bias))), remote: known(remote) }
    const choice = chooseModel({
      localModel: true,
      preferLocal: true,
      ...estimates,
      threshold,
      exploration,
      random: random(),
    })
    const chance = choice.backend === 'local' ? local : remote
    decisions.push({
      backend: choice.backend,
      propensity: choice.propensity,
      ...estimates,
      outcome: random() < chance ? 1 : 0,
    })
    truth += chosenAt(0.3, estimates) === 'local' ? local : remote
  }
  return { decisions, truth: truth / count }
}

describe('replay', () => {
  it('contains the true value of another threshold at about the stated rate, even with wrong estimates', () => {
    for (const bias of [0, 0.15]) {
      const random = seeded(7)
      let [ips, doublyRobust] = [0, 0]
      const rounds = 200
      for (let round = 0; round < rounds; round++) {
        const { decisions, truth } = simulate(600, 0.7, 0.2, random, bias)
        const found = replay(decisions, 0.3)
        if (found.ips && found.ips.low <= truth && truth <= found.ips.high) ips++
        if (found.doublyRobust && found.doublyRobust.low <= truth && truth <= found.doublyRobust.high) doublyRobust++
      }
      expect(ips / rounds).toBeGreaterThan(0.9)
      expect(doublyRobust / rounds).toBeGreaterThan(0.9)
    }
  })

  it('is narrower with the doubly robust estimator if the estimates are right', () => {
    const { decisions } = simulate(2000, 0.7, 0.2, seeded(3))
    const { ips, doublyRobust } = replay(decisions, 0.3)
    const width = (estimate: typeof ips) => (estimate ? estimate.high - estimate.low : 0)
    expect(width(doublyRobust)).toBeLessThan(width(ips))
  })

  it('returns the observed rate if nothing would have changed', () => {
    const { decisions } = simulate(500, 0.7, 0, seeded(5))
    const found = replay(decisions, 0.7)
    expect(found.agreeing).toBe(500)
    expect(found.ips?.value).toBeCloseTo(found.observed?.value ?? 0, 12)
    expect(found.doublyRobust?.value).toBeCloseTo(found.observed?.value ?? 0, 12)
  })

  it('estimates nothing that the log cannot show', () => {
    // Without exploration every decision is certain, so decisions that the threshold would change are missing
    // systematically.
    const { decisions } = simulate(600, 0.9, 0, seeded(5))
    const found = replay(decisions, 0)
    expect(found.agreeing).toBeGreaterThan(0)
    expect(found.overlap).toBeLessThan(0.95)
    expect(found).toMatchObject({ ips: null, doublyRobust: null })
    expect(found.observed?.value).toBeGreaterThan(0)
    expect(replay([], 0.5)).toMatchObject({ decisions: 0, ips: null, doublyRobust: null, observed: null, effective: 0 })
  })

  it('estimates nothing from a handful of decisions', () => {
    const { decisions } = simulate(9, 0.7, 0.2, seeded(5))
    expect(replay(decisions, 0.3)).toMatchObject({ overlap: 1, ips: null, doublyRobust: null })
  })

  it('replays each decision with its original preference and least gain', () => {
    const confident = { local: known(0.8), remote: known(0.9) }
    expect(chosenAt(0.7, confident)).toBe('local')
    expect(chosenAt(0.7, { ...confident, preferLocal: false })).toBe('remote')
    expect(chosenAt(0.7, { ...confident, preferLocal: false, leastGain: 0.2 })).toBe('local')
  })

  it('follows the decision rule', () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        probability,
        probability,
        probability,
        fc.boolean(),
        fc.boolean(),
        (local, remote, threshold, cold, preferLocal) => {
          const estimates = { local: { ...known(local), cold_start: cold }, remote: known(remote), preferLocal }
          const choice = chooseModel({
            localModel: true,
            ...estimates,
            threshold,
            exploration: 0,
            random: 0.5,
          })
          expect(chosenAt(threshold, estimates)).toBe(choice.backend)
        },
      ),
    )
  })
})

describe('weights', () => {
  const choose = (local: number, remote: number, least: number) =>
    chooseModel({
      localModel: true,
      preferLocal: true,
      local: known(local),
      remote: known(remote),
      leastGain: least,
      threshold: 0.95,
      exploration: 0,
      random: 1,
    }).backend

  it('require a gain that is worth its price', () => {
    expect(choose(0.8, 0.84, leastGain({ quality: 1, cost: 0, latency: 0, extraSeconds: 0 }))).toBe('remote')
    expect(choose(0.8, 0.84, leastGain({ quality: 1, cost: 0.05, latency: 0, extraSeconds: 0 }))).toBe('local')
    expect(choose(0.8, 0.9, leastGain({ quality: 1, cost: 0.05, latency: 0, extraSeconds: 0 }))).toBe('remote')
  })

  it('include waiting time, in either direction', () => {
    expect(choose(0.8, 0.84, leastGain({ quality: 1, cost: 0, latency: 0.02, extraSeconds: 5 }))).toBe('local')
    expect(choose(0.8, 0.76, leastGain({ quality: 1, cost: 0, latency: 0.02, extraSeconds: -5 }))).toBe('remote')
  })

  it('never require more than certainty', () => {
    expect(leastGain({ quality: 0.001, cost: 1000, latency: 0, extraSeconds: 0 })).toBe(1)
  })

  it('do not change a cold start', () => {
    const local = betaEstimate({ success: 1, partial: 0, failure: 0 })
    const input = {
      localModel: true,
      preferLocal: true,
      local,
      remote: known(0.9),
      threshold: 0.7,
      exploration: 0,
      random: 1,
    }
    expect(chooseModel({ ...input, leastGain: 1 }).cause).toBe('cold_start')
  })
})

describe('POST /routing/replay', () => {
  it('uses answers that name their decision', async () => {
    const project = 'replayed'
    const run = (name: string, input: Record<string, unknown>) => callRest(operationOf(name), { project, ...input })
    const routed = (await run('route_query', { query: 'how do I rotate keys?' })) as {
      decision: { decision_id: string }
    }
    const answer = { query: 'how do I rotate keys?', response: 'r', agent_type: 'remote', model_used: 'm' }
    const tracked = await run('track_interaction', { ...answer, decision_id: routed.decision.decision_id })
    await callRest(operationOf('update_outcome'), { interaction_id: tracked.interaction_id, outcome: 'success' })
    // No local model is configured here, so there was no choice to replay, and the answer states that.
    expect(await run('replay_routing', { thresholds: [0.5] })).toMatchObject({
      decisions: 0,
      left_out: 1,
      observed: null,
    })
  })
})
