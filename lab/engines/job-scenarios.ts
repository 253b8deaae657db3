/**
 * Scenarios that cause one job of each kind.
 * @module
 */
import type { JobWorld } from './jobs.ts'
import { SOLVED } from './solved-questions.ts'

/** The scenario for one kind of job. */
export interface Scenario {
  /** Fills the project. Its result is passed to `cause`. */
  prepare(world: JobWorld, project: string): Promise<string[]>
  /** Causes the job. Background work is paused. */
  cause(world: JobWorld, project: string, prepared: readonly string[]): Promise<unknown>
  /** Whether the request that causes the job also runs it. */
  readonly atOnce?: true
}

const DAY_MS = 86_400_000

async function storeItems({ http }: JobWorld, project: string): Promise<string[]> {
  const items = SOLVED.map(({ query, response }, i) => ({
    key: `k${i}`,
    fields: { description: `${query} ${response}` },
  }))
  const { results } = await http.post<{ results: { context_id: string }[] }>('/knowledge/items', {
    project,
    collection: 'best-practices',
    items,
  })
  return results.map(({ context_id }) => context_id)
}

async function track({ http }: JobWorld, project: string, contextIds: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const { query, response } of SOLVED) {
    const exchange = { project, query, response, agent_type: 'remote', model_used: 'm', context_ids: contextIds }
    ids.push((await http.post<{ interaction_id: string }>('/track_interaction', exchange)).interaction_id)
  }
  return ids
}

async function succeed({ http }: JobWorld, ids: readonly string[]): Promise<void> {
  for (const interaction_id of ids) await http.post('/update_outcome', { interaction_id, outcome: 'success' })
}

const stored = storeItems
const tracked = async (world: JobWorld, project: string) =>
  track(world, project, (await storeItems(world, project)).slice(0, 3))
const judged = async (world: JobWorld, project: string) => {
  const ids = await tracked(world, project)
  await succeed(world, ids)
  return ids
}

/** Writes a job that would otherwise only be caused by time or by the number of outcomes. */
const written =
  (kind: string, subjectOf: (project: string) => string = (project) => project) =>
  async ({ worker }: JobWorld, project: string) => {
    await worker.query(
      `INSERT OR IGNORE INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
       VALUES (?1, ?2, ?3, ?4, 0, 'pending', 0, ?5, ?5, ?5)`,
      crypto.randomUUID(),
      project,
      kind,
      subjectOf(project),
      Date.now(),
    )
  }

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  index_interaction: { prepare: stored, cause: (world, project, ids) => track(world, project, ids.slice(0, 3)) },
  index_correction: {
    atOnce: true,
    prepare: stored,
    cause: async ({ http }, project) => {
      for (const { query, response } of SOLVED)
        await http.post('/learning_feedback', { project, query, correction: `No: ${response}` })
    },
  },
  score_interaction: { prepare: tracked, cause: (world, _, ids) => succeed(world, ids) },
  // Scoring writes these jobs; both kinds run together.
  learn_pattern: { prepare: tracked, cause: (world, _, ids) => succeed(world, ids) },
  embed_collection: {
    prepare: async () => [],
    cause: async (world, project) => {
      world.engine.outage = 'fails'
      await storeItems(world, project)
      world.engine.outage = null
      await world.http.post('/hybrid_search', { project, query: 'proxy', collections: ['best-practices'] })
    },
  },
  export_dataset: {
    prepare: judged,
    cause: ({ http }, project) =>
      http.post('/generate_training_data', { project, format: 'openai-chat', min_value_score: 0 }),
  },
  check_dataset: {
    prepare: async (world, project) => {
      await judged(world, project)
      await world.http.post('/generate_training_data', { project, format: 'openai-chat', min_value_score: 0 })
      return []
    },
    cause: async ({ http }, project) => {
      const { datasets } = await http.get<{ datasets: { dataset_id: string }[] }>(
        `/learning/datasets?project=${project}`,
      )
      for (const { dataset_id: id } of datasets) await http.post(`/learning/datasets/${id}/check`, {})
    },
  },
  delete_data: {
    atOnce: true,
    prepare: judged,
    cause: ({ http }, project) => http.post('/data/delete', { what: 'project', project, confirm: project }),
  },
  archive_interactions: {
    prepare: async (world, project) => {
      const ids = await judged(world, project)
      await world.worker.query(
        'UPDATE interactions SET created_at = created_at - ?1 WHERE project = ?2',
        3 * DAY_MS,
        project,
      )
      return ids
    },
    cause: written('archive_interactions'),
  },
  prune_logs: { prepare: judged, cause: written('prune_logs', () => '-') },
  train_router: { prepare: judged, cause: written('train_router') },
  train_ranking: {
    prepare: async (world, project) => {
      const ids = await judged(world, project)
      // A project that is due for training has this row.
      await world.worker.query('INSERT OR IGNORE INTO ranking_models (project) VALUES (?)', project)
      return ids
    },
    cause: written('train_ranking'),
  },
  summarise_conversation: {
    prepare: stored,
    cause: written('summarise_conversation', (project) => JSON.stringify([project, 'talk'])),
  },
}
