import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { recountRollups } from '../../src/database/queries/recount.ts'
import { learningFigures, usageFigures } from '../../src/database/queries/statistics.ts'

const db = (env as unknown as { DB: D1Database }).DB
const database = openDatabase(db)
const DAY = 86_400_000

const project = fc.constantFrom('a', 'b')
const at = fc.integer({ min: 0, max: 3 * DAY })
const tokens = fc.integer({ min: 0, max: 100_000_000 })
const score = fc.option(fc.double({ min: 0, max: 1, noNaN: true }))
const outcome = fc.option(fc.constantFrom('success', 'partial', 'failure'))
const which = fc.nat(1000)

/** Possible changes of the facts, with the product's own statements. */
const steps = fc.oneof(
  fc.record({
    do: fc.constant('interact' as const),
    project,
    at,
    tokens,
    agent: fc.constantFrom('local', 'remote'),
    model: fc.constantFrom('m', 'n'),
    latency: fc.double({ min: 0, max: 1e7, noNaN: true }),
    context: fc.nat(1),
    retrieval: fc.option(which),
  }),
  fc.record({ do: fc.constant('outcome' as const), which, outcome }),
  fc.record({ do: fc.constant('score' as const), which, score }),
  fc.record({ do: fc.constant('forget' as const), which }),
  fc.record({ do: fc.constant('unretrieve' as const), which }),
  fc.record({
    do: fc.constant('retrieve' as const),
    project,
    at,
    tokens,
    shown: fc.constantFrom('[]', '[{}]'),
    control: fc.nat(1),
    share: fc.constantFrom(0, 0.5, 1),
    documents: fc.option(fc.nat(10_000)),
  }),
  fc.record({
    do: fc.constant('route' as const),
    project,
    at,
    route: fc.constantFrom('sql', 'hybrid'),
    backend: fc.constantFrom('local', 'remote'),
  }),
  fc.record({ do: fc.constant('job' as const), project, kind: fc.constantFrom('score', 'index') }),
  fc.record({
    do: fc.constant('end' as const),
    which,
    status: fc.constantFrom('pending', 'running', 'done', 'dead', 'discarded'),
  }),
  fc.record({ do: fc.constant('correct' as const), project }),
  fc.record({ do: fc.constant('credit' as const), project, item: fc.nat(5) }),
)

async function clear(): Promise<void> {
  const tables = ['interactions', 'retrievals', 'routing_decisions', 'jobs', 'corrections', 'context_credit']
  await db.batch(tables.map((table) => db.prepare(`DELETE FROM ${table}`)))
}

async function play(all: readonly (typeof steps extends fc.Arbitrary<infer T> ? T : never)[]): Promise<void> {
  const ids = { interactions: [] as string[], retrievals: [] as string[], jobs: [] as string[] }
  const pick = (list: string[], n: number) => list[n % Math.max(1, list.length)] ?? 'none'
  const statementOf = (step: (typeof all)[number], i: number): D1PreparedStatement => {
    const id = `id-${i}`
    switch (step.do) {
      case 'interact':
        ids.interactions.push(id)
        return db
          .prepare(
            `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, retrieval_id, had_context, revision, created_at, updated_at)
             VALUES (?, ?, 'q', 'r', ?, ?, ?, ?, '[]', ?, ?, 0, ?, 0)`,
          )
          .bind(
            id,
            step.project,
            step.agent,
            step.model,
            step.tokens,
            step.latency,
            step.retrieval === null ? null : pick(ids.retrievals, step.retrieval),
            step.context,
            step.at,
          )
      case 'outcome':
        return db
          .prepare('UPDATE interactions SET outcome = ?, revision = revision + 1 WHERE id = ?')
          .bind(step.outcome, pick(ids.interactions, step.which))
      case 'score':
        return db
          .prepare('UPDATE interactions SET value_score = ? WHERE id = ?')
          .bind(step.score, pick(ids.interactions, step.which))
      case 'forget':
        return db.prepare('DELETE FROM interactions WHERE id = ?').bind(pick(ids.interactions, step.which))
      case 'unretrieve':
        return db.prepare('DELETE FROM retrievals WHERE id = ?').bind(pick(ids.retrievals, step.which))
      case 'retrieve':
        ids.retrievals.push(id)
        return db
          .prepare(
            `INSERT INTO retrievals (id, project, operation, query, shown, token_budget, tokens_added, tokens_whole, tokens_top_whole, tokens_documents, control, control_share, latency_ms, created_at)
             VALUES (?, ?, 'o', 'q', ?, 1, ?, 5, 7, ?, ?, ?, 1, ?)`,
          )
          .bind(id, step.project, step.shown, step.tokens, step.documents, step.control, step.share, step.at)
      case 'route':
        return db
          .prepare(
            `INSERT INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at) VALUES (?, ?, 'q', ?, ?, '{}', 1, ?)`,
          )
          .bind(id, step.project, step.route, step.backend, step.at)
      case 'job':
        ids.jobs.push(id)
        return db
          .prepare(
            `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at) VALUES (?, ?, ?, ?, 0, 'pending', 0, 0, 0, 0)`,
          )
          .bind(id, step.project, step.kind, id)
      case 'end':
        return db.prepare('UPDATE jobs SET status = ? WHERE id = ?').bind(step.status, pick(ids.jobs, step.which))
      case 'correct':
        return db
          .prepare(
            `INSERT INTO corrections (id, project, query, correction, tags, created_at) VALUES (?, ?, 'q', 'c', '[]', 0)`,
          )
          .bind(id, step.project)
      case 'credit':
        return db
          .prepare(
            `INSERT INTO context_credit (project, collection, item_id, updated_at) VALUES (?, 'c', ?, 0) ON CONFLICT DO UPDATE SET successes = successes + 1`,
          )
          .bind(step.project, String(step.item))
    }
  }
  const statements = all.map(statementOf)
  if (statements.length > 0) await db.batch(statements)
}

