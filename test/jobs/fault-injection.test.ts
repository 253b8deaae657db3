import { describe, expect, it } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { evidenceOf, findPattern } from '../../src/database/queries/patterns.ts'
import type { Outcome } from '../../src/database/schema.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import { sweep } from '../../src/jobs/sweep.ts'
import { prepareItem } from '../../src/knowledge/prepare.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { valueParts, valueScore } from '../../src/outcomes/value-score.ts'
import { patternFields } from '../../src/patterns/item.ts'
import { contentTerms, dice } from '../../src/text/similarity.ts'
import {
  anyone,
  bindings,
  call,
  exchange,
  freshProject,
  silentEmbedder,
  type TestServices,
  testServices,
} from '../outcomes/support.ts'
import { KillSwitch, mortalServices } from './faults.ts'

/** Number of random schedules; 1,000 with VITE_FAULT_SCHEDULES=1000 in the environment. */
const SCHEDULES = Number((import.meta as { env?: Record<string, string> }).env?.VITE_FAULT_SCHEDULES ?? 60)
const IN_ONE_TEST = 20

const QUERIES = [
  'set up the proxy',
  'set up the proxy again',
  'parse the log file',
  'why does the build fail',
  'proxy log',
]
const RESPONSES = ['Use nginx.', 'First:\n1. a\n2. b\n```\ncode\n```\n', 'It depends on the cache.']
const CALLERS = ['alice', 'bob', 'mallory']
const OUTCOMES: readonly Outcome[] = ['success', 'partial', 'failure']
/** Maximum deaths in one schedule: fewer than the attempts of a job, so that no job ends dead. */
const MAX_DEATHS = 5

interface Planned {
  readonly query: string
  readonly response: string
  readonly items: readonly string[]
  id: string | null
  outcome: Outcome | null
  feedback: number | null
  /** The last report of each caller. */
  readonly votes: Map<string, Outcome>
}

/** One schedule: client calls, deliveries and sweeps in random order, each of which may die at any point. */
class World {
  readonly random: () => number
  readonly services: TestServices
  readonly project = freshProject()
  readonly queue: string[] = []
  readonly plan: Planned[] = []
  items: string[] = []
  deaths = 0

