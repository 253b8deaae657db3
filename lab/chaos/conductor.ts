/**
 * Conducts one run: starts a coordinator and its agents, injects faults, ends them, waits for background work, and
 * checks the result.
 * @module
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient, HttpError, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { QdrantProcess } from '../engines/qdrant-process.ts'
import { Agent } from './agent.ts'
import { type ChaosEngine, DIMENSIONS, startEngine } from './engine.ts'
import { findings } from './invariants.ts'
import { Ledger } from './ledger.ts'
import { type Incident, type Plan, planOf, type Size } from './plan.ts'

export const ENTRY = join(import.meta.dirname, './worker/worker.ts')
const ADMIN_KEY = 'the-admin-key-of-a-chaos-run'
/** All searched collections. */
const COLLECTIONS = [
  'codebase-context',
  'skills-patterns',
  'error-solutions',
  'best-practices',
  'interaction-history',
  'learning-feedback',
]
const MINUTE_MS = 60_000
/** Longer than the day after which unchanged interactions are archived in this test. */
const HOLIDAY_MS = 36 * 3_600_000
/** Every minute, and nightly, as in wrangler.toml. */
const CRON = { minute: '* * * * *', night: '17 3 * * *' }
/** Work that is still open after this many rounds is a finding. */
const SETTLING_ROUNDS = 30
/** Maximum backoff of a job, see src/jobs/run-job.ts. */
const MAX_BACKOFF_MS = 900_000
/** Wait for the next job to finish: longer than the batching time of messages. */
const STILL_MS = 1_800

/** The result of a run. */
export interface RunReport {
  readonly seed: number
  /** Findings; empty: none. */
  readonly violations: readonly string[]
  readonly answered: number
  /** Number of repeated attempts without an answer. */
  readonly repeated: number
  readonly crashes: number
  readonly evictions: number
  readonly outages: number
  /** Number of Qdrant faults, and the kinds of jobs that were open at those times; null without Qdrant. */
  readonly qdrant: { readonly faults: number; readonly jobs: readonly string[] } | null
  readonly interactions: number
  /** Number of archived interactions at the end. */
  readonly archived: number
  readonly reports: number
  readonly documents: number
  readonly datasets: number
  readonly jobs: number
  /** Number of jobs that ran out of attempts and were retried, as an operator would do. */
  readonly revived: number
  readonly seconds: number
}

/** Called for each fault. */
export type Note = (minute: number, incident: Incident) => void

/** A coordinator in a faulty environment, with the functions that a test needs. */
export class ChaosRun {
  readonly plan: Plan
  readonly ledger = new Ledger()
  readonly project: string
  readonly #worker: LocalWorker
  readonly #engine: ChaosEngine
  readonly #qdrant: QdrantProcess | null
  readonly #metByQdrant = new Set<string>()
  /** Makes administrative calls without faults. */
  readonly admin: HttpClient
  readonly #note: Note
  #aheadMs = 0
  #revived = 0
  #steps = 0
  #minute = 0
  #passing: Promise<void> = Promise.resolve()
  readonly #count = { crash: 0, eviction: 0, outage: 0, qdrant: 0 }

  private constructor(
    plan: Plan,
    worker: LocalWorker,
    { engine, qdrant }: { engine: ChaosEngine; qdrant: QdrantProcess | null },
    note: Note,
  ) {
    this.plan = plan
    this.#qdrant = qdrant
    this.project = `chaos-${plan.seed}`
    this.#worker = worker
    this.#engine = engine
    this.admin = createHttpClient({ url: worker.url, key: ADMIN_KEY, pauseMs: 50 })
    this.#note = note
  }

