/** A project with a history, and everything that can be read of it. */
import { expect } from 'vitest'
import { archiveKey, archivePrefix, readFile } from '../../src/archive/file.ts'
import { recountRollups } from '../../src/database/queries/recount.ts'
import { outcomeExamples } from '../../src/database/queries/routing.ts'
import { learningFigures, usageFigures } from '../../src/database/queries/statistics.ts'
import { archiveNightly } from '../../src/jobs/nightly.ts'
import { runDueJobs, runJob } from '../../src/jobs/run-job.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { listInteractions } from '../../src/operations/interactions/list-interactions.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { votesOfProject } from '../../src/retrieval/train-ranking.ts'
import { anyone, bindings, call, exchange, type TestServices, testServices } from '../outcomes/support.ts'
import { generate } from '../training-data/dataset-support.ts'

export const DAY = 86_400_000
export const caller = (id: string) => ({ ...anyone, id })

/** Dependent tables of an interaction, and the column with its id. */
export const MOVED = {
  interaction_contexts: 'interaction_id',
  outcome_events: 'interaction_id',
  outcome_votes: 'interaction_id',
  jobs: 'subject',
} as const

/** Services that archive interactions without changes for thirty days. */
export function archivingServices(settings: Record<string, string> = {}): TestServices {
  const services = testServices({ settings: { ARCHIVE_AFTER_DAYS: '30', HIGH_VALUE_THRESHOLD: '0.3', ...settings } })
  return {
    ...services,
    conversations: {
      addAnswer: async () => undefined,
      delete: async () => false,
      read: async () => null,
    } as unknown as TestServices['conversations'],
  }
}

/**
 * Interactions with contexts, votes of two callers, ratings, a correction and every outcome. All their jobs are done.
 */
export async function plantPast(
  services: TestServices,
  project: string,
  count: number,
  mark = 'word',
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const { interaction_id: id } = await call<{ interaction_id: string }>(
      trackInteraction,
      services,
      exchange(project, {
        query: i === 7 ? `${mark} 1: ${'długie pytanie '.repeat(1_200)}` : `How do I set up ${mark} number ${i}?`,
        response: `1. Install ${mark}, “quoted”\n2. Run it:\n\`\`\`sh\n${mark} --setup ${i}\n\`\`\`\n`,
        context_ids: [
          `best-practices/0190b6f0-0000-5000-8000-00000000000${i % 3}`,
          'best-practices/0190b6f0-0000-5000-8000-0000000000ff',
        ],
        idempotency_key: `track-${i}`,
        conversation_id: `talk-${i % 2}`,
        tags: i % 2 ? ['odd'] : [],
        variant: i % 2 ? 'a' : 'b',
        tokens_used: 10 * i,
        latency_ms: 1 / 3 + i,
      }),
      caller(i % 2 ? 'odd' : 'even'),
    )
    ids.push(id)
    const outcome = (['success', 'failure', 'partial', 'success'] as const)[i % 4]
    if (i % 5 === 4) continue
    await call(
      updateOutcome,
      services,
      { interaction_id: id, outcome, user_feedback: i % 3 === 0 ? 1 : 0, idempotency_key: 'first' },
      caller('alice'),
    )
    if (i % 2) await call(updateOutcome, services, { interaction_id: id, outcome: 'success' }, caller('bob'))
  }
  await call(learningFeedback, services, {
    project,
    query: `How do I set up ${mark}?`,
    correction: `Use ${mark} 2.`,
    interaction_id: ids[0],
  })
  await settle(services, project)
  return ids
}

/** Runs due jobs until there are none. */
export async function settle(services: TestServices, project: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    services.clock.advance(10_000)
    if ((await runDueJobs(services, project, 500)).ran === 0) return
  }
}

/** Runs the nightly archiving of all projects to its end. */
export async function night(services: TestServices, project: string): Promise<void> {
  await archiveNightly(services)
  for (let round = 0; round < 20; round++) {
    const job = await bindings.DB.prepare(
      "SELECT id FROM jobs WHERE kind = 'archive_interactions' AND project = ? AND status = 'pending'",
    )
      .bind(project)
      .first<string>('id')
    if (job === null) return
    services.clock.advance(60_000)
    await runJob(services, job)
  }
  throw new Error('Archiving does not end.')
}