  constructor(seed: number) {
    this.random = seeded(seed)
    this.services = testServices({ settings: { HIGH_VALUE_THRESHOLD: '0.5' } })
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.random() * values.length)] as T
  }

  /** A queue that loses a fifth of all messages and duplicates another fifth. */
  enqueue(ids: readonly string[]): void {
    for (const id of ids) {
      const luck = this.random()
      if (luck < 0.2) continue
      this.queue.push(id)
      if (luck > 0.8) this.queue.push(id)
    }
  }

  invocation() {
    const dies = this.deaths < MAX_DEATHS && this.random() < 0.3
    if (dies) this.deaths++
    const kill = new KillSwitch(dies ? Math.floor(this.random() * 12) : null, this.random() < 0.5, () => this.delayMs())
    return mortalServices(this.services, kill, (ids) => this.enqueue(ids))
  }

  /** Usually none; occasionally long enough for another Worker to execute all its steps. */
  delayMs(): number {
    const luck = this.random()
    return luck < 0.03 ? 30 : luck < 0.25 ? 2 : 0
  }

  async prepare(): Promise<void> {
    const scope = { project: this.project, collection: 'best-practices' as const }
    for (const key of ['a', 'b', 'c']) {
      const item = await prepareItem(
        this.project,
        'best-practices',
        { key, fields: { title: key, description: key }, provenance: 'human' },
        silentEmbedder,
      )
      await this.services.knowledge.upsert(scope, [item])
      this.items.push(item.id)
    }
  }

  /** A client that repeats its call until it is answered. */
  async insist<T>(work: (services: ReturnType<World['invocation']>) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work(this.invocation())
      } catch {
        // The answer was lost: the client can't know whether the call took effect.
      }
    }
  }

  async track(): Promise<void> {
    const items = this.items.filter(() => this.random() < 0.6)
    const planned: Planned = {
      query: this.pick(QUERIES),
      response: this.pick(RESPONSES),
      items,
      id: null,
      outcome: null,
      feedback: null,
      votes: new Map(),
    }
    const input = exchange(this.project, {
      query: planned.query,
      response: planned.response,
      context_ids: items.map((item) => `best-practices/${item}`),
      idempotency_key: `track-${this.plan.length}`,
    })
    this.plan.push(planned)
    planned.id = (
      await this.insist((services) => call<{ interaction_id: string }>(trackInteraction, services, input))
    ).interaction_id
  }

  async report(number: number): Promise<void> {
    const planned = this.pick(this.plan)
    planned.outcome = this.pick(OUTCOMES)
    const feedback = this.pick([undefined, -1, 0, 1])
    if (feedback !== undefined) planned.feedback = feedback
    const input = {
      interaction_id: planned.id,
      outcome: planned.outcome,
      idempotency_key: `report-${number}`,
      ...(feedback !== undefined && { user_feedback: feedback }),
    }
    const caller = { ...anyone, id: this.pick(CALLERS) }
    planned.votes.set(caller.id, planned.outcome)
    await this.insist((services) => call(updateOutcome, services, input, caller))
  }

  /** Up to three messages in any order, concurrently. */
  async deliver(): Promise<void> {
    const ids: string[] = []
    for (let i = 0; i < 3 && this.queue.length > 0; i++) {
      ids.push(...this.queue.splice(Math.floor(this.random() * this.queue.length), 1))
    }
    await Promise.allSettled(ids.map((id) => runJob(this.invocation(), id)))
  }

  async run(): Promise<void> {
    await this.prepare()
    await this.track()
    const reports = 4 + Math.floor(this.random() * 4)
    for (let done = 0; done < reports; ) {
      const luck = this.random()
      if (luck < 0.25 && this.plan.length < 4) await this.track()
      else if (luck < 0.5) await this.report(done++)
      else if (luck < 0.9) await this.deliver()
      else {
        this.services.clock.advance(Math.floor(this.random() * 200_000))
        await sweep(this.invocation()).catch(() => undefined)
      }
    }
    await this.settle()
  }

  /** The faults end, and the sweep finds all remaining work. */
  async settle(): Promise<void> {
    this.queue.length = 0
    this.deaths = MAX_DEATHS
    const left = bindings.DB.prepare(
      "SELECT count(*) AS n FROM jobs WHERE project = ? AND status IN ('pending', 'running')",
    ).bind(this.project)
    for (let round = 0; (await left.first<number>('n')) !== 0; round++) {
      if (round > 30) throw new Error('jobs are left over')
      this.services.clock.advance(1_000_000)
      await sweep({ ...this.services, enqueueJobs: async (ids) => void this.queue.push(...ids) })
      for (const id of this.queue.splice(0)) await runJob(this.services, id)
    }
  }

  /** The final state is as if there had been no faults. */
  async verify(): Promise<void> {
    const { results: rows } = await bindings.DB.prepare('SELECT * FROM interactions WHERE project = ? ORDER BY id')
      .bind(this.project)
      .all<{
        id: string
        outcome: Outcome | null
        user_feedback: number | null
        value_score: number | null
        revision: number
      }>()
    expect(rows.map((row) => row.id)).toEqual(this.plan.map((planned) => planned.id))
    const expected = new Map(this.items.map((item) => [item, { successes: 0, partials: 0, failures: 0 }]))
    for (const [i, planned] of this.plan.entries()) {
      const row = rows[i]
      expect(row?.outcome).toBe(planned.outcome)
      expect(row?.user_feedback).toBe(planned.feedback)
      if (planned.outcome === null) {
        expect(row?.value_score).toBeNull()
        continue
      }
      const terms = contentTerms(planned.query)
      const parts = valueParts({
        query: planned.query,
        response: planned.response,
        outcome: planned.outcome,
        userFeedback: planned.feedback,
        similarities: this.plan.slice(0, i).map((earlier) => dice(terms, contentTerms(earlier.query))),
      })
      expect(row?.value_score).toBeCloseTo(valueScore(parts), 12)
      for (const item of planned.items) {
        const credit = expected.get(item)
        for (const vote of planned.votes.values()) {
          if (!credit) continue
          if (vote === 'success') credit.successes++
          else if (vote === 'partial') credit.partials++
          else credit.failures++
        }
      }
    }
    const scope = { project: this.project, collection: 'best-practices' as const }
    for (const [item, credit] of expected) {
      const [stored] = await this.services.knowledge.get(scope, [item])
      expect(stored?.credit).toEqual(credit)
      const row = await bindings.DB.prepare(
        'SELECT successes, partials, failures FROM context_credit WHERE item_id = ?',
      )
        .bind(item)
        .first()
      expect(row ?? { successes: 0, partials: 0, failures: 0 }).toEqual(credit)
    }
    const history = await this.services.knowledge.list(
      { project: this.project, collection: 'interaction-history' },
      { limit: 99 },
    )
    expect(history.entries.map((entry) => entry.key).sort()).toEqual(this.plan.map((planned) => planned.id))
    for (const entry of history.entries) {
      const row = rows.find(({ id }) => id === entry.key)
      expect(entry.fields.outcome ?? null).toBe(row?.outcome)
      expect(entry.fields.value_score ?? null).toBe(row?.value_score)
    }
    await this.verifyPatterns()
    const counts = await bindings.DB.prepare(
      `SELECT (SELECT count(*) FROM outcome_events WHERE project = ?1) AS events,
              (SELECT sum(revision) FROM interactions WHERE project = ?1) AS revisions,
              (SELECT count(*) FROM jobs WHERE project = ?1 AND kind = 'score_interaction') AS jobs,
              (SELECT count(*) FROM jobs WHERE project = ?1 AND status <> 'done') AS undone`,
    )
      .bind(this.project)
      .first<{ events: number; revisions: number; jobs: number; undone: number }>()
    expect(counts).toEqual({
      events: counts?.revisions,
      revisions: counts?.revisions,
      jobs: counts?.revisions,
      undone: 0,
    })
  }

  /** Every valuable success is the source of one pattern, and every item matches its current evidence. */
  async verifyPatterns(): Promise<void> {
    const { results: lost } = await bindings.DB.prepare(
      `SELECT i.id FROM interactions i LEFT JOIN pattern_sources s ON s.interaction_id = i.id
       WHERE i.project = ? AND i.outcome = 'success' AND i.value_score >= 0.5 AND coalesce(i.user_feedback, 0) >= 0
       GROUP BY i.id HAVING count(s.pattern_id) <> 1`,
    )
      .bind(this.project)
      .all()
    expect(lost).toEqual([])
    const { results: ids } = await bindings.DB.prepare('SELECT id FROM patterns WHERE project = ?')
      .bind(this.project)
      .all<{ id: string }>()
    const scope = { project: this.project, collection: 'skills-patterns' as const }
    for (const { id } of ids) {
      const pattern = await findPattern(this.services.database, id)
      const fields = pattern && patternFields(pattern, await evidenceOf(this.services.database, id))
      expect((await this.services.knowledge.get(scope, [id]))[0]?.fields ?? null).toEqual(fields)
    }
  }
}

describe('messages dropped, duplicated and reordered, the Worker killed between any two steps', () => {
  for (let first = 0; first < SCHEDULES; first += IN_ONE_TEST) {
    it(`leaves every score and counter exact, schedules ${first} to ${first + IN_ONE_TEST - 1}`, async () => {
      for (let seed = first; seed < first + IN_ONE_TEST; seed++) {
        const world = new World(seed)
        await world.run()
        try {
          await world.verify()
        } catch (error) {
          throw new Error(`schedule ${seed}: ${(error as Error).message}`, { cause: error })
        }
      }
    })
  }
})
