/**
 * A deletion together with all concurrent writers, in random order: afterwards, no deleted data is left.
 * `ERASURE_SCHEDULES=500 npx vitest run test/erasure/schedules` runs more schedules.
 */
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { openDatabase } from '../../src/database/database.ts'
import { runDueJobs } from '../../src/jobs/run-job.ts'
import { COLLECTION_NAMES } from '../../src/knowledge/collections.ts'
import { deleteData } from '../../src/operations/administration/delete-data.ts'
import { getDeletion } from '../../src/operations/administration/get-deletion.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import type { Caller } from '../../src/operations/operation.ts'
import { indexInteraction } from '../../src/outcomes/history.ts'
import { indexCorrection } from '../../src/outcomes/index-correction.ts'
import { learnPattern } from '../../src/patterns/learn.ts'
import { trainProjectRanking } from '../../src/retrieval/train-ranking.ts'
import { trainProjectRouter } from '../../src/routing/trained-router.ts'
import { nightlySettings } from '../../src/training-data/settings.ts'
import { anyone, call, exchange, freshProject, type TestServices, testServices } from '../outcomes/support.ts'
import { exportAll } from '../training-data/dataset-support.ts'

const SCHEDULES = Number((env as unknown as { ERASURE_SCHEDULES?: string }).ERASURE_SCHEDULES || 6)
const MARK = 'zanzibarite'

const first: Caller = { id: 'first', scopes: ['read', 'write', 'learn'], project: null }
const other: Caller = { id: 'other', scopes: ['read', 'write', 'learn'], project: null }

/** The same object, whose methods wait randomly before each call, so that several users interleave randomly. */
function interleaved<T extends object>(inner: T, methods: readonly string[], pause: () => Promise<void>): T {
  return new Proxy(inner, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...given: unknown[]) => unknown
      if (!methods.includes(String(name))) return method
      return async (...given: unknown[]) => {
        await pause()
        return method(...given)
      }
    },
  })
}

