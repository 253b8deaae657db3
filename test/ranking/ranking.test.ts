import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { buildServices } from '../../src/build-services.ts'
import { openDatabase } from '../../src/database/database.ts'
import { noteRankingOutcome, rankingRow, storeRanking } from '../../src/database/queries/ranking.ts'
import { searchContext } from '../../src/operations/context/search-context.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { fuse } from '../../src/ranking/fusion.ts'
import { type Features, featureKey, featuresOf, KIND, weighted } from '../../src/ranking/learnt/features.ts'
import { minimise } from '../../src/ranking/learnt/minimise.ts'
import { projectRanking } from '../../src/ranking/learnt/project-ranking.ts'
import { type RankedQuery, trainRanking } from '../../src/ranking/learnt/train.ts'
import type { Services } from '../../src/services.ts'
import { documentColumns, queryTerms } from '../../src/text/index-terms.ts'
import { hashTerm, termList } from '../../src/text/term-list.ts'
import { call } from '../outcomes/support.ts'

const GOOD = featureKey(KIND.beside, hashTerm('good'))
const BAD = featureKey(KIND.beside, hashTerm('bad'))

const features = (...keys: number[]): Features => ({
  keys: Float64Array.from(keys),
  values: Float32Array.from(keys, () => 1),
})

/** Queries whose second candidate contains `good`; answers based on it succeed, those based on the first fail. */
function lessons(count: number, caller = (i: number) => `caller-${i % 5}`): RankedQuery[] {
  return Array.from({ length: count }, (_, i) => ({
    query: `question ${i}`,
    vector: null,
    candidates: [
      { base: 1, document: 3 * i, features: features(BAD) },
      { base: 0.5, document: 3 * i + 1, features: features(GOOD) },
      { base: 0, document: 3 * i + 2, features: features() },
    ],
    votes: [
      { items: [1], shown: 3, caller: caller(i), success: 1 },
      { items: [0], shown: 3, caller: caller(i + 1), success: 0 },
    ],
  }))
}

test('learns what distinguishes the items of successful answers, and applies it to other queries', () => {
  const model = trainRanking(lessons(80))
  expect(model.accepted).toBe(true)
  expect(model.weights.get(GOOD)).toBeGreaterThan((model.weights.get(BAD) ?? 0) + 0.5)
})

