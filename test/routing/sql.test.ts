import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { routeQuery } from '../../src/operations/routing/route-query.ts'
import { acceptSql, MAX_ROWS, runSql } from '../../src/routing/sql.ts'
import { beginsLikeSql, isRefused, readSqlText } from '../../src/routing/sql-text.ts'
import { anyone, call, exchange, testServices } from '../outcomes/support.ts'
import { EVERYDAY_QUERIES, STATEMENTS } from './everyday-queries.ts'

const services = testServices()
const project = 'sql-project'

interface Routed {
  route: string
  backend: string
  sql: { columns: string[]; rows: unknown[][]; truncated: boolean } | null
  decision: { cause: string; signals: { sql: string | null } }
}

const route = (input: object, caller = anyone) => call<Routed>(routeQuery, services, { project, ...input }, caller)

/** Everything that a statement could have changed or read without permission. */
async function contents(): Promise<unknown> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>()
  // The decision itself is recorded, and counted by its rollup.
  const recorded = ['routing_decisions', 'rollup_routing']
  const names = tables.results.map(({ name }) => name).filter((name) => !recorded.includes(name))
  const all = await env.DB.batch(names.map((name) => env.DB.prepare(`SELECT * FROM "${name}"`)))
  return Object.fromEntries(names.map((name, i) => [name, all[i]?.results]))
}

beforeAll(async () => {
  for (const owner of [project, 'other-project']) {
    for (const n of [1, 2, 3]) {
      const tracked = await call<{ interaction_id: string }>(
        trackInteraction,
        services,
        exchange(owner, { query: `How do I configure the proxy of ${owner}? (${n})`, tags: ['a', `n${n}`] }),
      )
      await call(updateOutcome, services, { interaction_id: tracked.interaction_id, outcome: 'success' })
    }
  }
})

test('no everyday query is treated as SQL', async () => {
  const before = await contents()
  const routes: Record<string, string> = {}
  for (const query of EVERYDAY_QUERIES) routes[query] = (await route({ query })).route
  expect(Object.entries(routes).filter(([, chosen]) => chosen === 'sql')).toEqual([])
  expect(EVERYDAY_QUERIES.length).toBeGreaterThanOrEqual(60)
  expect(await contents()).toEqual(before)
})

describe('statements', () => {
  test.each(STATEMENTS)('%s: %s', async (statement, verdict) => {
    const before = await contents()
    const accepted = await acceptSql(services, project, statement)
    expect(isRefused(accepted) ? accepted.refusal : 'runs').toBe(verdict)
    const routed = await route({ query: statement })
    expect(routed.route === 'sql').toBe(verdict === 'runs')
    if (verdict === 'runs') {
      expect(routed).toMatchObject({
        backend: 'database',
        decision: { cause: 'sql_statement', signals: { sql: null } },
      })
      expect(JSON.stringify(routed.sql)).not.toContain('other-project')
    } else {
      expect(routed.sql).toBeNull()
      await expect(route({ query: statement, mode: 'sql' })).rejects.toMatchObject({
        code: 'invalid_input',
        field: 'query',
      })
    }
    expect(await contents()).toEqual(before)
  })
})

test('a statement sees only its own project', async () => {
  const { sql } = await route({ query: 'SELECT count(*), count(DISTINCT id) FROM interactions', mode: 'sql' })
  expect(sql).toEqual({ columns: ['count(*)', 'count(DISTINCT id)'], rows: [[3, 3]], truncated: false })
  expect((await route({ query: 'SELECT count(*) FROM outcomes', mode: 'sql' })).sql?.rows).toEqual([[3]])
})

test('columns with the same name are all kept', async () => {
  const { sql } = await route({
    query: 'SELECT o.id, i.id FROM interactions i JOIN outcomes o ON o.interaction_id = i.id LIMIT 1',
    mode: 'sql',
  })
  expect(sql?.columns).toHaveLength(2)
  expect(sql?.rows[0]?.[0]).not.toBe(sql?.rows[0]?.[1])
})

test('rows and long cells are truncated, and the answer states it', async () => {
  const list = JSON.stringify(Array.from({ length: 300 }, (_, n) => n))
  const accepted = await acceptSql(services, project, `SELECT value FROM json_each('${list}')`)
  if (isRefused(accepted)) throw new Error(accepted.message)
  expect(await runSql(services, accepted)).toMatchObject({ truncated: true, rows: { length: MAX_ROWS } })
  const long = await acceptSql(services, project, `SELECT '${'x'.repeat(10_000)}'`)
  if (isRefused(long)) throw new Error(long.message)
  const cut = await runSql(services, long)
  expect(isRefused(cut) ? 0 : String(cut.rows[0]?.[0]).length).toBe(4_000)
})

test('sql requires the admin scope', async () => {
  const reader = { id: 'reader', scopes: ['read' as const], project: null }
  await expect(route({ query: 'SELECT count(*) FROM interactions', mode: 'sql' }, reader)).rejects.toMatchObject({
    code: 'forbidden',
    field: 'mode',
  })
  expect(await route({ query: 'SELECT count(*) FROM interactions' }, reader)).toMatchObject({ sql: null })
})

test('sql is off for admin keys of one project, unless it is enabled', async () => {
  const bound = { id: 'bound', scopes: ['read' as const, 'admin' as const], project }
  const query = 'SELECT count(*) FROM interactions'
  await expect(route({ query, mode: 'sql' }, bound)).rejects.toMatchObject({ code: 'forbidden', field: 'mode' })
  expect((await route({ query }, bound)).route).not.toBe('sql')
  const on = testServices({ settings: { SQL_ROUTE_PROJECT_KEYS: 'true' } })
  expect((await call<Routed>(routeQuery, on, { project, query, mode: 'sql' }, bound)).route).toBe('sql')
})

test('statements run one at a time', async () => {
  const accepted = await acceptSql(services, project, 'SELECT count(*) FROM interactions')
  if (isRefused(accepted)) throw new Error(accepted.message)
  const [first, second] = await Promise.allSettled([runSql(services, accepted), runSql(services, accepted)])
  expect(first.status).toBe('fulfilled')
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'rate_limited' } })
  expect(await runSql(services, accepted)).toMatchObject({ truncated: false })
})

test('sql can be disabled', async () => {
  const off = testServices({ settings: { SQL_ROUTE_ENABLED: 'false' } })
  const query = 'SELECT count(*) FROM interactions'
  await expect(call(routeQuery, off, { project, query, mode: 'sql' })).rejects.toMatchObject({ code: 'forbidden' })
  expect((await call<Routed>(routeQuery, off, { project, query })).route).not.toBe('sql')
})

test('an ordinary question requested as SQL is refused with the reason', async () => {
  await expect(route({ query: 'update my nginx config', mode: 'sql' })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('SELECT, WITH or VALUES'),
  })
})

test('a long text of unclosed comments is read in linear time', () => {
  expect(beginsLikeSql('/**/'.repeat(20_000))).toBe(false)
  expect(isRefused(readSqlText(`select /*${' *'.repeat(9_000)}`))).toBe(true)
  expect(isRefused(readSqlText(`select ${"'".repeat(9_001)}`))).toBe(true)
})
