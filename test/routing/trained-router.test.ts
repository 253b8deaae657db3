import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { outcomeExamples } from '../../src/database/queries/routing.ts'
import { runDueJobs } from '../../src/jobs/run-job.ts'
import { importInteractions } from '../../src/operations/interactions/import-interactions.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { calibrateRouting } from '../../src/operations/routing/calibrate-routing.ts'
import { estimateRouting } from '../../src/operations/routing/estimate-routing.ts'
import { routeQuery } from '../../src/operations/routing/route-query.ts'
import { trainRouterNow } from '../../src/operations/routing/train-router.ts'
import { trainProjectRouter } from '../../src/routing/trained-router.ts'
import { call, exchange, finish, freshProject, type TestServices, testServices } from '../outcomes/support.ts'

interface Estimated {
  estimates: { local: { probability: number; outcomes: number; cold_start: boolean }; gain: number }[]
  router: { version: number; examples: number; pending: number; trained_at: number | null }
}

interface Effect {
  threshold: number
  local_share: number | null
  local_success: number | null
}

interface Calibrated {
  current: Effect
  proposed: Effect | null
}

const imported = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({
    query: `${(from + i) % 2 ? 'Prove the theorem' : 'Name the river'} number ${from + i}`,
    response: 'An answer.',
    agent_type: 'local',
    model_used: 'small',
    outcome: (from + i) % 2 ? 'failure' : 'success',
    idempotency_key: `import-${from + i}`,
  }))

const bringIn = (services: TestServices, project: string, interactions: object[], learn = false) =>
  call<{ interaction_ids: string[]; imported: number; unchanged: number }>(importInteractions, services, {
    project,
    interactions,
    learn,
  })

const estimated = (services: TestServices, project: string, queries = ['Prove the theorem', 'Name the river']) =>
  call<Estimated>(estimateRouting, services, { project, queries })

test('imported outcomes train the router, and route_query uses it', async () => {
  const services = testServices()
  const project = freshProject()
  expect(await estimated(services, project)).toMatchObject({
    estimates: [{ local: { probability: 0.5, cold_start: true } }, {}],
    router: { version: 0, examples: 0, pending: 0, trained_at: null },
  })
  expect(await bringIn(services, project, imported(120))).toMatchObject({ imported: 120, unchanged: 0 })
  expect((await runDueJobs(services, project, 10)).kinds.get('train_router')).toMatchObject({ done: 1 })
  services.clock.advance(60_000)
  const { estimates, router } = await estimated(services, project)
  expect(router).toMatchObject({ version: 1, examples: 120, pending: 0 })
  expect(estimates[0]?.local.probability).toBeLessThan(0.35)
  expect(estimates[1]?.local.probability).toBeGreaterThan(0.65)
  const routed = await call<{ decision: { model: { router_version: number; local: { probability: number } } } }>(
    routeQuery,
    services,
    { project, query: 'Prove the theorem' },
  )
  expect(routed.decision.model).toMatchObject({ router_version: 1, local: estimates[0]?.local })
})

