/**
 * The learnt ranking of a project for searches: stored in the database, cached in memory between requests.
 * @module
 */
import type { Database } from '../../database/database.ts'
import { rankingRow } from '../../database/queries/ranking.ts'
import type { Weights } from './features.ts'
import { decodeNeeds, type Needs } from './needs.ts'

/** How long cached weights are used before the database is queried for newer ones, in milliseconds. */
const FRESH_MS = 5_000
/** Maximum number of projects whose weights are cached. */
const MAX_PROJECTS = 16

export interface ProjectRanking {
  /** 0: never trained. */
  readonly version: number
  /** Empty: nothing was learnt, or the model was not accepted. */
  readonly weights: Weights
  readonly needs: Needs | null
}

const held = new WeakMap<object, Map<string, ProjectRanking & { readonly checkedAt: number }>>()

/** The weights of a project's accepted model, at most five seconds old. */
export async function projectRanking(
  services: { readonly database: Database; now(): number },
  project: string,
): Promise<ProjectRanking> {
  const { database } = services
  const projects = held.get(database.$client) ?? new Map<string, ProjectRanking & { readonly checkedAt: number }>()
  held.set(database.$client, projects)
  const now = services.now()
  const known = projects.get(project)
  if (known && now - known.checkedAt < FRESH_MS && now >= known.checkedAt) return known
  const row = await rankingRow(database, project)
  const weights = row?.accepted
    ? Object.entries(row.weights ?? {}).map(([key, weight]) => [Number(key), weight] as const)
    : []
  const needs = row?.accepted && row.needs ? decodeNeeds(row.needs) : null
  const current = { version: row?.version ?? 0, weights: new Map(weights), needs, checkedAt: now }
  projects.delete(project)
  projects.set(project, current)
  for (const oldest of projects.keys()) {
    if (projects.size <= MAX_PROJECTS) break
    projects.delete(oldest)
  }
  return current
}
