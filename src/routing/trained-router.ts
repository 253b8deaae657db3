/**
 * The trained router of a project: trained by a background job, stored in the database, cached in memory between
 * requests.
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

/** How long a cached router is used before the database is queried for a newer one, in milliseconds. */
const FRESH_MS = 5_000
/** Maximum number of cached routers, about 0.7 MB each. */
const MAX_HELD = 8

const OUTCOME_VALUE = { success: 1, partial: 0.5, failure: 0 } as const

export interface RouterServices {
  readonly database: Database
  now(): number
}

/** A project's router and its version. Version 0: not trained yet. */
export interface TrainedRouter {
  readonly version: number
  readonly router: Router | null
  /** The project's own confidence threshold; null: the setting's. */
  readonly threshold: number | null
  /** Number of outcomes reported in the project, as known to the router. */
  readonly outcomes: number
}

const NO_COUNTS: OutcomeCounts = { success: 0, partial: 0, failure: 0 }
const held = new WeakMap<object, Map<string, TrainedRouter & { checkedAt: number }>>()

/**
 * Trains the router of a project from its latest interactions with a known outcome. MAX_EXAMPLES and MAX_CHARACTERS
 * bound the work, however many interactions there are.
 * @returns `not_ready`: another training or a deletion happened in between, so nothing was stored and the training must
 *   be repeated
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

/** A summary of one trained side. */
export interface SideSummary {
  /** Number of outcomes in the training data. */
  readonly examples: number
  readonly success_rate: number
  /** Mean squared error of the probabilities on held-out outcomes: the Brier score. */
  readonly mean_squared_error: number
  /** The same error if every query is predicted with the success rate. */
  readonly base_rate_error: number
}

/** Summary of the latest training. A side is null if it has too few outcomes. */
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

/** Registers a scored interaction for the router, and starts a training when enough of them have accumulated. */
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

/** Estimates for queries, with the version of the router that made them. */
export interface Estimated<T> {
  readonly version: number
  /** The project's own confidence threshold; null: the setting's. */
  readonly threshold: number | null
  /** Number of outcomes reported in the project, as known to the router. */
  readonly outcomes: number
  readonly estimates: T
}

/**
 * Each model's probability of success at each query, from the project's router, or from base rates if there are too few
 * outcomes.
 */
export async function estimateAll(
  services: RouterServices,
  project: string,
  queries: readonly string[],
): Promise<Estimated<Estimates[]>> {
  const { say, ...known } = await estimator(services, project)
  return { ...known, estimates: queries.map(say) }
}

/** Like estimateAll, for one query. */
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