beforeEach(clear)

describe('rollups', () => {
  it('equal their recount after any history', async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(steps, { maxLength: 60 }), async (history) => {
          await play(history)
          expect(await recountRollups(database)).toEqual([])
        })
        .afterEach(clear),
      { numRuns: 60 },
    )
  })

  it('detects wrong ones', async () => {
    await play([{ do: 'correct', project: 'a' }])
    await db.prepare("UPDATE rollup_counts SET n = 2 WHERE name = 'corrections' AND project = 'a'").run()
    expect(await recountRollups(database)).toEqual([
      { rollup: 'rollup_counts', side: 'rollup', row: { project: 'a', name: 'corrections', n: 2 } },
      { rollup: 'rollup_counts', side: 'facts', row: { project: 'a', name: 'corrections', n: 1 } },
    ])
    await db.prepare("UPDATE rollup_counts SET n = 1 WHERE name = 'corrections' AND project = 'a'").run()
  })

  it('are unchanged when a write is rolled back', async () => {
    const good = db.prepare(
      `INSERT INTO corrections (id, project, query, correction, tags, created_at) VALUES ('x', 'a', 'q', 'c', '[]', 0)`,
    )
    await expect(db.batch([good, good])).rejects.toThrow()
    expect((await learningFigures(database, 'a', 0.7)).corrections).toBe(0)
    expect(await recountRollups(database)).toEqual([])
  })

  it('contain what statistics show', async () => {
    await play([
      {
        do: 'interact',
        project: 'a',
        at: 0,
        tokens: 10,
        agent: 'local',
        model: 'm',
        latency: 5,
        context: 1,
        retrieval: null,
      },
      {
        do: 'interact',
        project: 'a',
        at: DAY,
        tokens: 0,
        agent: 'remote',
        model: 'n',
        latency: 7,
        context: 0,
        retrieval: null,
      },
      {
        do: 'interact',
        project: 'b',
        at: DAY,
        tokens: 99,
        agent: 'remote',
        model: 'n',
        latency: 7,
        context: 0,
        retrieval: null,
      },
      { do: 'outcome', which: 0, outcome: 'success' },
      { do: 'score', which: 0, score: 0.7 },
    ])
    expect(await usageFigures(database, 'a')).toMatchObject({
      interactions: 2,
      outcomes: { success: 1, partial: 0, failure: 0, unknown: 1 },
      byAgent: [
        { agent: 'local', count: 1 },
        { agent: 'remote', count: 1 },
      ],
      scored: 1,
      meanValueScore: 0.7,
      tokensUsed: 10,
      withContext: { success: 1, unknown: 0 },
      withoutContext: { success: 0, unknown: 1 },
    })
    expect((await usageFigures(database, null)).interactions).toBe(3)
    expect(await learningFigures(database, 'a', 0.7)).toMatchObject({ scored: 1, unscored: 0, highValue: 1 })
    expect((await learningFigures(database, 'a', 0.71)).highValue).toBe(0)
  })
})
