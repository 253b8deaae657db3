/** Jobs that exceed the budget of an invocation continue in the next one, where they stopped. */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { Budget, inBudget, PLAN_LIMITS } from '../../src/budget.ts'
import { requestDeletion } from '../../src/database/queries/deletions.ts'
import { ERASURE_START } from '../../src/erasure/erase.ts'
import { newId } from '../../src/ids.ts'
import { consume } from '../../src/jobs/consume.ts'
import type { JobMessage } from '../../src/jobs/message.ts'
import { runDueJobs, runJob } from '../../src/jobs/run-job.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { call, exchange, freshProject, type TestServices, testServices } from '../outcomes/support.ts'

const job = (id: string) =>
  env.DB.prepare('SELECT status, attempts, last_error FROM jobs WHERE id = ?')
    .bind(id)
    .first<{ status: string; attempts: number; last_error: string | null }>()

async function deliver(services: TestServices, ids: readonly string[]) {
  const batch = createMessageBatch<JobMessage>(
    'hybrid-coordinator-jobs',
    ids.map((jobId, i) => ({ id: String(i), timestamp: new Date(0), attempts: 1, body: { jobId } })),
  )
  const budget = new Budget(PLAN_LIMITS.free)
  await inBudget(budget, () => consume(batch, services))
  return { ...(await getQueueResult(batch, createExecutionContext())), used: budget.used }
}

it('jobs that exceed the budget of a batch are acknowledged, sent again and done, on the free plan too', async () => {
  const services = testServices()
  const project = freshProject()
  for (let i = 0; i < 20; i++) await call(trackInteraction, services, exchange(project, { query: `Question ${i}?` }))
  let waiting = services.enqueued.splice(0)
  expect(waiting).toHaveLength(20)
  let invocations = 0
  while (waiting.length > 0) {
    const { explicitAcks, retryMessages, used } = await deliver(services, waiting)
    expect(explicitAcks).toHaveLength(waiting.length)
    expect(retryMessages).toEqual([])
    expect(used.queries).toBeLessThanOrEqual(PLAN_LIMITS.free.queries)
    waiting = services.enqueued.splice(0)
    expect(++invocations).toBeLessThan(30)
  }
  expect(invocations).toBeGreaterThan(2)
  const { results } = await env.DB.prepare('SELECT status, attempts FROM jobs WHERE project = ?').bind(project).all()
  expect(results).toEqual(Array.from({ length: 20 }, () => ({ status: 'done', attempts: 1 })))
})

/** Interactions, each a turn in its own conversation. */
async function conversations(project: string, count: number): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
     INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, had_context, revision,
       conversation_id, caller, created_at, updated_at)
     SELECT printf('0190b6f0-%04x-7000-8000-%012x', i / 65536, i) , ?1, 'q' || i, 'a', 'remote', 'm', 1, 1, '[]', 0, 0, 'c' || i, 'agent',
       1790000000000, 1790000000000 FROM n`,
  )
    .bind(project, count)
    .run()
}

it('a deletion of 3,000 conversations stays within the queries of each invocation and loses no attempt', async () => {
  const project = freshProject()
  await conversations(project, 3_000)
  const cleared: string[] = []
  const services: TestServices = {
    ...testServices(),
    conversations: {
      delete: async (_project: string, id: string) => {
        cleared.push(id)
        return true
      },
    } as never,
  }
  const request = { what: 'key' as const, project, subject: 'agent', requestedBy: 'admin' }
  const { id, jobId } = await requestDeletion(services.database, request, ERASURE_START, services.now())
  let runs = 0
  for (let status = ''; status !== 'done'; ) {
    const budget = new Budget()
    status = (await inBudget(budget, () => runJob(services, jobId)))?.status ?? 'none'
    expect(['done', 'unfinished']).toContain(status)
    expect(budget.used.queries).toBeLessThanOrEqual(PLAN_LIMITS.paid.queries)
    expect(++runs).toBeLessThan(20)
  }
  expect(runs).toBeGreaterThan(1)
  expect(await job(jobId)).toMatchObject({ status: 'done', attempts: 1, last_error: null })
  expect(new Set(cleared).size).toBe(3_000)
  const left = await env.DB.prepare('SELECT count(*) AS n FROM interactions WHERE project = ?').bind(project).first('n')
  expect(left).toBe(0)
  expect(await env.DB.prepare('SELECT status FROM deletions WHERE id = ?').bind(id).first('status')).toBe('done')
})

it('process_learning ends when its budget is used up, whatever is left', async () => {
  const services = testServices()
  const project = freshProject()
  for (let i = 0; i < 10; i++) await call(trackInteraction, services, exchange(project, { query: `Question ${i}?` }))
  const budget = new Budget(PLAN_LIMITS.free)
  const { ran } = await inBudget(budget, () => runDueJobs(services, project, 60))
  expect(ran).toBeGreaterThan(0)
  expect(ran).toBeLessThan(10)
  expect(budget.used.queries).toBeLessThanOrEqual(50)
})

it('a job that has made progress and waits for its engine is not a failed attempt', async () => {
  const services = testServices()
  const id = newId()
  await env.DB.prepare(
    `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
     VALUES (?, '-', 'prune_logs', '-', 99, 'pending', 0, 0, 0, 0)`,
  )
    .bind(id)
    .run()
  const spent = new Budget()
  spent.use('queries', 590)
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
     INSERT INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at)
     SELECT printf('0100b6f0-%04x-7000-8000-%012x', i / 65536, i), 'old', 'q', 'hybrid', 'remote', '{}', 1, 1 FROM n`,
  ).run()
  expect(await inBudget(spent, () => runJob(services, id))).toMatchObject({ status: 'unfinished' })
  expect(await job(id)).toMatchObject({ status: 'pending', attempts: 0 })
  expect(await runJob(services, id)).toMatchObject({ status: 'done' })
  expect(await job(id)).toMatchObject({ status: 'done', attempts: 1 })
})
