import { describe, expect, it } from 'vitest'
import { readUse, reserveUse } from '../../src/database/queries/controls.ts'
import { newId } from '../../src/ids.ts'
import type { ChatModel } from '../../src/inference/chat/chat-model.ts'
import { MAX_ATTEMPTS, runJob } from '../../src/jobs/run-job.ts'
import { sweep } from '../../src/jobs/sweep.ts'
import { controlLearning } from '../../src/operations/administration/control-learning.ts'
import { discardJob } from '../../src/operations/administration/discard-job.ts'
import { listJobs } from '../../src/operations/administration/list-jobs.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { retryJob } from '../../src/operations/administration/retry-job.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { BudgetSpent, budgetedModel, dayOf, nextDay } from '../../src/patterns/generation-budget.ts'
import { anyone, call, exchange, freshProject, type TestServices, testServices } from '../outcomes/support.ts'

interface JobRow {
  job_id: string
  status: string
  attempts: number
  last_error: string | null
}

async function deadJob(services: TestServices, project: string): Promise<string> {
  await call(trackInteraction, services, exchange(project))
  const id = services.enqueued.at(-1) ?? ''
  const upsert = services.knowledge.upsert
  services.knowledge.upsert = async () => {
    throw new Error('private text')
  }
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    await runJob(services, id)
    services.clock.advance(1_000_000)
  }
  services.knowledge.upsert = upsert
  return id
}

describe('dead jobs', () => {
  it('are listed with the code of their error, never its message, and run again when retried', async () => {
    const services = testServices()
    const project = freshProject()
    const job_id = await deadJob(services, project)
    const { jobs } = await call<{ jobs: JobRow[] }>(listJobs, services, { project, status: 'dead' })
    expect(jobs).toMatchObject([{ job_id, attempts: MAX_ATTEMPTS, last_error: 'internal' }])
    expect(JSON.stringify(jobs)).not.toContain('private')
    expect(await call(retryJob, services, { job_id })).toMatchObject({ status: 'pending', attempts: 0 })
    expect(await call(processLearning, services, { project })).toMatchObject({ ran: 1, kinds: [{ done: 1 }] })
    await expect(call(retryJob, services, { job_id })).rejects.toMatchObject({ code: 'conflict' })
    await expect(call(discardJob, services, { job_id })).rejects.toMatchObject({ code: 'conflict' })
  })

  it('stay listed when discarded, do not run, and can be restored', async () => {
    const services = testServices()
    const project = freshProject()
    const job_id = await deadJob(services, project)
    for (let i = 0; i < 2; i++) {
      expect(await call(discardJob, services, { job_id })).toMatchObject({ status: 'discarded' })
    }
    expect(await runJob(services, job_id)).toBeNull()
    const { jobs } = await call<{ jobs: JobRow[] }>(listJobs, services, { project })
    expect(jobs).toMatchObject([{ job_id, status: 'discarded' }])
    expect(await call(retryJob, services, { job_id })).toMatchObject({ status: 'pending' })
  })

  it.each([retryJob, discardJob])('are not found from another project, or if they do not exist', async (operation) => {
    const services = testServices()
    const job_id = await deadJob(services, freshProject())
    const stranger = { ...anyone, project: 'elsewhere' }
    await expect(call(operation, services, { job_id }, stranger)).rejects.toMatchObject({ code: 'not_found' })
    await expect(call(operation, services, { job_id: newId() })).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('kill switch', () => {
  it('stops all background work immediately, loses nothing, and resumes it', async () => {
    const services = testServices()
    const project = freshProject()
    await call(trackInteraction, services, exchange(project))
    expect(await call(controlLearning, services, { paused: true })).toMatchObject({ paused: true, daily_calls: 500 })
    services.clock.advance(60_000)
    expect(await sweep(services)).toEqual({ enqueued: 0, ran: 0 })
    expect(await call(processLearning, services, { project })).toMatchObject({
      ran: 0,
      paused: true,
      kinds: [{ left: 1 }],
    })
    expect(await call(controlLearning, services, { paused: false })).toMatchObject({ paused: false })
    expect(await call(processLearning, services, { project })).toMatchObject({ ran: 1, paused: false })
  })

  it('requires a key that is not bound to a project', async () => {
    const bound = { ...anyone, project: 'one' }
    await expect(call(controlLearning, testServices(), { paused: true }, bound)).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})

describe('daily budget', () => {
  const model = (tokens: number | null): ChatModel & { calls: number } => ({
    name: 'm',
    calls: 0,
    async complete() {
      this.calls++
      return {
        content: 'four words of answer',
        model: 'm',
        promptTokens: tokens,
        completionTokens: tokens,
        finish: 'stop' as const,
      }
    },
  })

  it('gives the remainder to one of many concurrent callers', async () => {
    const services = testServices()
    const controls = { paused: false, dailyCalls: 3, dailyTokens: 100 }
    const taken = await Promise.all(
      Array.from({ length: 10 }, () => reserveUse(services.database, '2000-01-01', 30, controls)),
    )
    expect(taken.filter(Boolean)).toHaveLength(3)
    expect(await readUse(services.database, '2000-01-01')).toEqual({ calls: 3, tokens: 90 })
    expect(await reserveUse(services.database, '2000-01-02', 101, controls)).toBe(false)
  })

  it('counts the actual use, stops at the limit and starts again the next day', async () => {
    const services = testServices()
    await call(controlLearning, services, { daily_calls: 2, daily_tokens: 10_000 })
    const inner = model(7)
    const limited = budgetedModel(services, inner)
    const ask = () => limited.complete([{ role: 'user', content: 'a question' }], { maxTokens: 1024 })
    await ask()
    const day = dayOf(services.now())
    expect(await readUse(services.database, day)).toEqual({ calls: 1, tokens: 14 })
    await ask()
    await expect(ask()).rejects.toMatchObject({ until: nextDay(services.now()) })
    await expect(ask()).rejects.toBeInstanceOf(BudgetSpent)
    expect(inner.calls).toBe(2)
    services.clock.advance(nextDay(services.now()) - services.now())
    await ask()
    expect(inner.calls).toBe(3)
  })

  it('counts the tokens itself if the model does not report them', async () => {
    const services = testServices()
    services.clock.advance(10 * 86_400_000)
    await call(controlLearning, services, { daily_calls: 100 })
    await budgetedModel(services, model(null)).complete([{ role: 'user', content: 'one two three' }], {
      maxTokens: 1024,
    })
    expect((await readUse(services.database, dayOf(services.now()))).tokens).toBe(7)
  })
})
