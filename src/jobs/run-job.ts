/**
 * Runs one job row from claim to end: lease, attempts, backoff, death. The row in the database is the single source of
 * truth.
 * @module
 */

import { type Budget, withBudget } from '../budget.ts'
import { readControls } from '../database/queries/controls.ts'
import { claimJob, dueJobs, endAttempt, type Job, type JobEnd } from '../database/queries/jobs.ts'
import { CoordinatorError, toCoordinatorError } from '../errors.ts'
import { BudgetSpent } from '../patterns/generation-budget.ts'
import type { Services } from '../services.ts'
import { DAY_MS, HOUR_MS } from '../time.ts'
import { jobFunction } from './job-kinds.ts'

/**
 * A longer run counts as lost, and another one may start. Jobs are idempotent, so this costs time but not correctness.
 */
export const LEASE_MS = 120_000
/** After this many failed attempts, a job is dead until someone retries it. */
export const MAX_ATTEMPTS = 6
/** Delay of a job that isn't ready yet. */
export const NOT_READY_MS = 2_000
const FIRST_BACKOFF_MS = 5_000
const LAST_BACKOFF_MS = 900_000
/** How long a job waits for an unavailable engine before failures count: your own machine may be off for days. */
export const ENGINE_PATIENCE_MS = 7 * DAY_MS
const MAX_ENGINE_WAIT_MS = HOUR_MS

export interface JobRun {
  readonly kind: string
  /**
   * `unfinished`: budget used up, continues immediately; `waiting`: not ready, or its engine doesn't answer, runs again
   * later; `failed`: runs again after a backoff; `dead`: out of attempts.
   */
  readonly status: 'done' | 'unfinished' | 'waiting' | 'failed' | 'dead'
  /** Error code if it failed, or if its engine didn't answer. */
  readonly error: string | null
  /** Earliest time of the next run, for jobs that are neither done nor dead; milliseconds since 1970. */
  readonly runAfter: number
}

/**
 * Delay before the next attempt: exponential from 5 s, at most 15 min, with full jitter over its upper half so that
 * jobs that failed together are not retried together.
 * @param attempts failed attempts so far, from 1
 * @param random a random number in [0, 1)
 */
export function backoffMs(attempts: number, random: number): number {
  const ceiling = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempts - 1))
  return Math.round(ceiling * (0.5 + random / 2))
}

/**
 * Delay of a job whose engine doesn't answer: a quarter of the time it has already waited, from 5 s to an hour, with
 * jitter over its upper half. So it runs soon after the engine is back, and an engine that stays unavailable is called
 * less and less often.
 * @param ageMs age of the job
 * @param random a random number in [0, 1)
 */
export function engineWaitMs(ageMs: number, random: number): number {
  const ceiling = Math.min(MAX_ENGINE_WAIT_MS, Math.max(FIRST_BACKOFF_MS, ageMs / 4))
  return Math.round(ceiling * (0.5 + random / 2))
}

/**
 * Runs a job if it is due and not claimed, until the budget of the invocation is used up. Its position is stored in its
 * row. A partial run doesn't count as a failed attempt.
 * @returns null if there was nothing to do: done, dead, not due, or claimed by another runner
 */
export function runJob(services: Services, id: string): Promise<JobRun | null> {
  return withBudget((budget) => runWithin(services, id, budget))
}

async function runWithin(services: Services, id: string, budget: Budget): Promise<JobRun | null> {
  const { database } = services
  const job = await claimJob(database, id, LEASE_MS, services.now())
  if (!job) return null
  // A runner that died used up an attempt: a job that kills every runner must not be retried forever.
  if (job.attempts > MAX_ATTEMPTS) {
    await endAttempt(database, job, { status: 'dead', runAfter: job.runAfter, error: 'lost' }, services.now())
    return { kind: job.kind, status: 'dead', error: 'lost', runAfter: job.runAfter }
  }
  try {
    const work = jobFunction(job.kind)
    if (!work) throw new CoordinatorError('not_found', 'No such kind of job.')
    const told = await work(services, job, budget)
    const { step, ...kept } = typeof told === 'string' ? { step: told } : told
    const now = services.now()
    if (step === 'not_ready') return await postpone(services, job, now + NOT_READY_MS, null, kept)
    if (step === 'more') {
      return { ...(await postpone(services, job, now, null, { ...kept, progressed: true })), status: 'unfinished' }
    }
    await endAttempt(database, job, { status: 'done', runAfter: now, error: null, ...kept }, now)
    return { kind: job.kind, status: 'done', error: null, runAfter: now }
  } catch (thrown) {
    if (thrown instanceof BudgetSpent) return await postpone(services, job, thrown.until)
    // The code is stored, never the message.
    const error = toCoordinatorError(thrown).code
    const now = services.now()
    const age = now - job.createdAt
    if (error === 'engine_unavailable' && age < ENGINE_PATIENCE_MS) {
      return await postpone(services, job, now + engineWaitMs(age, services.random()), error)
    }
    const dead = job.attempts >= MAX_ATTEMPTS
    const runAfter = dead ? now : now + backoffMs(job.attempts, services.random())
    await endAttempt(database, job, { status: dead ? 'dead' : 'pending', runAfter, error }, now)
    return { kind: job.kind, status: dead ? 'dead' : 'failed', error, runAfter }
  }
}

/** Delays a job without counting an attempt, because the job itself did not fail. */
async function postpone(
  services: Services,
  job: Job,
  runAfter: number,
  error: string | null = null,
  kept: Partial<JobEnd> = {},
): Promise<JobRun> {
  const end: JobEnd = { status: 'pending', runAfter, error, returnAttempt: true, ...kept }
  await endAttempt(services.database, job, end, services.now())
  return { kind: job.kind, status: 'waiting', error, runAfter }
}

/** The result of a forced run, by kind. */
export interface RunSummary {
  readonly ran: number
  /** Whether background work is paused. */
  readonly paused: boolean
  readonly kinds: Map<string, { done: number; unfinished: number; waiting: number; failed: number; dead: number }>
}

/**
 * Runs up to `limit` due jobs of a project immediately, the longest waiting first, and the jobs that they cause, until
 * the budget of the invocation is used up. Runs none while background work is paused.
 */
export function runDueJobs(services: Services, project: string, limit: number): Promise<RunSummary> {
  return withBudget((budget) => runDueWithin(services, project, limit, budget))
}

async function runDueWithin(services: Services, project: string, limit: number, budget: Budget): Promise<RunSummary> {
  const kinds: RunSummary['kinds'] = new Map()
  if ((await readControls(services.database)).paused) return { ran: 0, paused: true, kinds }
  let ran = 0
  for (let progress = true; progress && ran < limit && !budget.spent; ) {
    progress = false
    for (const id of await dueJobs(services.database, { before: services.now(), limit: limit - ran, project })) {
      if (budget.spent) break
      const run = await runJob(services, id)
      if (!run) continue
      progress = true
      ran++
      const counts = kinds.get(run.kind) ?? { done: 0, unfinished: 0, waiting: 0, failed: 0, dead: 0 }
      kinds.set(run.kind, counts)
      counts[run.status]++
    }
  }
  return { ran, paused: false, kinds }
}
