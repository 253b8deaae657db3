/** The limits enforced in tests, each exceeded once: a check that can't fail would prove nothing. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { Budget, inBudget, PLAN_LIMITS, withBudget } from '../../src/budget.ts'
import { execute } from '../../src/database/batch.ts'
import { openDatabase } from '../../src/database/database.ts'
import { meter, meterBucket, meterObjects } from '../../src/metering.ts'
import { MEMORY_BYTES, takeViolations } from '../platform-limits.ts'

const database = openDatabase(env.DB)
const MEGABYTES_TOO_MANY = 'x'.repeat(2_000_001)

const planted: Record<string, () => unknown> = {
  'D1 queries of an invocation': () =>
    withBudget(async () => {
      for (let query = 0; query <= 1_000; query++) await execute(database, sql`SELECT 1`)
    }),
  'D1 queries of a batch': () =>
    withBudget(() => database.$client.batch(Array.from({ length: 1_001 }, () => database.$client.prepare('SELECT 1')))),
  'Subrequests of an invocation': () =>
    withBudget(async (budget) => {
      budget.use('calls', PLAN_LIMITS.paid.calls)
      await meterBucket(env.DATASETS).head('x')
    }),
  'Parameters of a statement': () => env.DB.prepare('SELECT 1').bind(...Array.from({ length: 101 }, () => 1)),
  'Bytes of a statement': () => env.DB.prepare(`SELECT ?1 /* ${'x'.repeat(100_000)} */`).bind(1),
  'Bytes of a value in D1': () => env.DB.prepare('SELECT ?1').bind(MEGABYTES_TOO_MANY),
  'Bytes of a value in an object': () =>
    runInDurableObject(env.CONVERSATIONS.getByName('large'), (_, state) => {
      state.storage.sql.exec('SELECT ?', MEGABYTES_TOO_MANY)
    }),
  'Bytes of a message': () => env.JOBS.send({ jobId: 'x'.repeat(128_000) }),
  'Messages sent at once': () => env.JOBS.sendBatch(Array.from({ length: 101 }, () => ({ body: { jobId: 'x' } }))),
  'Bytes in memory': () => withBudget((budget) => budget.hold(MEMORY_BYTES + 1)),
}

it.each(Object.keys(planted))('detects too many: %s', async (what) => {
  await expect(async () => planted[what]?.()).rejects.toThrow(/Cloudflare's limit/)
  expect(takeViolations()).toHaveLength(1)
})

it('counts the calls to objects, buckets and other bindings, for the calling invocation', async () => {
  const budget = new Budget()
  await inBudget(budget, async () => {
    const objects = meterObjects(env.CONVERSATIONS)
    await objects.getByName('one').read('one')
    await objects.get(objects.idFromName('two')).read('two')
    const bucket = meterBucket(env.DATASETS)
    const upload = await bucket.createMultipartUpload('upload')
    await bucket.resumeMultipartUpload('upload', upload.uploadId).abort()
    await meter({ ask: async () => 1 }).ask()
    await execute(database, sql`SELECT 1`)
  })
  expect(budget.used).toMatchObject({ calls: 6, queries: 1 })
})

it('is used up if too little of any resource is left, and names the resource', () => {
  const budget = new Budget()
  expect(budget.spent).toBeNull()
  budget.use('queries', 601)
  expect(budget.spent).toBe('queries')
  const free = new Budget(PLAN_LIMITS.free)
  free.use('queries', 25)
  expect(free.spent).toBeNull()
  free.use('queries')
  expect(free.spent).toBe('queries')
  let time = 0
  const slow = new Budget(PLAN_LIMITS.paid, () => time)
  time = 20_001
  expect(slow.spent).toBe('ms')
  const full = new Budget()
  full.hold(90_000_000)
  expect(full.spent).toBe('bytes')
  full.hold(-90_000_000)
  expect(full.spent).toBeNull()
  expect(full.used.bytes).toBe(90_000_000)
})
