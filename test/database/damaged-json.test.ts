import { describe, expect, it } from 'vitest'
import { decidedOutcomes, findDecision } from '../../src/database/queries/routing.ts'
import { createKey } from '../../src/operations/administration/create-key.ts'
import { listAuditLog } from '../../src/operations/administration/list-audit-log.ts'
import { listKeys } from '../../src/operations/administration/list-keys.ts'
import { augmentQuery } from '../../src/operations/context/augment-query.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { generateTrainingData } from '../../src/operations/training-data/generate-training-data.ts'
import { listDatasets } from '../../src/operations/training-data/list-datasets.ts'
import { bindings, call, exchange, finish, freshProject, testServices } from '../outcomes/support.ts'

/** Text that a disk error or a faulty writer could leave in a JSON column. */
const DAMAGES = ['{"cut":', '', '7', 'null']

describe.each(DAMAGES)('a row whose JSON reads %j', (damage) => {
  it('of a key: it is listed without scopes, with the others', async () => {
    const services = testServices()
    const project = freshProject()
    const made: string[] = []
    for (const name of ['one', 'two']) {
      const input = { name, scopes: ['read'], project }
      made.push((await call<{ key_id: string }>(createKey, services, input)).key_id)
    }
    await bindings.DB.prepare('UPDATE keys SET scopes = ? WHERE id = ?').bind(damage, made[0]).run()
    const { keys } = await call<{ keys: { key_id: string; scopes: string[] }[] }>(listKeys, services, {})
    const scopes = new Map(keys.map((key) => [key.key_id, key.scopes]))
    expect(made.map((id) => scopes.get(id))).toEqual([[], ['read']])
  })

  it('of the audit log: the action is listed without its input', async () => {
    const services = testServices()
    const id = '0190b6f0-0000-7000-8000-00000000aaaa'
    await bindings.DB.prepare(
      "INSERT OR REPLACE INTO audit_log (id, caller, operation, input, outcome, created_at) VALUES (?, 'k', 'create_key', ?, 'done', 1)",
    )
      .bind(id, damage)
      .run()
    const { acts } = await call<{ acts: { act_id: string; input: object }[] }>(listAuditLog, services, { limit: 100 })
    expect(acts.find(({ act_id: act }) => act === id)?.input).toEqual({})
  })

  it.each(['filters', 'sheet', 'skipped'])('of a dataset (%s): the list is answered', async (column) => {
    const services = testServices()
    const project = freshProject()
    await call(trackInteraction, services, exchange(project))
    await bindings.DB.prepare("UPDATE interactions SET outcome = 'success', value_score = 1 WHERE project = ?")
      .bind(project)
      .run()
    await finish(generateTrainingData, services, { project, format: 'alpaca' })
    await bindings.DB.prepare(`UPDATE exports SET ${column} = ? WHERE project = ?`).bind(damage, project).run()
    const { datasets } = await call<{ datasets: object[] }>(listDatasets, services, { project })
    expect(datasets).toHaveLength(1)
  })

  it('of a routing decision: it is not counted', async () => {
    const services = testServices()
    const project = freshProject()
    const id = '0190b6f0-0000-7000-8000-00000000bbbb'
    await bindings.DB.prepare(
      `INSERT OR REPLACE INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at)
       VALUES (?, ?, 'q', 'hybrid', 'local', ?, 1, 1)`,
    )
      .bind(id, project, damage)
      .run()
    await call(trackInteraction, services, { ...exchange(project), decision_id: id })
    await bindings.DB.prepare("UPDATE interactions SET outcome = 'success' WHERE project = ?").bind(project).run()
    expect(await findDecision(services.database, project, id)).toMatchObject({ record: {} })
    expect(await decidedOutcomes(services.database, project, 10)).toEqual([])
  })

  it('of a retrieval: an answer that names it is stored', async () => {
    const services = testServices()
    const project = freshProject()
    const { retrieval_id: retrieval } = await call<{ retrieval_id: string }>(augmentQuery, services, {
      project,
      query: 'where do lanterns hang?',
    })
    await bindings.DB.prepare('UPDATE retrievals SET shown = ? WHERE id = ?').bind(damage, retrieval).run()
    const tracked = call(trackInteraction, services, { ...exchange(project), retrieval_id: retrieval })
    await expect(tracked).resolves.toMatchObject({ interaction_id: expect.any(String) })
  })
})