/** Services whose external steps run in random order. */
function shuffledServices(random: () => number): TestServices {
  const pause = async () => {
    for (let turns = Math.floor(random() * 8); turns > 0; turns--) await scheduler.wait(0)
  }
  const plain = testServices({ settings: { HIGH_VALUE_THRESHOLD: '0' } })
  const statement = (made: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(interleaved(made, ['all', 'run', 'raw', 'first'], pause), {
      get: (target, name) =>
        name === 'bind'
          ? (...values: unknown[]) => Object.assign(statement(made.bind(...values)), { made: made.bind(...values) })
          : Reflect.get(target, name),
    })
  const client = new Proxy(env.DB, {
    get(target, name) {
      if (name === 'prepare')
        return (text: string) => Object.assign(statement(target.prepare(text)), { made: target.prepare(text) })
      if (name === 'batch')
        return async (statements: { made: D1PreparedStatement }[]) => {
          await pause()
          return target.batch(statements.map(({ made }) => made))
        }
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return {
    ...plain,
    database: openDatabase(client),
    knowledge: interleaved(plain.knowledge, ['upsert', 'delete', 'search', 'get', 'clear', 'list'], pause),
    datasets: interleaved(env.DATASETS, ['put', 'get', 'delete', 'head', 'list'], pause),
    conversations: { delete: async () => true, read: async () => null, addAnswer: async () => undefined } as never,
  }
}

/** The places where a text occurs: tables, files and collections. */
async function findAll(services: TestServices, project: string): Promise<string[]> {
  const found: string[] = []
  const { results: tables } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>()
  for (const { name } of tables) {
    if (name === 'audit_log' || name === 'deletions') continue
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all()
    if (JSON.stringify(results).includes(`${MARK}-${project}`)) found.push(name)
  }
  for (const { key } of (await env.DATASETS.list()).objects) {
    if (((await (await env.DATASETS.get(key))?.text()) ?? '').includes(`${MARK}-${project}`)) found.push(key)
  }
  for (const collection of COLLECTION_NAMES) {
    const { entries } = await services.knowledge.list({ project, collection }, { limit: 1000 })
    if (JSON.stringify(entries).includes(`${MARK}-${project}`)) found.push(collection)
  }
  return found
}

async function schedule(seed: number): Promise<string[]> {
  const random = seeded(seed)
  const services = shuffledServices(random)
  const quiet = { ...services, database: openDatabase(env.DB), datasets: env.DATASETS }
  services.clock.time += seed * 86_400_000
  const project = freshProject()
  const ids: string[] = []
  for (let i = 0; i < 4; i++) {
    // The last one is kept; it is the only one without the mark.
    const mark = i < 3 ? `${MARK}-${project}` : 'keepsakeite'
    const input = exchange(project, {
      query: `TypeError: the ${mark} parser can not read frame number ${i < 3 ? 1 : 2}`,
      response: `1. Install ${mark}.\n2. Restart step ${i}.`,
      conversation_id: i < 3 ? 'talk' : 'chat',
    })
    const { interaction_id } = await call<{ interaction_id: string }>(
      trackInteraction,
      quiet,
      input,
      i < 3 ? first : other,
    )
    ids.push(interaction_id)
    await call(updateOutcome, quiet, { interaction_id, outcome: 'success', user_feedback: 1 }, anyone)
  }
  const correction = await call<{ feedback_id: string }>(
    learningFeedback,
    quiet,
    { project, query: `${MARK}-${project}?`, correction: `Use ${MARK}-${project}.`, interaction_id: ids[0] },
    first,
  )
  for (let i = 0; i < 3; i++) {
    await runDueJobs(quiet, project, 60)
    services.clock.advance(5_000)
  }
  if (random() < 0.5) await exportAll(quiet, nightlySettings(project, 0))
  const input = [
    { what: 'project', project, confirm: project },
    { what: 'conversation', project, conversation_id: 'talk', confirm: 'talk' },
    { what: 'key', project, key_id: 'first', confirm: 'first' },
  ][seed % 3]
  const writers: (() => Promise<unknown>)[] = [
    ...ids.map((id) => () => indexInteraction(services, id)),
    ...ids.map((id) => () => learnPattern(services, id, 1)),
    () => indexCorrection(services, correction.feedback_id),
    () => exportAll(services, nightlySettings(project, 0)),
    () => exportAll(services, { ...nightlySettings(project, 0), format: 'dpo' }),
    () => trainProjectRouter(services, project),
    () => trainProjectRanking(services, project),
  ]
  const deletion = call<{ deletion_id: string }>(deleteData, services, input ?? {}, anyone)
  const running = writers
    .filter(() => random() < 0.6)
    .map(async (write) => {
      for (let turns = Math.floor(random() * 40); turns > 0; turns--) await scheduler.wait(0)
      // An export reports a conflict if a deletion came in between.
      await write().catch((thrown: unknown) => {
        if ((thrown as { code?: string }).code !== 'conflict') throw thrown
      })
    })
  const { deletion_id } = await deletion
  await Promise.all(running)
  for (let i = 0; i < 4; i++) {
    await runDueJobs(quiet, '-', 10)
    await runDueJobs(quiet, project, 60)
    services.clock.advance(5_000)
  }
  const receipt = await call<{ status: string; complete: boolean }>(getDeletion, quiet, { deletion_id }, anyone)
  const found = await findAll(services, project)
  return [...found, ...(receipt.status === 'done' && receipt.complete ? [] : [`receipt ${JSON.stringify(receipt)}`])]
}

test(`${SCHEDULES} random schedules of a deletion with index writes, patterns, exports and trainings`, {
  timeout: 1_800_000 + SCHEDULES * 60_000,
}, async () => {
  const left: Record<string, string[]> = {}
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const found = await schedule(seed)
    if (found.length > 0) left[`seed ${seed}`] = found
  }
  expect(left).toEqual({})
})
