import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/database/database.ts'
import { importInteractions } from '../../src/database/queries/imports.ts'
import { noteOutcomes, recentOutcomes, routerStatus } from '../../src/database/queries/routing.ts'
import { estimateOne, trainProjectRouter } from '../../src/routing/trained-router.ts'

const PAST = 100_000
const project = 'large'
const database = openDatabase(env.DB)
const services = { database, now: () => Date.now() }

async function plan(statement: string): Promise<string> {
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${statement}`).all<{ detail: string }>()
  return results.map(({ detail }) => detail).join('; ')
}

test('the reads of a decision use an index', async () => {
  expect(
    await plan("SELECT agent_type, outcome FROM interactions WHERE project = 'x' ORDER BY id DESC LIMIT 500"),
  ).toBe('SEARCH interactions USING INDEX interactions_project_id (project=?)')
  expect(await plan("SELECT version FROM routing_models WHERE project = 'x'")).toMatch(/^SEARCH routing_models USING/)
  expect(
    await plan(
      "SELECT id, agent_type, outcome, query FROM interactions WHERE project = 'x' AND outcome IS NOT NULL AND id < 'y' ORDER BY id DESC LIMIT 1000",
    ),
  ).toMatch(/^SEARCH interactions USING INDEX interactions_project_id \(project=\? AND id<\?\)$/)
})

test('at 100,000 past interactions, a decision learns from at most the latest 16,000, at the same size', async () => {
  const options = { project, admin: false, caller: 'test', learn: false }
  const entry = (n: number) => ({
    query: `Explain number ${n}: ${n % 3 ? 'name of a river' : 'proof of a theorem'} in ${n % 17} sentences`,
    response: 'x',
    agentType: n % 2 ? ('local' as const) : ('remote' as const),
    modelUsed: 'm',
    tokensUsed: 0,
    latencyMs: 0,
    tags: [],
    variant: null,
    outcome: n % 3 || n % 2 === 0 ? ('success' as const) : ('failure' as const),
    userFeedback: null,
    idempotencyKey: null,
    createdAt: 0,
  })
  const modelBytes = async () =>
    Number(
      await env.DB.prepare('SELECT octet_length(model) AS n FROM routing_models WHERE project = ?')
        .bind(project)
        .first('n'),
    )
  const grow = async (from: number, to: number) => {
    for (let at = from; at < to; at += 1_000) {
      await importInteractions(
        database,
        Array.from({ length: 1_000 }, (_, i) => entry(at + i)),
        options,
        Date.now(),
      )
    }
    await noteOutcomes(database, project, to - from, Date.now())
  }
  // The clock of workerd advances only with external reads, so many decisions are timed together.
  const tick = () => env.DB.prepare('SELECT 1').first()
  const cost = async () => {
    await tick()
    const started = performance.now()
    for (let n = 0; n < 300; n++) {
      await estimateOne(services, project, `${entry(n * 7).query} and ${'some more words about it '.repeat(20)}`)
    }
    await tick()
    return (performance.now() - started) / 300
  }
  await grow(0, 1_000)
  await trainProjectRouter(services, project)
  const sizeAtFirst = await modelBytes()
  const small = await cost()
  await grow(1_000, PAST)
  await trainProjectRouter(services, project)
  expect((await routerStatus(database, project))?.examples).toBe(16_000)
  const large = await cost()
  await tick()
  const counting = performance.now()
  await recentOutcomes(database, project)
  const counted = performance.now() - counting
  // Printed, not asserted: times differ from machine to machine.
  console.log(
    `a decision: ${small.toFixed(2)} ms at 1,000, ${large.toFixed(2)} ms at ${PAST}; base rates ${counted.toFixed(1)} ms`,
  )
  expect(await modelBytes()).toBeLessThan(2 * sizeAtFirst)
})
