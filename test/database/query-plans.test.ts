import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { archiveInteractions } from '../../src/archive/archive.ts'
import { textsOf } from '../../src/archive/read.ts'
import { restore } from '../../src/archive/restore.ts'
import { buildServices } from '../../src/build-services.ts'
import { archiveNightly, exportNightly } from '../../src/jobs/nightly.ts'
import { sweep } from '../../src/jobs/sweep.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { votesOfProject } from '../../src/retrieval/train-ranking.ts'
import { type Prepared, prepare, SAMPLES } from '../transports/samples.ts'
import { callRest } from '../transports/worker-client.ts'
import { askTheOthers } from './other-queries.ts'

/** Tables that grow with every interaction. A statement that scans one becomes slower every day. */
const FACTS = [
  'interactions',
  'interaction_contexts',
  'outcome_events',
  'outcome_votes',
  'context_votes',
  'corrections',
  'retrievals',
  'routing_decisions',
  'jobs',
  'pattern_sources',
]

const database = (env as unknown as { DB: D1Database }).DB
const statements = new Set<string>()
/** Every query of the product by name, with a spy. */
const queries = new Map<string, { readonly mock: { readonly calls: readonly unknown[] } }>()
/** Only for checks and repairs: it scans everything. */
const CHECKS = ['recountRollups']
/** SQL that users write over the documented views reads what they request. */
const OF_USERS = /^(?:EXPLAIN (?:QUERY PLAN )?)?WITH interactions AS/
/**
 * Deleting the reports of a key reads whole tables: an index by key would make every write more expensive for a rare
 * operation.
 */
const BY_KEY = /\bcaller = \?/
/** The final check of a project's deletion for rows without an interaction. */
const LEFT_OVER = /"outcome_events" WHERE project = \?/

beforeAll(async () => {
  const prepareStatement = database.prepare.bind(database)
  vi.spyOn(database, 'prepare').mockImplementation((sql) => {
    statements.add(sql)
    return prepareStatement(sql)
  })
  const modules = import.meta.glob('../../src/database/queries/*.ts', { eager: true })
  for (const module of Object.values(modules)) {
    for (const name of Object.keys(module)) {
      if (typeof module[name] === 'function')
        queries.set(name, vi.spyOn(module as Record<string, () => unknown>, name) as never)
    }
  }
  const prepared: Prepared = await prepare('plans')
  for (const operation of OPERATIONS) {
    const sample = SAMPLES[operation.name]
    if (sample) await callRest(operation, sample(prepared))
  }
  // The background jobs caused by the operations.
  const process = OPERATIONS.find(({ name }) => name === 'process_learning')
  for (let rounds = 0; process && rounds < 10; rounds++) {
    if ((await callRest(process, { project: 'plans' })).ran === 0) break
  }
  await growOld()
  await askTheOthers(buildServices(env))
  uncalled = [...queries].filter(([, query]) => query.mock.calls.length === 0).map(([name]) => name)
  vi.restoreAllMocks()
})

let uncalled: string[] = []

/** A year later: cold data is archived, read, restored, and deleted. */
async function growOld(): Promise<void> {
  const services = {
    ...buildServices(env),
    now: () => Date.now() + 400 * 86_400_000,
    enqueueJobs: async () => undefined,
  }
  await exportNightly(buildServices(env))
  await sweep(services)
  await archiveNightly(services)
  await archiveInteractions(services, 'plans')
  const { results } = await env.DB.prepare(
    "SELECT id FROM interactions WHERE project = 'plans' AND archive_id IS NOT NULL",
  ).all<{
    id: string
  }>()
  const ids = results.map(({ id }) => id)
  expect(ids.length).toBeGreaterThan(0)
  await textsOf(services, ids)
  await votesOfProject(services, 'plans')
  await restore(services, ids.slice(0, 1))
  await archiveInteractions(services, 'plans')
}

/** The tables that a statement's names refer to. */
function tablesOf(sql: string): Map<string, string> {
  const names = new Map<string, string>()
  for (const [, table = '', alias] of sql.matchAll(
    /\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?/gi,
  )) {
    names.set(table, table)
    if (alias) names.set(alias, table)
  }
  return names
}

async function scansOf(sql: string): Promise<string[]> {
  const parameters = (sql.replace(/'[^']*'/g, '').match(/\?/g) ?? []).map(() => null)
  const statement = database.prepare(`EXPLAIN QUERY PLAN ${sql}`)
  const { results } = await (parameters.length > 0 ? statement.bind(...parameters) : statement).all<{
    detail: string
  }>()
  const tables = tablesOf(sql)
  return results
    .map(({ detail }) => detail)
    .filter((detail) => {
      const name = /^SCAN (\w+)/.exec(detail)?.[1]
      return name !== undefined && FACTS.includes(tables.get(name) ?? name)
    })
}

describe('query plans', () => {
  it('were recorded for every query of the product', () => {
    expect(queries.size).toBeGreaterThan(100)
    expect(uncalled).toEqual(CHECKS)
    expect(statements.size).toBeGreaterThan(80)
    for (const table of FACTS)
      expect(
        [...statements].some((sql) => sql.includes(table)),
        table,
      ).toBe(true)
  })

  it('never scan a table that grows with every interaction', async () => {
    const found: string[] = []
    for (const sql of statements) {
      if (/^\s*(?:EXPLAIN|PRAGMA|CREATE)/i.test(sql)) continue
      if ([BY_KEY, OF_USERS, LEFT_OVER].some((excused) => excused.test(sql))) continue
      for (const detail of await scansOf(sql)) found.push(`${detail}\n  ${sql.replace(/\s+/g, ' ').slice(0, 600)}`)
    }
    expect(found.join('\n')).toBe('')
  })

  it('detects such a scan', async () => {
    expect(await scansOf('SELECT count(*) FROM interactions WHERE latency_ms > ?')).toEqual(['SCAN interactions'])
    expect(await scansOf('SELECT 1 FROM interactions i WHERE i.project = ?')).toEqual([])
  })
})