/** Everything that can be read of a project, except `archived`. Datasets are exported again. */
export async function reading(services: TestServices, project: string, ids: readonly string[]) {
  const { results: exported } = await bindings.DB.prepare('SELECT key FROM exports WHERE project = ?')
    .bind(project)
    .all<{ key: string }>()
  await bindings.DATASETS.delete(exported.map(({ key }) => key))
  await bindings.DB.prepare('DELETE FROM exports WHERE project = ?').bind(project).run()
  const without = (value: Record<string, unknown>): Record<string, unknown> => ({ ...value, archived: null })
  const whole = []
  for (const id of ids) whole.push(without(await call(getInteraction, services, { interaction_id: id })))
  const listed = await call<{ interactions: Record<string, unknown>[] }>(listInteractions, services, {
    project,
    limit: 100,
  })
  const datasets = []
  for (const input of [
    { min_value_score: 0 },
    { format: 'kto' },
    { format: 'dpo' },
    { split: 'train', min_value_score: 0 },
    { split: 'validation', min_value_score: 0 },
  ]) {
    const { sha256, rows, bytes, skipped } = await generate(services, project, input)
    datasets.push({ sha256, rows, bytes, skipped })
  }
  const table = async (name: string) =>
    (await bindings.DB.prepare(`SELECT * FROM ${name} WHERE project = ? ORDER BY 1, 2, 3, 4, 5`).bind(project).all())
      .results
  const { oldestPendingAt: _, ...learning } = (await learningFigures(
    services.database,
    project,
    0.3,
  )) as unknown as Record<string, unknown>
  return {
    whole,
    listed: listed.interactions.map(without),
    datasets,
    usage: await usageFigures(services.database, project),
    learning: { ...learning, jobs: await jobCounts(project) },
    examples: await outcomeExamples(services.database, project, 1_000, 2_000, 1_000_000),
    votes: await votesOfProject(services, project),
    credit: [await table('context_votes'), await table('context_credit')],
  }
}

/** Counts of the jobs caused by interactions. */
async function jobCounts(project: string) {
  const { results } = await bindings.DB.prepare(
    "SELECT kind, status, n FROM rollup_jobs WHERE project = ? AND kind <> 'archive_interactions' AND n <> 0 ORDER BY kind, status",
  )
    .bind(project)
    .all()
  return results
}

/**
 * Every rollup equals its recount; every file is registered, and every archived row is in its file exactly once; R2
 * contains nothing else.
 */
export async function expectSound(services: TestServices, project: string): Promise<void> {
  expect(await recountRollups(services.database)).toEqual([])
  const { results: archives } = await bindings.DB.prepare('SELECT * FROM archives WHERE project = ?')
    .bind(project)
    .all<{
      id: string
      status: string
      lines: number
      stale: number
    }>()
  const { objects } = await bindings.DATASETS.list({ prefix: archivePrefix(project) })
  expect(objects.map(({ key }) => key).sort()).toEqual(archives.map(({ id }) => archiveKey({ id, project })).sort())
  for (const { id, status, lines, stale } of archives) {
    expect({ status, stale }).toEqual({ status: 'stored', stale: 0 })
    const held = [...((await readFile(bindings.DATASETS, { id, project }))?.keys() ?? [])].sort()
    const { results } = await bindings.DB.prepare('SELECT id FROM interactions WHERE archive_id = ? ORDER BY id')
      .bind(id)
      .all<{ id: string }>()
    expect(held).toEqual(results.map((row) => row.id))
    expect(lines).toBe(held.length)
  }
}

/** Number of dependent rows of a project's interactions, by table. */
export async function dependentRows(ids: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [name, column] of Object.entries(MOVED)) {
    counts[name] =
      (await bindings.DB.prepare(
        `SELECT count(*) AS n FROM ${name} WHERE ${column} IN (SELECT value FROM json_each(?))`,
      )
        .bind(JSON.stringify(ids))
        .first<number>('n')) ?? 0
  }
  return counts
}