test('an import can be repeated', async () => {
  const services = testServices()
  const project = freshProject()
  const first = await bringIn(services, project, imported(40), true)
  const rows = async () =>
    Promise.all(
      ['interactions', 'outcome_events', 'jobs'].map((table) =>
        env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE project = ?`).bind(project).first('n'),
      ),
    )
  const before = await rows()
  expect(before).toEqual([40, 40, 81])
  const again = await bringIn(services, project, imported(60).slice(20), true)
  expect(again).toMatchObject({ imported: 20, unchanged: 20 })
  expect(again.interaction_ids.slice(0, 20)).toEqual(first.interaction_ids.slice(20))
  expect(await rows()).toEqual([60, 60, 121])
})

test('an import without outcomes or keys, of long texts, in several transactions', async () => {
  const services = testServices()
  const project = freshProject()
  const long = { query: 'Long?', response: 'x'.repeat(150_000), agent_type: 'remote', model_used: 'm' }
  const { interaction_ids } = await bringIn(
    services,
    project,
    Array.from({ length: 7 }, () => long),
    true,
  )
  expect(new Set(interaction_ids).size).toBe(7)
  const row = await env.DB.prepare('SELECT * FROM interactions WHERE id = ?').bind(interaction_ids[6]).first()
  expect(row).toMatchObject({
    revision: 0,
    outcome: null,
    last_event: null,
    tags: '[]',
    created_at: services.clock.time,
  })
})

test('credentials are removed before an import is stored', async () => {
  const services = testServices()
  const project = freshProject()
  const token = `ghp_${'a1B2c3D4e5'.repeat(3)}abcdef`
  const entry = { query: `Is ${token} valid?`, response: `No: ${token}.`, agent_type: 'remote', model_used: 'm' }
  const { interaction_ids } = await bringIn(services, project, [entry])
  const row = await env.DB.prepare('SELECT * FROM interactions WHERE id = ?').bind(interaction_ids[0]).first()
  expect(JSON.stringify(row)).not.toContain(token)
  expect(row?.query).toMatch(/^Is \[redacted .+\] valid\?$/)
})

test('accumulated outcomes train the router', async () => {
  const services = testServices()
  const project = freshProject()
  for (let n = 0; n < 12; n++) {
    const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, exchange(project))
    await call(updateOutcome, services, { interaction_id, outcome: 'success' })
  }
  for (let round = 0; round < 20; round++) {
    await runDueJobs(services, project, 100)
    services.clock.advance(5_000)
  }
  const { router } = await estimated(services, project)
  expect(router).toMatchObject({ version: 1 })
  expect(router.pending + router.examples).toBeGreaterThanOrEqual(12)
})

test('a later outcome replaces the earlier one in training', async () => {
  const services = testServices()
  const project = freshProject()
  const { interaction_ids } = await bringIn(services, project, imported(60))
  await trainProjectRouter(services, project)
  for (const [i, interaction_id] of interaction_ids.entries()) {
    if (i % 2 === 0) await call(updateOutcome, services, { interaction_id, outcome: 'failure' })
  }
  await trainProjectRouter(services, project)
  services.clock.advance(60_000)
  const { estimates, router } = await estimated(services, project)
  expect(router.examples).toBe(60)
  expect(estimates[1]?.local.probability).toBeLessThan(0.2)
})

test('of two concurrent trainings one is stored, and training again gives the same router', async () => {
  const services = testServices()
  const project = freshProject()
  await bringIn(services, project, imported(40))
  const stored = () =>
    env.DB.prepare('SELECT version, examples, model FROM routing_models WHERE project = ?').bind(project).first()
  const both = await Promise.all([trainProjectRouter(services, project), trainProjectRouter(services, project)])
  expect(both.sort()).toEqual(['done', 'not_ready'])
  const first = await stored()
  expect(first).toMatchObject({ version: 1, examples: 40 })
  services.clock.advance(1_000)
  expect(await trainProjectRouter(services, project)).toBe('done')
  expect(await stored()).toEqual({ ...first, version: 2 })
})

test.each(['dead', 'discarded'])(
  'a training that ended %s does not block learning from later outcomes',
  async (status) => {
    const services = testServices()
    const project = freshProject()
    await bringIn(services, project, imported(40))
    const job = () =>
      env.DB.prepare("SELECT id, status, attempts, run_after FROM jobs WHERE kind = 'train_router' AND project = ?")
        .bind(project)
        .first<{ id: string; status: string; attempts: number; run_after: number }>()
    const first = await job()
    await env.DB.prepare('UPDATE jobs SET status = ?, attempts = 6, updated_at = ? WHERE id = ?')
      .bind(status, services.clock.time, first?.id)
      .run()
    services.clock.advance(60_000)
    await bringIn(services, project, imported(80, 40))
    expect(await job()).toMatchObject({ id: first?.id, status: 'pending', attempts: 0 })
    // A dead one waits an hour, so that a job that kills its runner doesn't do so continuously.
    expect((await runDueJobs(services, project, 10)).kinds.has('train_router')).toBe(status === 'discarded')
    services.clock.advance(3_600_000)
    await runDueJobs(services, project, 10)
    services.clock.advance(60_000)
    expect((await estimated(services, project)).router).toMatchObject({ version: 1, examples: 120, pending: 0 })
  },
)

test('long questions are read up to a limit on their total length', async () => {
  const services = testServices()
  const project = freshProject()
  await bringIn(
    services,
    project,
    imported(30).map((entry) => ({ ...entry, query: `${entry.query} ${'long '.repeat(2_000)}` })),
  )
  const read = await outcomeExamples(services.database, project, 100, 1_000, 12_500)
  expect(read).toHaveLength(12)
  expect(read.every(({ query }) => query.length === 1_000)).toBe(true)
  // Newest first.
  expect(read[0]?.query).toContain('number 29')
})

test('the router can be trained immediately, and reports its accuracy', async () => {
  const services = testServices()
  const project = freshProject()
  const trained = () => finish<Record<string, unknown>>(trainRouterNow, services, { project })
  expect(await trained()).toEqual({ version: 0, examples: 0, local: null, remote: null })
  await bringIn(services, project, imported(200))
  const first = await trained()
  expect(first).toMatchObject({ version: 1, examples: 200, remote: null, local: { examples: 200, success_rate: 0.5 } })
  const { mean_squared_error, base_rate_error } = first.local as Record<string, number>
  expect(base_rate_error).toBeCloseTo(0.25)
  expect(mean_squared_error).toBeLessThan(0.1)
  await bringIn(services, project, imported(210).slice(200))
  expect(await trained()).toMatchObject({ version: 2, examples: 210 })
})

test('the threshold is calibrated to a target, first as a trial, and then used', async () => {
  const services = testServices()
  const project = freshProject()
  const calibrate = (input: object) => call<Calibrated>(calibrateRouting, services, { project, ...input })
  expect(await calibrate({ target_local_share: 0.5 })).toMatchObject({ proposed: null, applied: false, examples: 0 })
  await expect(calibrate({})).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(calibrate({ target_local_share: 0.5, target_local_success: 0.5 })).rejects.toMatchObject({
    code: 'invalid_input',
  })
  await bringIn(services, project, imported(200))
  await trainProjectRouter(services, project)
  const dry = await calibrate({ target_local_share: 0.3 })
  expect(dry).toMatchObject({ applied: false, examples: 200, current: { threshold: 0.7 } })
  expect(dry.proposed?.local_share).toBeCloseTo(0.3, 1)
  expect(dry.proposed?.local_success).toBeGreaterThan(0.75)
  const careful = await calibrate({ target_local_success: 0.9, apply: true })
  expect(careful.proposed?.local_success).toBeGreaterThanOrEqual(0.9)
  services.clock.advance(60_000)
  const routed = await call<{ decision: { model: { threshold: number } } }>(routeQuery, services, {
    project,
    query: 'Name it',
  })
  expect(routed.decision.model.threshold).toBe(careful.proposed?.threshold)
  expect((await calibrate({ target_local_share: 1 })).current.threshold).toBe(careful.proposed?.threshold)
})

test('the router of one project does not affect another', async () => {
  const services = testServices()
  const [project, other] = [freshProject(), freshProject()]
  await bringIn(services, project, imported(80))
  await trainProjectRouter(services, project)
  services.clock.advance(60_000)
  expect((await estimated(services, other)).estimates[0]?.local).toMatchObject({ outcomes: 0, cold_start: true })
})

test('a damaged router falls back to base rates', async () => {
  const services = testServices()
  const project = freshProject()
  await bringIn(services, project, imported(80))
  await trainProjectRouter(services, project)
  await env.DB.prepare("UPDATE routing_models SET model = 'x' WHERE project = ?").bind(project).run()
  services.clock.advance(60_000)
  expect((await estimated(services, project)).estimates[0]?.local).toMatchObject({ probability: 0.5, outcomes: 80 })
})
