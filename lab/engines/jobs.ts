/**
 * `npm run --prefix lab engines:jobs`: kills Qdrant during each kind of background job, and checks that the work is
 * completed.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient, HttpError, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { DIMENSIONS, startEngine } from '../chaos/engine.ts'
import { pathGiven } from '../paths.ts'
import { SCENARIOS, type Scenario } from './job-scenarios.ts'
import { QdrantProcess } from './qdrant-process.ts'
import { type QdrantProxy, startQdrantProxy } from './qdrant-proxy.ts'
import { skippedWithout } from './qdrant-server.ts'

const HELP = `Usage: npm run --prefix lab engines:jobs -- [options]

Starts a Qdrant server of its own and a fresh coordinator on it. Each kind of background job runs in two projects: in one undisturbed, and
in the other with Qdrant killed (SIGKILL) in the middle of the calls that the job makes, and started again two seconds later. Prints whether
the job was done and whether both projects hold the same at the end.

Options
  --qdrant FILE    Qdrant's executable (default: QDRANT_BINARY; without one the command says "skipped")
  --only LIST      kinds of jobs, separated by commas (default: all)
  -h, --help       print this

Exit codes: 0 every job was done and nothing differs, 1 otherwise, 2 called wrongly.
`

const DEAD_MS = 2_000
/** As in wrangler.toml. */
const SWEEP = '* * * * *'
const PATIENCE_MS = 180_000
const ADMIN_KEY = 'the-admin-key-of-a-run-of-jobs'

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      qdrant: { type: 'string' },
      only: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const binary = values.qdrant ?? process.env.QDRANT_BINARY
    return binary
      ? await runAll(pathGiven(binary), values.only?.split(',') ?? Object.keys(SCENARIOS))
      : skippedWithout('QDRANT_BINARY')
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:jobs --')
  }
}

async function runAll(binary: string, kinds: readonly string[]): Promise<number> {
  const qdrant = await QdrantProcess.start(binary)
  const proxy = await startQdrantProxy(qdrant.url)
  const engine = await startEngine()
  try {
    const worker = await startLocalWorker({
      variables: {
        HYBRID_API_KEY: ADMIN_KEY,
        QDRANT_URL: proxy.url,
        LLAMA_CPP_EMBEDDINGS_URL: engine.url,
        EMBEDDING_MODEL: 'chaos-words',
        EMBEDDING_DIMENSIONS: String(DIMENSIONS),
        HIGH_VALUE_THRESHOLD: '0',
        HOLD_OUT_SHARE: '0',
        ARCHIVE_AFTER_DAYS: '1',
        LOG_LEVEL: 'error',
      },
    })
    try {
      const http = createHttpClient({ url: worker.url, key: ADMIN_KEY, timeoutMs: 120_000 })
      let bad = 0
      const world = { http, worker, qdrant, proxy, engine }
      for (const [kind, scenario] of Object.entries(SCENARIOS)) {
        if (!kinds.includes(kind)) continue
        const calm = await runJob(world, { kind, scenario, project: `calm-${kind}`, killAt: null })
        const middle = calm.calls === 0 ? null : Math.ceil(calm.calls / 2)
        const killed =
          middle === null ? null : await runJob(world, { kind, scenario, project: `killed-${kind}`, killAt: middle })
        const same = killed === null || killed.holds === calm.holds
        if (!calm.done || killed?.done === false || !same) bad++
        process.stdout.write(`${kind.padEnd(24)} ${lineOf(calm, killed, middle, same)}\n`)
      }
      return bad === 0 ? 0 : 1
    } finally {
      await worker.stop()
    }
  } finally {
    await engine.stop()
    proxy.stop()
    await qdrant.stop()
  }
}

function lineOf(calm: Outcome, killed: Outcome | null, middle: number | null, same: boolean): string {
  if (killed === null) return `${calm.done ? 'done' : 'NOT DONE'}; asks nothing of Qdrant`
  const verdict = same ? 'both projects hold the same' : `DIFFERENT\n  calm:   ${calm.holds}\n  killed: ${killed.holds}`
  return `killed in call ${middle} of ${calm.calls}: ${killed.done ? `done after ${killed.seconds.toFixed(1)} s` : 'NOT DONE'}; ${verdict}`
}

