/**
 * The use of an invocation's budgets by every operation and job, at two project sizes, one ten times the other. `npm
 * run --prefix lab budgets` writes the table of docs/design/budgets.md.
 */
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { Budget, inBudget, PLAN_LIMITS, type Usage } from '../../src/budget.ts'
import { buildServices } from '../../src/build-services.ts'
import { scheduleArchiving } from '../../src/database/queries/archives.ts'
import { requestDeletion } from '../../src/database/queries/deletions.ts'
import { listDatasets } from '../../src/database/queries/exports.ts'
import { startJob } from '../../src/database/queries/jobs.ts'
import { schedulePruning } from '../../src/database/queries/pruning.ts'
import { ERASURE_START } from '../../src/erasure/erase.ts'
import { newId } from '../../src/ids.ts'
import { startCheck, startExport, startRouterTraining } from '../../src/jobs/dataset-jobs.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { Services } from '../../src/services.ts'
import { nightlySettings } from '../../src/training-data/settings.ts'
import { grow } from '../database/grow.ts'
import { prepare, SAMPLES } from '../transports/samples.ts'
import { callRest } from '../transports/worker-client.ts'

/** Number of interactions in the smaller project. */
const ROWS = Number((import.meta as { env?: Record<string, string> }).env?.VITE_BUDGET_ROWS ?? 300)
const TIMES = 10
const COUNTED = ['queries', 'calls', 'rows', 'steps', 'bytes'] as const

interface Use {
  readonly most: Pick<Usage, (typeof COUNTED)[number]>
  readonly invocations: number
}

const NOTHING = { queries: 0, calls: 0, rows: 0, steps: 0, bytes: 0 }

/** Repeats a step in separate invocations until it reports that it is done. Returns the maximum use. */
async function use(step: () => Promise<boolean>): Promise<Use> {
  let most = NOTHING
  for (let invocations = 1; ; invocations++) {
    const budget = new Budget()
    const done = await inBudget(budget, step)
    const { used } = budget
    most = Object.fromEntries(COUNTED.map((what) => [what, Math.max(most[what], used[what])])) as typeof NOTHING
    if (done) return { most, invocations }
  }
}

/** Maximum number of runs in which a job may report that it is not ready. */
const MAX_WAITS = 10

const ofJob = (services: Services, id: string) => {
  let waits = 0
  return use(async () => {
    const run = await runJob(services, id)
    // An export reads the data again, a little later, if data was deleted in the meantime.
    const ready = run?.status === 'unfinished' || run?.status === 'done'
    if (!run || (!ready && (run.status !== 'waiting' || run.error !== null || ++waits > MAX_WAITS)))
      throw new Error(`${run?.kind}: ${run?.status} ${run?.error}`)
    if (!ready) await scheduler.wait(Math.max(0, run.runAfter - Date.now()))
    return run.status === 'done'
  })
}

/** Runs every potentially long job to its end, deletions last. */
async function jobs(project: string, services: Services): Promise<[string, Use][]> {
  const { database } = services
  const settings = { ...nightlySettings(project, 0), minValueScore: null }
  const found: [string, Use][] = []
  const add = async (name: string, id: string) => {
    found.push([name, await ofJob(services, id)])
  }
  const begin = async (kind: string, subject: string) =>
    (await startJob(database, { id: newId(), project, kind, subject }, null, Date.now())).id
  await finishDeletions(services)
  await add('export_dataset', (await startExport(services, settings)).id)
  await add('export_dataset, split', (await startExport(services, { ...settings, split: 'train' })).id)
  const [dataset] = await listDatasets(database, project, null, 10)
  if (!dataset) throw new Error('Nothing was exported.')
  await add('check_dataset', (await startCheck(services, dataset)).id)
  for (const table of ['routing_models', 'ranking_models'])
    await env.DB.prepare(`INSERT OR IGNORE INTO ${table} (project) VALUES (?)`).bind(project).run()
  await add('train_router', (await startRouterTraining(services, project)).id)
  await add('train_ranking', await begin('train_ranking', project))
  await add('index_interaction', await begin('index_interaction', await anyInteraction(project)))
  await scheduleArchiving(database, Date.now(), 1, Date.now())
  await add('archive_interactions', await begin('archive_interactions', project))
  const pruning = await schedulePruning(database, Math.floor(Date.now() / 1000) + found.length, Date.now())
  if (pruning) await add('prune_logs', pruning)
  const deletion = (what: 'key' | 'project', subject: string) =>
    requestDeletion(database, { what, project, subject, requestedBy: 'admin' }, ERASURE_START, Date.now())
  await add('delete_data of a key', (await deletion('key', 'agent')).jobId)
  await grow(project, 0, ROWS)
  await add('delete_data of a project', (await deletion('project', project)).jobId)
  return found
}

