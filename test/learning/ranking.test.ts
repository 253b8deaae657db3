import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { noteRankingOutcome, rankingRow, storeRanking } from '../../src/database/queries/ranking.ts'
import { weighted } from '../../src/learning/ranking/features.ts'
import { minimise } from '../../src/learning/ranking/minimise.ts'
import { projectRanking } from '../../src/learning/ranking/project-ranking.ts'
import { type RankedQuery, trainRanking } from '../../src/learning/ranking/train.ts'
import { fuse } from '../../src/retrieval/fusion.ts'

/** Queries whose second candidate carries `w:good`; answers that rest on it succeed, those that rest on the first fail. */
function lessons(count: number, caller = (i: number) => `caller-${i % 5}`): RankedQuery[] {
  return Array.from({ length: count }, (_, i) => ({
    query: `question ${i}`,
    candidates: [
      { base: 1, features: [['w:bad', 1]] as const },
      { base: 0.5, features: [['w:good', 1]] as const },
      { base: 0, features: [] },
    ],
    votes: [
      { items: [1], shown: 3, caller: caller(i), success: 1 },
      { items: [0], shown: 3, caller: caller(i + 1), success: 0 },
    ],
  }))
}

test('what distinguishes the items of successful answers is learnt, and orders candidates of other queries', () => {
  const model = trainRanking(lessons(80))
  expect(model.accepted).toBe(true)
  expect(weighted(model.weights, [['w:good', 1]])).toBeGreaterThan(weighted(model.weights, [['w:bad', 1]]) + 0.5)
})

test('outcomes that follow nothing teach nothing', () => {
  let accepted = 0
  for (let round = 0; round < 12; round++) {
    let state = 17 + round * 7919
    const draw = () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return (state >>> 8) / 0x7fffff
    }
    const noise = lessons(60).map((query) => ({
      ...query,
      votes: [{ items: [0, 1, 2], shown: 3, caller: 'someone', success: draw() < 0.5 ? 1 : 0 }],
    }))
    if (trainRanking(noise).accepted) accepted++
  }
  expect(accepted).toBe(0)
})

test('too few queries teach nothing', () => {
  expect(trainRanking(lessons(20))).toMatchObject({ accepted: false, queries: 20 })
})

test('one caller who says the opposite over and over does not turn what the others taught', () => {
  const hostile = lessons(80).map((query) => ({
    ...query,
    votes: [
      ...query.votes,
      ...Array.from({ length: 30 }, () => ({ items: [0], shown: 3, caller: 'hostile', success: 1 })),
    ],
  }))
  const model = trainRanking(hostile)
  expect(weighted(model.weights, [['w:good', 1]])).toBeGreaterThanOrEqual(weighted(model.weights, [['w:bad', 1]]))
})

test('minimisation finds the least of a convex function', () => {
  const at = minimise(
    (point, gradient) => {
      let value = 0
      for (let i = 0; i < point.length; i++) {
        const off = (point[i] ?? 0) - i
        value += (i + 1) * off * off
        gradient[i] = 2 * (i + 1) * off
      }
      return value
    },
    new Float64Array(6),
    60,
  )
  for (const [i, value] of at.entries()) expect(value).toBeCloseTo(i, 3)
})

test('what was learnt moves a result and says so; without it nothing changes', () => {
  const candidates = [
    { item: 'a', keyword: { score: 5, coverage: 0.6 }, cosine: 0.3 },
    { item: 'b', keyword: { score: 4.9, coverage: 0.6 }, cosine: 0.3 },
  ]
  const query = { attainable: 20, terms: 3, embeddingCoverage: 1 }
  expect(fuse(candidates, query).results.map(({ item }) => item)).toEqual(['a', 'b'])
  const taught = fuse(
    candidates.map((c) => ({ ...c, learned: c.item === 'b' ? 1 : -1 })),
    query,
  )
  expect(taught.results.map(({ item, breakdown }) => [item, breakdown.learned])).toEqual([
    ['b', 1],
    ['a', -1],
  ])
  expect(taught.answerable).toBe(fuse(candidates, query).answerable)
})

test('a training is due after enough outcomes, once, and an older model never replaces a newer one', async () => {
  const database = openDatabase(env.DB)
  const project = 'ranking-due'
  const jobs = []
  for (let i = 0; i < 45; i++) jobs.push(await noteRankingOutcome(database, project, 1000))
  expect(jobs.filter((id) => id !== null)).toHaveLength(1)
  const model = { project, examples: 45, queries: 30, gain: 1, standardErrors: 3, accepted: true, learnt: 45 }
  await storeRanking(database, { ...model, version: 2, weights: { 'w:good': 0.5 } }, 2000)
  await storeRanking(database, { ...model, version: 1, weights: { 'w:good': -9 } }, 3000)
  expect(await rankingRow(database, project)).toMatchObject({ version: 2, pending: 0, weights: { 'w:good': 0.5 } })
  const served = await projectRanking({ database, now: () => 4000 }, project)
  expect(served).toMatchObject({ version: 2, weights: new Map([['w:good', 0.5]]) })
})
