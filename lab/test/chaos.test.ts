import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SOURCE } from '../chaos/agent.ts'
import { formatReport } from '../chaos/chaos.ts'
import { ChaosRun, type RunReport } from '../chaos/conductor.ts'
import { compare } from '../chaos/invariants.ts'
import { planOf } from '../chaos/plan.ts'

/** A seed with one crash, and an outage without long waits. */
const SEED = 5
const SIZE = { agents: 4, steps: 12, minutes: 6 }

describe('a small run', () => {
  let run: ChaosRun
  let report: RunReport

  beforeAll(async () => {
    run = await ChaosRun.start(SEED, SIZE)
    const started = performance.now()
    await run.load()
    await run.settle()
    report = await run.report(started)
    process.stdout.write(formatReport(report))
  })
  afterAll(() => run?.stop())

  test('leaves all data as reported to the agents', () => {
    expect(report.violations).toEqual([])
    expect(report.repeated).toBeGreaterThan(0)
    expect(report.crashes).toBeGreaterThan(0)
    expect(report.interactions).toBeGreaterThanOrEqual(SIZE.agents)
    expect(report.jobs).toBeGreaterThan(report.interactions)
  })

  /** Manipulations of the data, and the start of the finding that must report each. */
  const DAMAGE: readonly [statement: string, named: RegExp][] = [
    [
      "UPDATE interactions SET response = response || '.' WHERE id = (SELECT max(id) FROM interactions)",
      /^interaction \S+ is .*told was/,
    ],
    [
      "UPDATE interactions SET idempotency_key = 'else' WHERE id = (SELECT max(id) FROM interactions)",
      /^interaction \S+ is lost/,
    ],
    [
      'UPDATE interactions SET revision = revision + 1 WHERE id = (SELECT min(id) FROM interactions)',
      /not what its events say/,
    ],
    ['UPDATE interactions SET value_score = NULL WHERE value_score IS NOT NULL', /has an outcome and no score/],
    ['DELETE FROM outcome_votes WHERE rowid = (SELECT min(rowid) FROM outcome_votes)', /^vote .* is lost/],
    ['UPDATE outcome_votes SET credited = NULL', /^vote .* is \[.*null\]/],
    ['DELETE FROM retrievals WHERE id = (SELECT max(id) FROM retrievals)', /^retrieval \S+ is logged as undefined/],
    ['UPDATE rollup_models SET n = n + 1', /^rollup_models: only in the rollup/],
    ["UPDATE jobs SET status = 'pending', run_after = 9e15 WHERE id = (SELECT max(id) FROM jobs)", /^a job is left/],
    ["DELETE FROM jobs WHERE kind = 'index_interaction'", /^jobs lacks .*index_interaction/],
    [
      `INSERT INTO context_credit (project, collection, item_id, successes, updated_at) VALUES ('chaos-${SEED}', 'best-practices', 'x', 1, 0)`,
      /^context_credit holds/,
    ],
    ['UPDATE interaction_contexts SET position = -position WHERE position > 0', /^interaction-history (holds|lacks)/],
    ['DELETE FROM outcome_events', /^report \S+ left no event/],
  ]

  test('would have reported lost, duplicated and changed data', async () => {
    for (const [statement, named] of DAMAGE) {
      await run.query(statement)
      const found = await run.violations()
      expect(found.filter((line) => named.test(line)).length, `${statement}: ${found.join('\n')}`).toBeGreaterThan(0)
    }
    const [path] = [...run.ledger.documents].find(([, document]) => document !== null) ?? []
    await run.admin.post('/knowledge/documents/delete', { project: run.project, source: SOURCE, paths: [path] })
    expect(await run.violations()).toContain(`document ${path} is lost`)
  })
})

test('the same seed gives the same plan, with a crash and an outage', () => {
  const size = { agents: 3, steps: 40, minutes: 60 }
  for (let seed = 1; seed <= 50; seed++) {
    const plan = planOf(seed, size)
    expect(planOf(seed, size)).toEqual(plan)
    const kinds = [...plan.incidents.values()].flat().map(({ kind }) => kind)
    expect(kinds).toEqual(expect.arrayContaining(['crash', 'outage', 'recovery', 'eviction', 'night', 'holiday']))
    expect([...plan.incidents.keys()].every((minute) => minute >= 1 && minute < size.minutes)).toBe(true)
  }
  expect(planOf(1, size)).not.toEqual(planOf(2, size))
})

test('the comparison detects lost, duplicated, changed and invented entries', () => {
  const told = [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const
  expect(compare('thing', told, told)).toEqual([])
  const stored = [
    ['a', 1],
    ['a', 1],
    ['b', 9],
    ['x', 0],
  ] as const
  expect(compare('thing', stored, told)).toEqual([
    'thing a is there twice',
    'thing b is 9, told was 2',
    'thing x is there and nobody was told so',
    'thing c is lost',
  ])
})
