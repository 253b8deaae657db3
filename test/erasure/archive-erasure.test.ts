/** Deleted data is not found in any archive: neither where it was moved to, nor where it was moved from. */
import { expect, test } from 'vitest'
import { archivePrefix, readFile } from '../../src/archive/file.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import { deleteData } from '../../src/operations/administration/delete-data.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { archivingServices, caller, DAY, expectSound, night, plantPast, settle } from '../archive/archive-support.ts'
import { KillSwitch, mortalServices } from '../jobs/faults.ts'
import { bindings, call, freshProject, type TestServices } from '../outcomes/support.ts'

interface Receipt {
  deletion_id: string
  complete: boolean
  before: Record<string, number>
  deleted: Record<string, number>
  after: Record<string, number>
}

/** An archived project with one restored interaction, whose line is left over in a file. */
async function archived(services: TestServices, count: number) {
  const project = freshProject()
  const ids = await plantPast(services, project, count)
  services.clock.advance(31 * DAY)
  await night(services, project)
  await call(updateOutcome, services, { interaction_id: ids[0], outcome: 'failure' }, caller('late'))
  await settle(services, project)
  return { project, ids }
}

/** The content of all archives of a project, as text. */
async function archivedText(project: string): Promise<string> {
  const { objects } = await bindings.DATASETS.list({ prefix: archivePrefix(project) })
  const texts = []
  for (const { key } of objects) {
    const id = key.slice(archivePrefix(project).length).replace('.jsonl.gz', '')
    texts.push(JSON.stringify([...((await readFile(bindings.DATASETS, { id, project }))?.values() ?? [])]))
  }
  return texts.join('\n')
}

const credit = async (project: string) =>
  (
    await bindings.DB.prepare(
      'SELECT item_id, caller, successes, partials, failures FROM context_votes WHERE project = ? AND successes + partials + failures > 0 ORDER BY 1, 2',
    )
      .bind(project)
      .all()
  ).results

test('a conversation is deleted from tables and archives, with the credit that it gave', async () => {
  const services = archivingServices()
  const { project, ids } = await archived(services, 6)
  const twin = await archived(archivingServices({ ARCHIVE_AFTER_DAYS: '0' }), 6)
  const remove = (of: string) =>
    call<Receipt>(deleteData, services, {
      what: 'conversation',
      project: of,
      conversation_id: 'talk-0',
      confirm: 'talk-0',
    })
  expect(await archivedText(project)).toContain(ids[0])
  const receipt = await remove(project)
  expect(receipt).toMatchObject({ complete: true, deleted: { interactions: 3, archives_rewritten: 1 } })
  await remove(twin.project)
  expect(await credit(project)).toEqual(await credit(twin.project))
  const text = await archivedText(project)
  for (const [i, id] of ids.entries()) expect(text.includes(id)).toBe(i % 2 === 1)
  await expect(call(getInteraction, services, { interaction_id: ids[2] })).rejects.toMatchObject({ code: 'not_found' })
  expect(await call(getInteraction, services, { interaction_id: ids[3] })).toMatchObject({ archived: true })
  await settle(services, project)
  await expectSound(services, project)
})

test('a key is removed from its reports on others, including archived ones', async () => {
  const services = archivingServices()
  const { project, ids } = await archived(services, 6)
  expect(await archivedText(project)).toContain('bob')
  const receipt = await call<Receipt>(deleteData, services, { what: 'key', key_id: 'bob', project, confirm: 'bob' })
  expect(receipt).toMatchObject({ complete: true, before: { archives: 1 }, after: { archives: 0 } })
  expect(receipt.deleted.votes).toBeGreaterThan(0)
  expect(await archivedText(project)).not.toContain('bob')
  expect((await credit(project)).filter((row) => row.caller === 'bob')).toEqual([])
  for (const id of ids) await call(getInteraction, services, { interaction_id: id })
  await settle(services, project)
  services.clock.advance(31 * DAY)
  await night(services, project)
  await expectSound(services, project)
})

test('a project is deleted with its files; killed after any step, the deletion continues', async () => {
  const services = archivingServices()
  const { project } = await archived(services, 4)
  const other = await archived(services, 2)
  const dying = (steps: number) => mortalServices(services, new KillSwitch(steps, steps % 2 === 0), () => undefined)
  const input = { what: 'project', project, confirm: project }
  await call(deleteData, dying(2), input).catch(() => undefined)
  const job = await bindings.DB.prepare(
    "SELECT id FROM jobs WHERE kind = 'delete_data' AND status <> 'done'",
  ).first<string>('id')
  for (let steps = 5; steps < 60; steps += 5) {
    await bindings.DB.prepare(
      "UPDATE jobs SET run_after = 0, attempts = 0, status = 'pending' WHERE id = ? AND status <> 'done'",
    )
      .bind(job)
      .run()
    await runJob(dying(steps), String(job)).catch(() => undefined)
  }
  const receipt = await call<Receipt>(deleteData, services, input)
  expect(receipt.complete).toBe(true)
  expect(Object.values(receipt.after).every((count) => count === 0)).toBe(true)
  expect((await bindings.DATASETS.list({ prefix: archivePrefix(project) })).objects).toEqual([])
  expect(await archivedText(other.project)).toContain(other.ids[1])
})

test('an interaction whose file was lost can still be deleted', async () => {
  const services = archivingServices()
  const { project, ids } = await archived(services, 2)
  const { objects } = await bindings.DATASETS.list({ prefix: archivePrefix(project) })
  await bindings.DATASETS.delete(objects.map(({ key }) => key))
  const receipt = await call<Receipt>(deleteData, services, {
    what: 'conversation',
    project,
    conversation_id: 'talk-1',
    confirm: 'talk-1',
  })
  expect(receipt).toMatchObject({ complete: true, deleted: { interactions: 1 } })
  await expect(call(getInteraction, services, { interaction_id: ids[1] })).rejects.toMatchObject({ code: 'not_found' })
})