  /**
   * Starts the coordinator.
   * @param bundle a folder that `buildWorker` has filled from {@link ENTRY}; default: built here
   * @param note called for each fault
   * @param qdrantBinary Qdrant's executable: knowledge is stored in a separate server, which also fails
   */
  static async start(
    seed: number,
    size: Size,
    bundle?: string,
    note: Note = () => undefined,
    qdrantBinary?: string,
  ): Promise<ChaosRun> {
    const qdrant = qdrantBinary ? await QdrantProcess.start(qdrantBinary) : null
    const engine = await startEngine()
    const variables = {
      LOG_LEVEL: 'error',
      HYBRID_API_KEY: ADMIN_KEY,
      LLAMA_CPP_EMBEDDINGS_URL: engine.url,
      EMBEDDING_MODEL: 'chaos-words',
      EMBEDDING_DIMENSIONS: String(DIMENSIONS),
      HIGH_VALUE_THRESHOLD: '0.5',
      ARCHIVE_AFTER_DAYS: '1',
      CHAOS_SEED: String(seed),
      ...(qdrant && { QDRANT_URL: qdrant.url }),
    }
    try {
      const worker = await startLocalWorker({ entry: ENTRY, bundle, variables })
      return new ChaosRun(planOf(seed, size, qdrant !== null), worker, { engine, qdrant }, note)
    } catch (error) {
      await engine.stop()
      await qdrant?.stop()
      throw error
    }
  }

  /** Runs the load with faults, until every agent has an answer to each of its calls. */
  async load(): Promise<void> {
    const agents = []
    for (const number of this.plan.steps.keys()) {
      const made = await this.admin.post<{ key: string; key_id: string }>('/keys', {
        name: `agent-${number}`,
        scopes: ['read', 'write', 'learn'],
        project: this.project,
      })
      const { url } = this.#worker
      const { project, ledger } = this
      const options = {
        url,
        project,
        ledger,
        number,
        key: made.key,
        caller: made.key_id,
        onStep: () => this.#stepped(),
      }
      agents.push(new Agent(options))
    }
    await Promise.all(agents.map((agent, number) => agent.run(this.plan.steps[number] ?? [])))
    await this.#passing
  }

  /** Ends the faults and advances time until no work is left: in growing steps, up to the longest backoff. */
  async settle(): Promise<void> {
    this.#engine.outage = null
    await this.#control({ faults: false })
    for (let round = 0; round < SETTLING_ROUNDS; round++) {
      await this.#advance(Math.min(MINUTE_MS * 2 ** round, MAX_BACKOFF_MS))
      // The next search enqueues items that were stored but not enqueued for embedding.
      await this.admin.post('/hybrid_search', { project: this.project, query: 'proxy', collections: COLLECTIONS })
      await this.#worker.scheduled(CRON.minute)
      if (await this.#idle()) return
    }
    // The audit reports what is left.
  }

  /** Restores archived interactions to the tables, where they are checked. Returns their number. */
  async restore(): Promise<number> {
    const { restored } = await this.admin.post<{ restored: number }>('/chaos/restore', { project: this.project })
    return restored
  }

  /** Returns all findings. */
  async violations(): Promise<string[]> {
    const audited = await this.admin.post<string[]>('/chaos/audit', { project: this.project })
    return [...this.ledger.astonishing, ...audited, ...(await findings(this))]
  }

  /** Queries the coordinator's database. */
  readonly query = (sql: string, ...values: unknown[]) => this.#worker.query(sql, ...values)

  /** Reads from its API. */
  readonly get = <T>(path: string) => this.admin.get<T>(path)

  async report(started: number): Promise<RunReport> {
    const archived = await this.restore()
    const violations = await this.violations()
    const [jobs] = await this.query('SELECT count(*) AS n FROM jobs')
    const { ledger } = this
    return {
      seed: this.plan.seed,
      violations,
      answered: ledger.answered,
      repeated: ledger.failed,
      crashes: this.#count.crash,
      evictions: this.#count.eviction,
      outages: this.#count.outage,
      qdrant: this.#qdrant && { faults: this.#count.qdrant, jobs: [...this.#metByQdrant].sort() },
      interactions: ledger.tracked.size,
      archived,
      reports: ledger.reports.length,
      documents: ledger.documents.size,
      datasets: ledger.exports.size,
      jobs: Number(jobs?.n),
      revived: this.#revived,
      seconds: (performance.now() - started) / 1000,
    }
  }

  async stop(): Promise<void> {
    await this.#worker.stop()
    await this.#engine.stop()
    await this.#qdrant?.stop()
  }

  /** Advances time by the finished steps, while others continue. */
  #stepped(): void {
    this.#steps++
    const { size, incidents } = this.plan
    const due = Math.floor((this.#steps / (size.agents * size.steps)) * size.minutes)
    while (this.#minute < due) {
      const minute = ++this.#minute
      this.#passing = this.#passing.then(() => this.#pass(minute, incidents.get(minute) ?? []))
    }
  }

  async #pass(minute: number, incidents: readonly Incident[]): Promise<void> {
    await this.#advance(MINUTE_MS)
    for (const incident of incidents) {
      this.#note(minute, incident)
      await this.#happen(incident)
    }
    await this.#worker.scheduled(CRON.minute)
  }

  async #happen(incident: Incident): Promise<void> {
    if (incident.kind === 'outage') {
      this.#count.outage++
      this.#engine.outage = incident.outage
    } else if (incident.kind === 'qdrant') await this.#qdrantFails(incident)
    else if (incident.kind === 'recovery') this.#engine.outage = null
    else if (incident.kind === 'night') await this.#worker.scheduled(CRON.night)
    else if (incident.kind === 'holiday') {
      await this.#advance(HOLIDAY_MS)
      await this.#worker.scheduled(CRON.night)
    } else if (incident.kind === 'crash') {
      this.#count.crash++
      await this.#worker.restart({ CHAOS_AHEAD: String(this.#aheadMs) })
    } else {
      this.#count.eviction++
      const conversations = this.ledger.augmented.flatMap(({ conversation }) => conversation ?? [])
      await this.#control({ evict: { project: this.project, conversations: [...new Set(conversations)] } })
    }
  }