/**
 * Ends the deletions that the operations started, because an export waits for them: those of keys, which belong to no
 * project, too. The queue may be running one.
 */
async function finishDeletions(services: Services): Promise<void> {
  const open = env.DB.prepare(
    "SELECT id, status FROM jobs WHERE kind = 'delete_data' AND status IN ('pending', 'running')",
  )
  for (;;) {
    const { results } = await open.all<{ id: string; status: string }>()
    if (results.length === 0) return
    for (const { id, status } of results) {
      if (status === 'running' || !(await runJob(services, id))) await scheduler.wait(1_000)
    }
  }
}

async function anyInteraction(project: string): Promise<string> {
  const id = await env.DB.prepare('SELECT max(id) AS id FROM interactions WHERE project = ?').bind(project).first('id')
  return String(id)
}

async function everything(project: string, from: number, to: number): Promise<Map<string, Use>> {
  await grow(project, from, to)
  const prepared = await prepare(project)
  const found = new Map<string, Use>()
  for (const operation of OPERATIONS) {
    const sample = SAMPLES[operation.name]
    if (!sample || operation.name === 'delete_data') continue
    found.set(
      operation.name,
      await use(async () => {
        await callRest(operation, sample(prepared))
        return true
      }),
    )
  }
  const services = buildServices({ ...env, ARCHIVE_AFTER_DAYS: '1', LOG_DAYS: '1' })
  for (const [name, used] of await jobs(project, services)) found.set(`job ${name}`, used)
  return found
}

test('nothing exceeds the limits of an invocation, at ten times the size either', {
  timeout: 4 * 3_600_000,
}, async () => {
  const small = await everything('small', 0, ROWS)
  const large = await everything('large', ROWS, ROWS + ROWS * TIMES)
  const limits = PLAN_LIMITS.paid
  const lines = [...large].map(([name, use]) => {
    const before = small.get(name) ?? use
    const cells = COUNTED.map((what) => `${Math.ceil(before.most[what])} / ${Math.ceil(use.most[what])}`)
    return `| ${name} | ${cells.join(' | ')} | ${before.invocations} / ${use.invocations} |`
  })
  console.log(
    [
      `At ${ROWS} / ${ROWS * TIMES} interactions:`,
      '',
      `| operation or job | ${COUNTED.join(' | ')} | invocations |`,
      '|---|---|---|---|---|---|---|',
      `| limit, Workers Paid | ${COUNTED.map((what) => limits[what]).join(' | ')} | |`,
      `| limit, Workers Free | ${COUNTED.map((what) => PLAN_LIMITS.free[what]).join(' | ')} | |`,
      ...lines,
    ].join('\n'),
  )
  const over = [...small, ...large].filter(([, { most }]) => COUNTED.some((what) => most[what] > limits[what]))
  expect(over).toEqual([])
  // Larger work takes more invocations, not larger ones.
  expect(large.get('job delete_data of a key')?.invocations).toBeGreaterThan(1)
})