test('learns nothing from random outcomes', () => {
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

test('uses a weak signal partially, if the full weights would not be justified', () => {
  // With all of the weights or none, held-out outcomes of these draws gain less than a standard error.
  for (const seed of [5, 9, 49]) {
    const random = seeded(seed)
    const faint = Array.from(
      { length: 60 },
      (_, i): RankedQuery => ({
        query: `question ${i}`,
        vector: null,
        candidates: [
          { base: 1, document: 3 * i, features: features(featureKey(KIND.beside, hashTerm(`n${i}`)), BAD) },
          { base: 0.5, document: 3 * i + 1, features: features(GOOD) },
          { base: 0, document: 3 * i + 2, features: features() },
        ],
        votes: [{ items: [random() < 0.6 ? 1 : 0], shown: 3, caller: `c${i % 5}`, success: random() < 0.75 ? 1 : 0 }],
      }),
    )
    const model = trainRanking(faint)
    expect(model.accepted).toBe(true)
    expect(model.weights.get(GOOD)).toBeGreaterThan(0)
  }
})

test('learns nothing from too few queries', () => {
  expect(trainRanking(lessons(20))).toMatchObject({ accepted: false, queries: 20 })
})

test('one caller who repeatedly reports the opposite does not reverse what the others taught', () => {
  const hostile = lessons(80).map((query) => ({
    ...query,
    votes: [
      ...query.votes,
      ...Array.from({ length: 30 }, () => ({ items: [0], shown: 3, caller: 'hostile', success: 1 })),
    ],
  }))
  const model = trainRanking(hostile)
  expect(model.weights.get(GOOD) ?? 0).toBeGreaterThanOrEqual(model.weights.get(BAD) ?? 0)
})

test('the features of a candidate are its matched terms, its other words and the evidence of both lists', () => {
  const list = termList(documentColumns({ body: 'heron heron lake' }))
  const query = { terms: [{ hash: hashTerm('heron'), idf: 2 }], averageLength: 3 }
  const evidence = { list, keyword: 0.5, coverage: 1, cosine: 0.25 }
  const { keys, values } = featuresOf(query, evidence)
  const byKey = new Map(Array.from(keys, (key, i) => [key, values[i]]))
  expect(byKey.size).toBe(7)
  expect(byKey.get(featureKey(KIND.beside, hashTerm('lake')))).toBeCloseTo(0.9 / Math.SQRT2)
  expect(byKey.get(featureKey(KIND.match, hashTerm('heron')))).toBe(0.5)
  expect(byKey.get(featureKey(KIND.strength, hashTerm('heron')))).toBeCloseTo((0.2 * 2 * 2 * 2.2) / (2 + 1.2))
  expect([...byKey.keys()].slice(0, 4)).toEqual([0, 1, 2, 3])
  const weights = new Map([
    [featureKey(KIND.beside, hashTerm('lake')), 2],
    [featureKey(KIND.beside, hashTerm('heron')), 9],
    [featureKey(KIND.evidence, 1), 4],
  ])
  expect(weighted(weights, query, evidence)).toBeCloseTo((2 * 0.9) / Math.SQRT2 + 4 * 0.5)
})

test('minimisation finds the minimum of a convex function', () => {
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

test('a learnt shift moves a result and is reported; without it nothing changes', () => {
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

test('a training is due after enough outcomes, once, and one that started from an older model is not stored', async () => {
  const database = openDatabase(env.DB)
  const project = 'ranking-due'
  const jobs = []
  for (let i = 0; i < 45; i++) jobs.push(await noteRankingOutcome(database, project, 1000))
  expect(jobs.filter((id) => id !== null)).toHaveLength(1)
  const model = {
    project,
    examples: 45,
    queries: 30,
    gain: 1,
    standardErrors: 3,
    accepted: true,
    needs: null,
    learnt: 45,
    startedAt: 0,
  }
  expect(await storeRanking(database, { ...model, version: 0, weights: { [GOOD]: 0.5 } }, 2000)).toBe(true)
  expect(await storeRanking(database, { ...model, version: 0, weights: { [GOOD]: -9 } }, 3000)).toBe(false)
  expect(await rankingRow(database, project)).toMatchObject({ version: 1, pending: 0, weights: { [GOOD]: 0.5 } })
  const served = await projectRanking({ database, now: () => 4000 }, project)
  expect(served).toMatchObject({ version: 1, weights: new Map([[GOOD, 0.5]]) })
})

test('a search uses the words that a project has learnt, and not with RANKING_LEARNING off', async () => {
  const services = { ...buildServices(env), enqueueJobs: async () => undefined }
  const project = 'ranking-served'
  const items = ['Rotate the keys with the wizard.', 'Rotate the keys with the script.'].map((description, i) => ({
    key: String(i),
    fields: { description },
  }))
  await call(storeKnowledge, services, { project, collection: 'best-practices', items })
  const search = async (with_: Services) => {
    const input = { project, collection: 'best-practices', query: 'rotate the keys' }
    const found = await call<{ items: { key: string; breakdown: { learned: number } }[] }>(searchContext, with_, input)
    return found.items.map(({ key, breakdown }) => [key, Math.sign(breakdown.learned)])
  }
  await noteRankingOutcome(services.database, project, 0)
  const model = {
    project,
    examples: 45,
    queries: 30,
    gain: 1,
    standardErrors: 3,
    accepted: true,
    needs: null,
    learnt: 1,
    startedAt: 0,
  }
  const term = (word: string) => featureKey(KIND.beside, hashTerm(queryTerms(word)[0]?.term ?? ''))
  for (const [version, liked, other] of [
    [1, 'wizard', '0'],
    [2, 'script', '1'],
  ] as const) {
    await storeRanking(services.database, { ...model, version: version - 1, weights: { [term(liked)]: 2 } }, 0)
    const later = { ...services, now: () => services.now() + version * 60_000 }
    expect(await search(later)).toEqual([
      [other, 1],
      [other === '0' ? '1' : '0', -1],
    ])
    const off = { ...later, settings: { ...services.settings, RANKING_LEARNING: 'off' as const } }
    expect((await search(off)).map(([, learned]) => learned)).toEqual([0, 0])
  }
})