export interface JobWorld {
  readonly http: HttpClient
  readonly worker: LocalWorker
  readonly qdrant: QdrantProcess
  readonly proxy: QdrantProxy
  readonly engine: Awaited<ReturnType<typeof startEngine>>
}

interface Outcome {
  readonly done: boolean
  readonly seconds: number
  /** Number of calls to Qdrant during the job. */
  readonly calls: number
  /** The project's content afterwards, without ids and times. */
  readonly holds: string
}

/** Prepares a project, causes one job while background work is paused, and runs it. */
async function runJob(
  world: JobWorld,
  { kind, scenario, project, killAt }: { kind: string; scenario: Scenario; project: string; killAt: number | null },
): Promise<Outcome> {
  const { http, worker, qdrant, proxy } = world
  await http.post('/learning/control', { paused: false })
  const prepared = await scenario.prepare(world, project)
  await idle(world, project)
  await http.post('/learning/control', { paused: true })
  let calls = 0
  let revived: Promise<void> = Promise.resolve()
  const watch = () => {
    if (++calls !== killAt) return
    revived = qdrant
      .kill()
      .then(() => sleep(DEAD_MS))
      .then(() => qdrant.revive())
  }
  if (scenario.atOnce) proxy.onRequest = watch
  const started = performance.now()
  await scenario.cause(world, project, prepared)
  proxy.onRequest = watch
  await http.post('/learning/control', { paused: false })
  let done = false
  while (!done && performance.now() - started < PATIENCE_MS) {
    await http.post('/learning/process', { project, limit: 60 }).catch((error: unknown) => {
      if (!(error instanceof HttpError)) throw error
    })
    // Jobs that belong to no project, as deletions do, are run by the sweep.
    await worker.scheduled(SWEEP).catch(() => undefined)
    const rows = await rowsOf(
      worker,
      'SELECT status FROM jobs WHERE kind = ? AND project IN (?, ?)',
      kind,
      project,
      '-',
    )
    done = rows.length > 0 && rows.every(({ status }) => status === 'done')
    if (!done) await sleep(250)
  }
  proxy.onRequest = null
  const seconds = (performance.now() - started) / 1_000
  await revived
  await idle(world, project)
  return { done, seconds, calls, holds: await holdings(world, project) }
}

/** Waits until the project has no open job. */
async function idle({ http, worker }: JobWorld, project: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (performance.now() < end) {
    const rows = await worker.query(
      `SELECT 1 FROM jobs WHERE project = ? AND status IN ('pending', 'running')`,
      project,
    )
    if (rows.length === 0) return
    await http.post('/learning/process', { project, limit: 60 }).catch(() => undefined)
    await sleep(250)
  }
}

async function holdings({ http, worker }: JobWorld, project: string): Promise<string> {
  const { collections } = await http.get<{
    collections: { name: string; items: number; documents: number; with_vector: number; pending_vectors: number }[]
  }>(`/collections?project=${project}`)
  const held: Record<string, unknown> = {}
  for (const { name, items, documents, with_vector, pending_vectors } of collections) {
    if (items === 0) continue
    const page = await http.get<{ items: { fields: object; shown?: number; success_rate: number | null }[] }>(
      `/knowledge/items/${name}?project=${project}&limit=100`,
    )
    const credit = page.items.map(({ shown, success_rate }) => [shown, success_rate]).map(String)
    held[name] = { items, documents, with_vector, pending_vectors, credit: credit.sort() }
  }
  const [rows] = await rowsOf(
    worker,
    `SELECT count(*) AS interactions, count(value_score) AS scored,
       (SELECT count(*) FROM corrections WHERE project = ?1) AS corrections,
       (SELECT group_concat(status) FROM (SELECT DISTINCT status FROM jobs WHERE project = ?1 ORDER BY 1)) AS jobs
     FROM interactions WHERE project = ?1`,
    project,
  )
  return JSON.stringify({ ...held, ...rows })
}

/** Reads the database; once more where an idle connection was closed as it was used again. */
function rowsOf(worker: LocalWorker, sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  return worker.query(sql, ...values).catch((error: unknown) => {
    if (!(error instanceof TypeError)) throw error
    return worker.query(sql, ...values)
  })
}
