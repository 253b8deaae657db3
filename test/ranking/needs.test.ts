import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { buildServices } from '../../src/build-services.ts'
import { noteRankingOutcome, rankingRow, resetRanking, storeRanking } from '../../src/database/queries/ranking.ts'
import { itemId } from '../../src/ids.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { searchContext } from '../../src/operations/context/search-context.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import {
  decodeNeeds,
  encodeNeeds,
  type Needs,
  needFeatures,
  needShifts,
  quantised,
  similarity,
} from '../../src/ranking/learnt/needs.ts'
import { type RankedQuery, trainRanking, type Vote } from '../../src/ranking/learnt/train.ts'
import { documentOf } from '../../src/retrieval/learnt-shifts.ts'
import type { Services } from '../../src/services.ts'
import { call } from '../outcomes/support.ts'

const NO_FEATURES = { keys: new Float64Array(0), values: new Float32Array(0) }
const [OFTEN, RED, BLUE, OTHER] = [11, 22, 33, 44]
/** Two topics of questions, as unit vectors. */
const TOPICS = [Float32Array.of(1, 0, 0, 0), Float32Array.of(0, 1, 0, 0)] as const

/**
 * Questions alternating between two topics: one in three needs the document OFTEN, the others that of their topic.
 * Fusion prefers OTHER.
 */
function history(count: number, more: (i: number) => Vote[] = () => []): RankedQuery[] {
  return Array.from({ length: count }, (_, i): RankedQuery => {
    const right = i % 3 === 0 ? 1 : 2 + (i % 2)
    return {
      query: `question ${i}`,
      vector: TOPICS[i % 2 === 0 ? 0 : 1],
      candidates: [OTHER, OFTEN, RED, BLUE].map((document, at) => ({
        base: at === 0 ? 1 : 0,
        document,
        features: NO_FEATURES,
      })),
      votes: [
        { items: [right], shown: 4, caller: `caller-${i % 5}`, success: 1 },
        { items: [0], shown: 4, caller: `caller-${(i + 1) % 5}`, success: 0 },
        ...more(i),
      ],
    }
  })
}

const shiftsOf = (needs: Needs | null, vector: Float32Array | null, space = 'space') => {
  const documents = [OFTEN, RED, BLUE, OTHER]
  const shifts = needs ? needShifts(needs, documents, { vector, space }) : new Float64Array(4)
  return { often: shifts[0] ?? 0, red: shifts[1] ?? 0, blue: shifts[2] ?? 0, other: shifts[3] ?? 0 }
}

test('prefers documents that earlier questions needed, most of all those of similar questions', () => {
  const { needs, accepted } = trainRanking(history(80), 'space')
  expect(accepted).toBe(true)
  const red = shiftsOf(needs, TOPICS[0])
  expect(red.red).toBeGreaterThan(red.blue + 0.5)
  expect(red.often).toBeGreaterThan(red.other + 0.5)
  const blue = shiftsOf(needs, TOPICS[1])
  expect(blue.blue).toBeGreaterThan(blue.red + 0.5)
  // For a question in another embedding space, or without a vector, only the frequency of a document counts.
  for (const shifts of [shiftsOf(needs, TOPICS[0], 'another'), shiftsOf(needs, null)]) {
    expect(Math.abs(shifts.red - shifts.blue)).toBeLessThan(0.3)
    expect(shifts.often).toBeGreaterThan(shifts.other)
  }
})

test('uses nothing if earlier questions have no information about the next', () => {
  const unrelated = history(80).map((query, i) => ({
    ...query,
    candidates: query.candidates.map((candidate, at) => ({ ...candidate, document: 4 * i + at })),
  }))
  expect(trainRanking(unrelated, 'space').needs).toBeNull()
})

test('a question that is repeated with more details is no evidence for new ones', () => {
  const random = seeded(3)
  const pairs = Array.from({ length: 50 }, (_, i) => ({
    right: 1 + Math.floor(3 * random()),
    vector: Float32Array.from({ length: 64 }, () => random() - 0.5),
    first: `Subject ${i}`,
  })).flatMap(({ right, vector, first }) =>
    [first, `${first}\nand its details`].map((query): RankedQuery => {
      const [base] = history(1)
      return {
        ...(base as RankedQuery),
        query,
        vector,
        votes: [{ items: [right], shown: 4, caller: `caller-${right}`, success: 1 }],
      }
    }),
  )
  expect(trainRanking(pairs, 'space').needs?.near ?? 0).toBeLessThan(0.4)
})

