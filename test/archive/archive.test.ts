/** Interactions without recent changes move to R2, which is visible only in the size of the database. */
import { describe, expect, test } from 'vitest'
import { archiveInteractions, archiveNext } from '../../src/archive/archive.ts'
import { archivePrefix } from '../../src/archive/file.ts'
import { restore } from '../../src/archive/restore.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import type { Services } from '../../src/services.ts'
import { KillSwitch, mortalServices } from '../jobs/faults.ts'
import { bindings, call, exchange, freshProject } from '../outcomes/support.ts'
import {
  archivingServices,
  caller,
  DAY,
  dependentRows,
  expectSound,
  night,
  plantPast,
  reading,
  settle,
} from './archive-support.ts'

const archivedCount = (project: string) =>
  bindings.DB.prepare('SELECT count(*) AS n FROM interactions WHERE project = ? AND archive_id IS NOT NULL')
    .bind(project)
    .first<number>('n')

describe('after the move', () => {
  test('every answer, statistic, credit and dataset is byte-identical', async () => {
    const services = archivingServices()
    const project = freshProject()
    const ids = await plantPast(services, project, 9)
    const before = await reading(services, project, ids)
    expect(before.datasets.filter(({ rows }) => rows > 0).length).toBeGreaterThan(3)
    expect(before.votes.length).toBeGreaterThan(6)
    services.clock.advance(31 * DAY)
    await night(services, project)
    expect(await archivedCount(project)).toBe(9)
    expect(await dependentRows(ids)).toEqual({ interaction_contexts: 0, outcome_events: 0, outcome_votes: 0, jobs: 0 })
    const row = await bindings.DB.prepare(
      'SELECT octet_length(query) + octet_length(response) AS n FROM interactions WHERE id = ?',
    )
      .bind(ids[2])
      .first<number>('n')
    expect(row).toBeLessThan(100)
    expect(await reading(services, project, ids)).toEqual(before)
    await expectSound(services, project)
  })

  test('a late or repeated outcome finds its interaction', async () => {
    const services = archivingServices()
    const project = freshProject()
    const ids = await plantPast(services, project, 6)
    const twin = freshProject()
    const twins = await plantPast(services, twin, 6)
    services.clock.advance(31 * DAY)
    await night(services, project)
    const late = async (of: readonly string[]) => {
      const again = await call<{ status: string }>(
        updateOutcome,
        services,
        { interaction_id: of[0], outcome: 'failure', idempotency_key: 'first' },
        caller('alice'),
      )
      expect(again.status).toBe('unchanged')
      await call(updateOutcome, services, { interaction_id: of[1], outcome: 'failure' }, caller('bob'))
      await call(updateOutcome, services, { interaction_id: of[4], outcome: 'success' }, caller('carol'))
    }
    await late(ids)
    await settle(services, project)
    expect(await archivedCount(project)).toBe(3)
    // The twin was never in R2.
    await late(twins)
    await settle(services, twin)
    const figures = async (of: string) => {
      const { results } = await bindings.DB.prepare(
        'SELECT collection, item_id, caller, successes, partials, failures FROM context_votes WHERE project = ? ORDER BY 1, 2, 3',
      )
        .bind(of)
        .all()
      const { results: scores } = await bindings.DB.prepare(
        'SELECT outcome, revision, value_score FROM interactions WHERE project = ? ORDER BY id',
      )
        .bind(of)
        .all()
      return { results, scores }
    }
    expect(await figures(project)).toEqual(await figures(twin))
    services.clock.advance(31 * DAY)
    await night(services, project)
    expect(await archivedCount(project)).toBe(6)
    await expectSound(services, project)
  })

  test('a correction reads the answer from the archive, and a repeated idempotency key tracks nothing twice', async () => {
    const services = archivingServices()
    const project = freshProject()
    const [id = ''] = await plantPast(services, project, 2)
    const { response } = await call<{ response: string }>(getInteraction, services, { interaction_id: id })
    services.clock.advance(31 * DAY)
    await night(services, project)
    const { feedback_id } = await call<{ feedback_id: string }>(learningFeedback, services, {
      project,
      query: 'q',
      correction: 'c',
      interaction_id: id,
    })
    const original = await bindings.DB.prepare('SELECT original_response FROM corrections WHERE id = ?')
      .bind(feedback_id)
      .first('original_response')
    expect(original).toBe(response)
    const again = await call<{ interaction_id: string }>(
      trackInteraction,
      services,
      exchange(project, { idempotency_key: 'track-0' }),
    )
    expect(again.interaction_id).toBe(id)
  })
})