  async #qdrantFails({ fault, seconds }: Extract<Incident, { kind: 'qdrant' }>): Promise<void> {
    const qdrant = this.#qdrant
    if (!qdrant || (fault === 'disk full' && !qdrant.limited)) return
    this.#count.qdrant++
    for (const { kind } of await this.query(`SELECT DISTINCT kind FROM jobs WHERE status IN ('pending', 'running')`))
      this.#metByQdrant.add(String(kind))
    await qdrant.meet(fault, seconds)
  }

  #advance(ms: number): Promise<void> {
    this.#aheadMs += ms
    return this.#control({ ahead: this.#aheadMs })
  }

  async #control(control: object): Promise<void> {
    await this.admin.post('/chaos/control', control)
  }

  /** Whether no work is left; false once nothing was done for a while. Dead jobs are revived. */
  async #idle(): Promise<boolean> {
    let [left, since] = [Number.POSITIVE_INFINITY, performance.now()]
    while (performance.now() - since < STILL_MS) {
      const rows = await this.query(`SELECT id, status FROM jobs WHERE status IN ('pending', 'running', 'dead')`)
      if (rows.length === 0) return true
      if (rows.length < left) [left, since] = [rows.length, performance.now()]
      if (rows.every(({ status }) => status === 'dead')) {
        for (const { id } of rows) await this.#revive(String(id))
      }
      await sleep(250)
    }
    return false
  }

  async #revive(id: string): Promise<void> {
    try {
      await this.admin.post(`/learning/jobs/${id}/retry`, {})
      this.#revived++
    } catch (error) {
      // Done in the meantime.
      if (!(error instanceof HttpError && error.status === 409)) throw error
    }
  }
}

/** Executes one run from its seed and returns the report. */
export async function runSeed(
  seed: number,
  size: Size,
  bundle?: string,
  note?: Note,
  qdrantBinary?: string,
): Promise<RunReport> {
  const started = performance.now()
  const run = await ChaosRun.start(seed, size, bundle, note, qdrantBinary)
  try {
    await run.load()
    await run.settle()
    return await run.report(started)
  } finally {
    await run.stop()
  }
}
