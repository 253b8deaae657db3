/**
 * The trained router of a project: learnt by a background job, kept in the database, held in memory between requests.
 * @module
 */
import type { Database } from '../database/database.ts'
import { deletedSince } from '../database/queries/deletions.ts'
import {
  noteOutcomes,
  type OutcomeCounts,
  outcomeExamples,
  projectOfOutcome,
  recentOutcomes,
  routerStatus,
  routerText,
  storeRouter,
} from '../database/queries/routing.ts'
import { MAX_CHARACTERS, MAX_EXAMPLES, QUERY_CHARACTERS } from './bounds.ts'
import type { Backend } from './model-choice.ts'
import { type Estimates, type Example, estimate, type Router, trainRouter } from './router.ts'
import { decodeRouter, encodeRouter } from './router-codec.ts'

/** Milliseconds that a router in memory is used before the database is asked for a newer one. */
const FRESH_MS = 5_000
/** Projects whose routers are held in memory, about 0.7 MB each. */
const MAX_HELD = 8

const OUTCOME_VALUE = { success: 1, partial: 0.5, failure: 0 } as const

export interface RouterServices {
  readonly database: Database
  now(): number
}

/** A project's router and its version; version 0: none was trained yet. */
export interface TrainedRouter {
  readonly version: number
  readonly router: Router | null
  /** The project's own confidence threshold; null: the setting's. */
  readonly threshold: number | null
  /** Outcomes reported in the project, as far as the router knows. */
  readonly outcomes: number
}

const NO_COUNTS: OutcomeCounts = { success: 0, partial: 0, failure: 0 }
const held = new WeakMap<object, Map<string, TrainedRouter & { checkedAt: number }>>()

/**
 * Trains the router of a project from its latest interactions with a known outcome. The work is bounded by MAX_EXAMPLES and
 * MAX_CHARACTERS, not by how many there are.
 * @returns `not_ready`: another training or a deletion came in between, so nothing was stored and it is to be done again
 */
export async function trainProjectRouter(services: RouterServices, project: string): Promise<'done' | 'not_ready'> {
  const startedAt = services.now()
  const status = await routerStatus(services.database, project)
  if (!status) return 'done'
  if (await deletedSince(services.database, project, startedAt)) return 'not_ready'
  const rows = await outcomeExamples(services.database, project, MAX_EXAMPLES, QUERY_CHARACTERS, MAX_CHARACTERS)
  const examples = rows.map(
    ({ query, agentType, outcome }): Example => ({ query, backend: agentType, outcome: OUTCOME_VALUE[outcome] }),
  )
  const model = encodeRouter(trainRouter(examples))
  const { version, pending } = status
  const trained = { version, examples: rows.length, model, learnt: pending, startedAt }
  return (await storeRouter(services.database, project, trained, services.now())) ? 'done' : 'not_ready'
}

/** How one side of a router was learnt. */
export interface SideSummary {
  /** Outcomes that it was learnt from. */
  readonly examples: number
  readonly success_rate: number
  /** Of its probabilities, on outcomes that were held out; the Brier score. */
  readonly mean_squared_error: number
  /** The same when every query is given the success rate. */
  readonly base_rate_error: number
}

/** What a training has come to; a side is null while it has too few outcomes to learn from. */
export async function routerSummary(
  services: RouterServices,
  project: string,
): Promise<{ version: number; examples: number; local: SideSummary | null; remote: SideSummary | null }> {
  const { version, router } = await projectRouter(services, project, 0)
  const status = await routerStatus(services.database, project)
  const side = (backend: Backend): SideSummary | null => {
    const known = router?.sides[backend]
    if (!known) return null
    return {
      examples: known.examples,
      success_rate: known.successes / known.examples,
      mean_squared_error: known.noise,
      base_rate_error: known.spread,
    }
  }
  return { version, examples: status?.examples ?? 0, local: side('local'), remote: side('remote') }
}

/** Tells the router of a scored interaction; has it trained when enough has come together. */
export async function noteScored(
  services: RouterServices & { enqueueJobs(ids: readonly string[]): Promise<void> },
  interactionId: string,
): Promise<void> {
  const project = await projectOfOutcome(services.database, interactionId)
  if (project === null) return
  const job = await noteOutcomes(services.database, project, 1, services.now())
  if (job) await services.enqueueJobs([job]).catch(() => undefined)
}

/** The latest router of a project, at most `freshMs` milliseconds old. */
export async function projectRouter(
  services: RouterServices,
  project: string,
  freshMs = FRESH_MS,
): Promise<TrainedRouter> {
  const { database } = services
  const projects = held.get(database.$client) ?? new Map<string, TrainedRouter & { checkedAt: number }>()
  held.set(database.$client, projects)
  const known = projects.get(project)
  const now = services.now()
  if (known && now - known.checkedAt < freshMs && now >= known.checkedAt) return known
  const status = await routerStatus(database, project)
  const version = status?.version ?? 0
  const loaded = known?.version === version ? known : await load(database, project)
  const outcomes = (status?.examples ?? 0) + (status?.pending ?? 0)
  const current = { ...loaded, threshold: status?.threshold ?? null, outcomes }
  projects.delete(project)
  projects.set(project, { ...current, checkedAt: now })
  for (const oldest of projects.keys()) {
    if (projects.size <= MAX_HELD) break
    projects.delete(oldest)
  }
  return current
}

async function load(database: Database, project: string): Promise<Omit<TrainedRouter, 'threshold' | 'outcomes'>> {
  const stored = await routerText(database, project)
  return stored ? { version: stored.version, router: decodeRouter(stored.model) } : { version: 0, router: null }
}

/** What is known of queries: the estimates, and the version of the router that made them. */
export interface Estimated<T> {
  readonly version: number
  /** The project's own confidence threshold; null: the setting's. */
  readonly threshold: number | null
  /** Outcomes reported in the project, as far as the router knows. */
  readonly outcomes: number
  readonly estimates: T
}

/** Chance of success of each model at each query, by the project's router, or by its base rates where it has too few outcomes. */
export async function estimateAll(
  services: RouterServices,
  project: string,
  queries: readonly string[],
): Promise<Estimated<Estimates[]>> {
  const { say, ...known } = await estimator(services, project)
  return { ...known, estimates: queries.map(say) }
}

/** As estimateAll, for one query. */
export async function estimateOne(
  services: RouterServices,
  project: string,
  query: string,
): Promise<Estimated<Estimates>> {
  const { say, ...known } = await estimator(services, project)
  return { ...known, estimates: say(query) }
}

async function estimator(services: RouterServices, project: string) {
  const { version, router, threshold, outcomes } = await projectRouter(services, project)
  const complete = router?.sides.local && router.sides.remote
  const counts: Record<Backend, OutcomeCounts> = complete
    ? { local: NO_COUNTS, remote: NO_COUNTS }
    : await recentOutcomes(services.database, project)
  return { version, threshold, outcomes, say: (query: string) => estimate(router, query, counts) }
}
