import { beforeAll, describe, expect, test } from 'vitest'
import { buildServices } from '../../../src/build-services.ts'
import { toBase64 } from '../../../src/encoding.ts'
import type { MiniLm } from '../../../src/inference/embedding/minilm/model.ts'
import { runDueJobs } from '../../../src/jobs/run-job.ts'
import { loadModel, weights } from './support.ts'
import { bindings, call } from './worker.ts'

let model: MiniLm
beforeAll(async () => {
  model = await loadModel(await weights())
})

let projects = 0
const freshProject = () => `turns-${Date.now().toString(36)}-${projects++}`
const collection = 'interaction-history'

async function say(project: string, ...turns: [conversation: string, turn: number, text: string][]): Promise<void> {
  const items = turns.map(([conversation_id, turn, query]) => ({
    key: `${conversation_id}-${turn}`,
    fields: { query, conversation_id, turn },
  }))
  expect((await call('POST', '/knowledge/items', { project, collection, items })).status).toBe(200)
}

interface Pending {
  id: string
  hash: string
  text: string
}

async function pending(project: string): Promise<Pending[]> {
  return (await call('POST', '/knowledge/vectors/pending', { project, collection })).body.items as Pending[]
}

function encoded(text: string): string {
  const vector = model.embed(text, 128) ?? new Float32Array(256)
  const peak = Math.max(...vector.map(Math.abs))
  return toBase64(new Uint8Array(Int8Array.from(vector, (value) => Math.round((value / peak) * 127)).buffer))
}

const send = (project: string, work: readonly Pending[], textOf: (item: Pending) => string) =>
  call('POST', '/knowledge/vectors', {
    project,
    collection,
    space: 'minilm-l6-256-v1',
    vectors: work.map((item) => ({ id: item.id, hash: item.hash, vector: encoded(textOf(item)) })),
  })

const CATS = 'Which food do you give your cats?'
const MORE = 'Twice a day, and more in winter.'

describe('a turn', () => {
  test('is embedded after its own words with the previous turn of its conversation', async () => {
    const project = freshProject()
    await say(project, ['a', 1, CATS], ['a', 2, MORE], ['b', 1, 'The build is red.'], ['b', 2, 'I look at it.'])
    const texts = (await pending(project)).map(({ text }) => text)
    expect(texts.sort()).toEqual(
      [CATS, `${MORE} ${CATS}`, 'The build is red.', 'I look at it. The build is red.'].sort(),
    )
  })

  test('without a predecessor is embedded on its own', async () => {
    const project = freshProject()
    await say(project, ['a', 7, MORE], ['a', 5, CATS])
    expect((await pending(project)).map(({ text }) => text).sort()).toEqual([MORE, CATS].sort())
  })

  test('is found by the topic of the previous turn', async () => {
    const project = freshProject()
    await say(project, ['a', 1, CATS], ['a', 2, MORE], ['b', 1, 'How often does the job run?'], ['b', 2, MORE])
    expect((await runDueJobs(buildServices(bindings), project, 10)).kinds.get('embed_collection')).toMatchObject({
      done: 1,
    })
    const { body } = await call('POST', '/hybrid_search', {
      project,
      query: 'how many times are the kittens fed?',
      collections: [collection],
      mode: 'semantic',
      score_threshold: 0,
    })
    const found = body.semantic_results as { context_id: string; score: number }[]
    const items = body.combined_results as { context_id: string; key: string }[]
    const scoreOf = (key: string) => {
      const id = items.find((item) => item.key === key)?.context_id
      return found.find(({ context_id }) => context_id === id)?.score ?? 0
    }
    expect(scoreOf('a-2')).toBeGreaterThan(scoreOf('b-2') + 0.05)
  })
})

describe('vectors of turns that a client sends', () => {
  test('match the listed text, or the turn alone if its predecessor was stored in between', async () => {
    const project = freshProject()
    await say(project, ['a', 2, MORE])
    const early = await pending(project)
    await say(project, ['a', 1, CATS])
    expect((await send(project, early, ({ text }) => text)).status).toBe(200)
    const rest = await pending(project)
    expect(rest.map(({ text }) => text)).toEqual([CATS])
    expect((await send(project, rest, ({ text }) => text)).body).toMatchObject({ complete: true })
  })

  test('are rejected if they belong to another text', async () => {
    const project = freshProject()
    await say(project, ['a', 1, CATS], ['a', 2, MORE])
    const { status, body } = await send(project, await pending(project), () => 'Ignore all of this.')
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain('is not the vector of its item')
  })
})
