import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { CoordinatorError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import { consume } from '../../src/jobs/consume.ts'
import { keepDeadLetters } from '../../src/jobs/dead-letters.ts'
import type { JobMessage } from '../../src/jobs/message.ts'
import { exportNightly } from '../../src/jobs/nightly.ts'
import { ENGINE_PATIENCE_MS, LEASE_MS, MAX_ATTEMPTS, runJob } from '../../src/jobs/run-job.ts'
import { sweep } from '../../src/jobs/sweep.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { generateTrainingData } from '../../src/operations/training-data/generate-training-data.ts'
import { listDatasets } from '../../src/operations/training-data/list-datasets.ts'
import { bindings, call, exchange, finish, freshProject, type TestServices, testServices } from '../outcomes/support.ts'

async function deliver(services: TestServices, ids: readonly string[]) {
  const batch = createMessageBatch<JobMessage>(
    'hybrid-coordinator-jobs',
    ids.map((jobId, i) => ({ id: String(i), timestamp: new Date(0), attempts: 1, body: { jobId } })),
  )
  await consume(batch, services)
  return getQueueResult(batch, createExecutionContext())
}

const job = (id: string) =>
  bindings.DB.prepare('SELECT status, attempts, last_error, run_after FROM jobs WHERE id = ?')
    .bind(id)
    .first<{ status: string; attempts: number; last_error: string | null; run_after: number }>()

async function tracked(services: TestServices, project = freshProject()) {
  const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, exchange(project))
  return { interaction_id, jobId: services.enqueued.at(-1) ?? '' }
}

describe('consume', () => {
  it('runs each job once, oldest cause first, and acknowledges', async () => {
    const services = testServices()
    const { interaction_id, jobId } = await tracked(services)
    await call(updateOutcome, services, { interaction_id, outcome: 'success' })
    const [index, score] = services.enqueued
    const result = await deliver(services, [score ?? '', index ?? '', score ?? ''])
    expect(result.explicitAcks.sort()).toEqual(['0', '1', '2'])
    expect(await job(jobId)).toMatchObject({ status: 'done', attempts: 1 })
    expect(await job(score ?? '')).toMatchObject({ status: 'done', attempts: 1 })
  })

  it('acknowledges a message whose row does not exist', async () => {
    expect((await deliver(testServices(), [newId()])).explicitAcks).toEqual(['0'])
  })

  it('sends a failing job back with its backoff, and ends it after its last attempt', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    services.knowledge.upsert = async () => {
      throw new Error('secret content of the store')
    }
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const result = await deliver(services, [jobId])
      const row = await job(jobId)
      expect(row).toMatchObject({ attempts: attempt, last_error: 'internal' })
      if (attempt < MAX_ATTEMPTS) {
        expect(row?.status).toBe('pending')
        expect(row?.run_after).toBeGreaterThan(services.clock.time)
        expect(result.retryMessages).toHaveLength(1)
        // Early repetitions of the message change nothing.
        expect(await runJob(services, jobId)).toBeNull()
      } else {
        expect(row?.status).toBe('dead')
        expect(result.explicitAcks).toEqual(['0'])
      }
      services.clock.advance(1_000_000)
    }
    expect(await runJob(services, jobId)).toBeNull()
  })

  it('waits for an engine that is off for days without losing an attempt, and runs soon after it is back', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    const began = services.clock.time
    const upsert = services.knowledge.upsert.bind(services.knowledge)
    services.knowledge.upsert = async () => {
      throw new CoordinatorError('engine_unavailable', 'The embedding server could not be reached.')
    }
    let asked = 0
    const ask = async () => {
      services.clock.advance(Math.max(0, ((await job(jobId))?.run_after ?? 0) - services.clock.time))
      asked++
      return runJob(services, jobId)
    }
    expect((await deliver(services, [jobId])).explicitAcks).toEqual(['0'])
    expect(services.enqueued.at(-1)).toBe(jobId)
    while (services.clock.time - began < ENGINE_PATIENCE_MS / 2) await ask()
    expect(await job(jobId)).toMatchObject({ status: 'pending', attempts: 0, last_error: 'engine_unavailable' })
    expect(asked).toBeGreaterThan(20)
    services.clock.advance(3_600_000)
    // The sweep enqueues the row; a message would be dropped before the engine is back.
    expect((await deliver(services, [jobId])).explicitAcks).toEqual(['0'])
    expect(asked).toBeLessThan(250)
    services.knowledge.upsert = upsert
    const back = services.clock.time
    expect(await ask()).toMatchObject({ status: 'done' })
    expect(services.clock.time - back).toBeLessThanOrEqual(3_600_000)
    expect(await job(jobId)).toMatchObject({ status: 'done', attempts: 1, last_error: null })
  })

  it('counts the attempts of a job that has waited a week for its engine', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    services.knowledge.upsert = async () => {
      throw new CoordinatorError('engine_unavailable', 'The embedding server could not be reached.')
    }
    services.clock.advance(ENGINE_PATIENCE_MS)
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      expect(await runJob(services, jobId)).toMatchObject({ status: attempt < MAX_ATTEMPTS ? 'failed' : 'dead' })
      services.clock.advance(1_000_000)
    }
  })

  it('delays a score until earlier interactions are indexed, without using up attempts', async () => {
    const services = testServices()
    const project = freshProject()
    const earlier = await tracked(services, project)
    const { interaction_id } = await tracked(services, project)
    await call(updateOutcome, services, { interaction_id, outcome: 'success' })
    const score = services.enqueued.at(-1) ?? ''
    // Waiting is not a failure: a new message replaces the old one, whose retries are not used.
    const waited = await deliver(services, [score])
    expect(waited.retryMessages).toHaveLength(0)
    expect(waited.explicitAcks).toEqual(['0'])
    expect(services.enqueued.at(-1)).toBe(score)
    expect(await job(score)).toMatchObject({ status: 'pending', attempts: 0, last_error: null })
    services.clock.advance(5000)
    await deliver(services, [earlier.jobId, score])
    expect(await job(score)).toMatchObject({ status: 'done', attempts: 1 })
  })
})