describe('interactions that are not archived', () => {
  test('changed recently, with open jobs, or if the setting is 0', async () => {
    const project = freshProject()
    const off = archivingServices({ ARCHIVE_AFTER_DAYS: '0' })
    const ids = await plantPast(off, project, 3)
    off.clock.advance(1_000 * DAY)
    await night(off, project)
    expect(await archivedCount(project)).toBe(0)
    const services = archivingServices()
    services.clock.time = off.clock.time
    await call(updateOutcome, services, { interaction_id: ids[0], outcome: 'failure' }, caller('zoe'))
    await settle(services, project)
    await bindings.DB.prepare("UPDATE jobs SET status = 'pending', run_after = ? WHERE subject = ?")
      .bind(services.clock.time + 9e9, ids[1])
      .run()
    await night(services, project)
    const { results } = await bindings.DB.prepare(
      'SELECT id FROM interactions WHERE project = ? AND archive_id IS NOT NULL',
    )
      .bind(project)
      .all<{ id: string }>()
    expect(results.map(({ id }) => id)).toEqual([ids[2]])
  })

  test('changed between being read and being moved, in their rows or dependents', async () => {
    const services = archivingServices()
    const project = freshProject()
    const ids = await plantPast(services, project, 5)
    services.clock.advance(31 * DAY)
    const meddling: Services = {
      ...services,
      datasets: new Proxy(services.datasets, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown
          if (name !== 'put') return typeof value === 'function' ? value.bind(target) : value
          return async (...parameters: Parameters<R2Bucket['put']>) => {
            await call(updateOutcome, services, { interaction_id: ids[0], outcome: 'partial' }, caller('late'))
            await bindings.DB.prepare(
              "UPDATE outcome_votes SET caller = 'someone' WHERE caller = 'alice' AND interaction_id = ?",
            )
              .bind(ids[1])
              .run()
            await bindings.DB.prepare('DELETE FROM outcome_events WHERE interaction_id = ?').bind(ids[2]).run()
            return target.put(...parameters)
          }
        },
      }),
    }
    expect(await archiveNext(meddling, project)).toBe(true)
    const { results } = await bindings.DB.prepare(
      'SELECT id FROM interactions WHERE project = ? AND archive_id IS NOT NULL ORDER BY id',
    )
      .bind(project)
      .all<{ id: string }>()
    expect(results.map(({ id }) => id)).toEqual([ids[3], ids[4]])
    await settle(services, project)
    const outcome = await call<{ outcome: string }>(getInteraction, services, { interaction_id: ids[0] })
    expect(outcome.outcome).toBe('partial')
    services.clock.advance(DAY)
    await night(services, project)
    await expectSound(services, project)
  })
})

test('killed between any two steps, nothing is lost, duplicated or left over', async () => {
  const services = archivingServices()
  const project = freshProject()
  const ids = await plantPast(services, project, 4)
  const before = await reading(services, project, ids)
  let deaths = 0
  for (let steps = 0; steps < 22; steps++) {
    // Restored, as by a late outcome: its archive must be rewritten, and it moves to another one.
    await restore(services, [String(ids[steps % 3])])
    services.clock.advance(31 * DAY)
    const kill = new KillSwitch(steps, steps % 4 < 2)
    await archiveInteractions(
      mortalServices(services, kill, () => undefined),
      project,
    ).catch(() => undefined)
    if (kill.dead) deaths++
    expect(await call(getInteraction, services, { interaction_id: ids[3] })).toMatchObject({
      query: before.whole[3]?.query,
      response: before.whole[3]?.response,
      contexts: before.whole[3]?.contexts,
      history: before.whole[3]?.history,
    })
  }
  expect(deaths).toBeGreaterThan(15)
  services.clock.advance(31 * DAY)
  await night(services, project)
  await expectSound(services, project)
  expect(await archivedCount(project)).toBe(4)
})

test('a lost file is reported, and its figures still count', async () => {
  const services = archivingServices()
  const project = freshProject()
  const [id] = await plantPast(services, project, 1)
  services.clock.advance(31 * DAY)
  await night(services, project)
  const { objects } = await bindings.DATASETS.list({ prefix: archivePrefix(project) })
  await bindings.DATASETS.delete(objects.map(({ key }) => key))
  await expect(call(getInteraction, services, { interaction_id: id })).rejects.toMatchObject({
    code: 'engine_unavailable',
    message: expect.stringContaining(String(id)),
  })
  const counted = await bindings.DB.prepare('SELECT sum(n) AS n FROM rollup_interactions WHERE project = ?')
    .bind(project)
    .first('n')
  expect(counted).toBe(1)
})
