import { expect, test } from 'vitest'
import { leastIdAt } from '../../src/ids.ts'
import { pruneNightly } from '../../src/jobs/nightly.ts'
import { JOB_DAYS } from '../../src/jobs/prune-logs.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import { bindings, freshProject, testServices } from '../outcomes/support.ts'

const DAY_MS = 86_400_000

test('old log rows are deleted, open and recent ones stay, and the figures are updated', async () => {
  const services = testServices({ settings: { LOG_DAYS: '100' } })
  const project = freshProject()
  const at = (days: number, n: number) =>
    `${leastIdAt(services.clock.time - days * DAY_MS)}-7000-8000-${String(n).padStart(12, '0')}`
  const job = bindings.DB.prepare(
    `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
     VALUES (?1, ?2, 'index_interaction', ?1, 0, ?3, 1, 0, 0, ?4)`,
  )
  const retrieval = bindings.DB.prepare(
    `INSERT INTO retrievals (id, project, operation, query, shown, token_budget, tokens_added, tokens_whole, latency_ms, created_at)
     VALUES (?1, ?2, 'augment_query', 'q', '[]', 1, 1, 1, 1, 0)`,
  )
  const decision = bindings.DB.prepare(
    `INSERT INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at)
     VALUES (?1, ?2, 'q', 'hybrid', 'remote', '{}', 1, 0)`,
  )
  const old = (days: number) => services.clock.time - days * DAY_MS
  await bindings.DB.batch([
    job.bind(at(40, 1), project, 'done', old(40)),
    job.bind(at(40, 2), project, 'discarded', old(40)),
    job.bind(at(40, 3), project, 'dead', old(40)),
    job.bind(at(40, 4), project, 'pending', old(40)),
    // A training job is reused, so its id is old even if it is recent.
    job.bind(at(400, 5), project, 'done', old(1)),
    job.bind(at(JOB_DAYS - 1, 6), project, 'done', old(JOB_DAYS - 1)),
    ...[101, 150, 99].map((days, n) => retrieval.bind(at(days, n), project)),
    ...[101, 99].map((days, n) => decision.bind(at(days, n), project)),
  ])
  const before = services.enqueued.length
  expect(await pruneNightly(services)).toBe(true)
  expect(await pruneNightly(services)).toBe(false)
  expect(await runJob(services, services.enqueued[before] ?? '')).toMatchObject({ status: 'done' })
  const ids = async (table: string) => {
    const { results } = await bindings.DB.prepare(`SELECT id FROM ${table} WHERE project = ? ORDER BY id`)
      .bind(project)
      .all()
    return results.map(({ id }) => id)
  }
  expect(await ids('jobs')).toEqual([at(400, 5), at(40, 3), at(40, 4), at(JOB_DAYS - 1, 6)])
  expect(await ids('retrievals')).toEqual([at(99, 2)])
  expect(await ids('routing_decisions')).toEqual([at(99, 1)])
  const counted = await bindings.DB.prepare('SELECT sum(n) AS n FROM rollup_jobs WHERE project = ?')
    .bind(project)
    .first('n')
  expect(counted).toBe(4)
})