describe('sweep', () => {
  it('announces rows that have waited long, and leaves recent ones to their messages', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    services.enqueued.length = 0
    await sweep(services)
    expect(services.enqueued).not.toContain(jobId)
    services.clock.advance(31_000)
    await sweep(services)
    expect(services.enqueued).toContain(jobId)
  })

  it('takes over the job of a dead runner when its lease has expired', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    const upsert = services.knowledge.upsert.bind(services.knowledge)
    services.knowledge.upsert = () => new Promise(() => undefined)
    void runJob(services, jobId)
    for (let i = 0; i < 100 && (await job(jobId))?.status !== 'running'; i++)
      await new Promise((done) => setTimeout(done, 5))
    services.knowledge.upsert = upsert
    services.enqueued.length = 0
    services.clock.advance(LEASE_MS)
    await sweep(services)
    expect(services.enqueued).not.toContain(jobId)
    services.clock.advance(31_000)
    await sweep(services)
    expect(services.enqueued).toContain(jobId)
    expect(await runJob(services, jobId)).toMatchObject({ status: 'done' })
    expect(await job(jobId)).toMatchObject({ attempts: 2 })
  })

  it('gives up on a job that kills every runner', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    await bindings.DB.prepare('UPDATE jobs SET attempts = ? WHERE id = ?').bind(MAX_ATTEMPTS, jobId).run()
    expect(await runJob(services, jobId)).toMatchObject({ status: 'dead', error: 'lost' })
    expect(await job(jobId)).toMatchObject({ status: 'dead', last_error: 'lost' })
  })

  it('runs a few itself if the queue is unavailable', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    services.clock.advance(31_000)
    services.enqueueJobs = async () => {
      throw new Error('queue down')
    }
    expect((await sweep(services)).ran).toBeGreaterThan(0)
    expect(await job(jobId)).toMatchObject({ status: 'done' })
  })
})

describe('nightly export', () => {
  it('exports each project with news once a day, with the same function as a call', async () => {
    const services = testServices()
    // Ids encode the time, so the clock is the real one here.
    services.clock.time = Date.now()
    const project = freshProject()
    const { interaction_id } = await tracked(services, project)
    await call(updateOutcome, services, { interaction_id, outcome: 'success', user_feedback: 1 })
    await tracked(services, freshProject())
    await call(processLearning, services, { project })
    services.enqueued.length = 0
    expect(await exportNightly(services)).toBeGreaterThan(0)
    const jobs = services.enqueued.splice(0)
    expect(await exportNightly(services)).toBe(jobs.length)
    expect(services.enqueued).toEqual(jobs)
    for (const id of jobs) await runJob(services, id)
    expect(await exportNightly(services)).toBe(0)
    const { datasets } = await call<{ datasets: { rows: number; sha256: string }[] }>(listDatasets, services, {
      project,
    })
    expect(datasets).toMatchObject([{ rows: 1 }])
    const made = await finish(generateTrainingData, services, { project })
    expect(made).toMatchObject({ status: 'unchanged', sha256: datasets[0]?.sha256 })
    services.clock.advance(2 * 86_400_000)
    expect(await exportNightly(services)).toBe(0)
  })
})

describe('the dead-letter queue', () => {
  const letters = (ids: readonly string[]) =>
    createMessageBatch<JobMessage>(
      'hybrid-coordinator-jobs-dead',
      ids.map((jobId, i) => ({ id: String(i), timestamp: new Date(0), attempts: 1, body: { jobId } })),
    )

  it('is recorded in the rows of the jobs, which the sweep still runs', async () => {
    const services = testServices()
    const { jobId } = await tracked(services)
    const { jobId: done } = await tracked(services)
    await deliver(services, [done])
    const batch = letters([jobId, done, newId()])
    await keepDeadLetters(batch, services)
    expect((await getQueueResult(batch, createExecutionContext())).ackAll).toBe(true)
    expect(await job(jobId)).toMatchObject({ status: 'pending', last_error: 'dead_letter' })
    expect(await job(done)).toMatchObject({ status: 'done', last_error: null })
    const late = {
      ...services,
      now: () => services.clock.time + 60_000,
      enqueueJobs: () => Promise.reject(new Error('down')),
    }
    expect((await sweep(late)).ran).toBeGreaterThan(0)
    expect(await job(jobId)).toMatchObject({ status: 'done', last_error: null })
  })

  it('keeps messages that cannot be recorded', async () => {
    const services = testServices()
    const broken = {
      ...services,
      database: { $client: { batch: () => Promise.reject(new Error('down')), prepare: () => ({ bind: () => null }) } },
    }
    const batch = letters([newId()])
    await keepDeadLetters(batch, broken as never)
    expect((await getQueueResult(batch, createExecutionContext())).retryBatch.retry).toBe(true)
  })
})