test('one of ten callers who praises another document in every answer does not make it the first', () => {
  const praise: Vote = { items: [0], shown: 4, caller: 'hostile', success: 1 }
  const { needs } = trainRanking(
    history(80, () => Array.from({ length: 30 }, () => praise)),
    'space',
  )
  const { red, other } = shiftsOf(needs, TOPICS[0])
  expect(red).toBeGreaterThanOrEqual(other)
})

test('the features are logarithms of shares, smoothed', () => {
  const questions = [
    { vector: null, needs: new Map([[RED, 1]]) },
    { vector: null, needs: new Map([[BLUE, 0.5]]) },
  ]
  const { usual, near } = needFeatures([RED, BLUE, RED], questions, [0.5, 0])
  // Two documents: (1 + 5 / 2) / (2 + 5) over a half.
  expect(usual[0]).toBeCloseTo(Math.log(1))
  expect(usual[1]).toBeCloseTo(Math.log((0.5 + 2.5) / 7 / 0.5))
  expect(near[0]).toBeCloseTo(Math.log((0.5 + 0.5) / 1.5 / 0.5))
  expect(usual[2]).toBe(usual[0])
})

test('similarity is 1 for the same question and falls with the cosine; storing and reading preserves it', () => {
  const [a, b] = [quantised(TOPICS[0]), quantised(TOPICS[1])]
  expect(similarity(a, a)).toBeCloseTo(1)
  expect(similarity(a, b)).toBeCloseTo(Math.exp(-5))
  expect(similarity(a, null)).toBe(0)
  const needs: Needs = {
    space: 'space',
    usual: 0.4,
    near: 0.7,
    questions: [
      { vector: a, needs: new Map([[RED, 0.75]]) },
      { vector: null, needs: new Map() },
    ],
  }
  expect(decodeNeeds(JSON.parse(JSON.stringify(encodeNeeds(needs))))).toEqual(needs)
})

test('a search uses the needs of earlier questions until they are deleted', async () => {
  const services = { ...buildServices(env), enqueueJobs: async () => undefined }
  const [project, collection] = ['needs-served', 'best-practices'] as const
  const items = ['Rotate the keys with the wizard.', 'Rotate the keys with the script.'].map((description, i) => ({
    key: String(i),
    fields: { description },
  }))
  await call(storeKnowledge, services, { project, collection, items })
  const search = async (with_: Services) => {
    const input = { project, collection, query: 'rotate the keys' }
    const found = await call<{ items: { key: string; breakdown: { learned: number } }[] }>(searchContext, with_, input)
    return found.items.map(({ key, breakdown }) => [key, Math.sign(breakdown.learned)])
  }
  const needed = documentOf({
    collection,
    id: itemId(project, collection, '1'),
    source: null,
    path: null,
  } as StoredItem)
  await noteRankingOutcome(services.database, project, 0)
  const questions = Array.from({ length: 20 }, () => ({ vector: null, needs: new Map([[needed, 1]]) }))
  const model = {
    project,
    examples: 45,
    queries: 30,
    gain: 1,
    standardErrors: 3,
    accepted: true,
    learnt: 1,
    startedAt: 0,
  }
  const needs = encodeNeeds({ space: services.embedder.space.name, usual: 1, near: 0, questions })
  await storeRanking(services.database, { ...model, version: 0, weights: {}, needs }, 0)
  const at = (minutes: number) => ({ ...services, now: () => services.now() + minutes * 60_000 })
  expect(await search(at(1))).toEqual([
    ['1', 1],
    ['0', -1],
  ])
  await resetRanking(services.database, project, 0)
  expect((await rankingRow(services.database, project))?.needs).toBeNull()
  expect((await search(at(2))).map(([, learned]) => learned)).toEqual([0, 0])
})
