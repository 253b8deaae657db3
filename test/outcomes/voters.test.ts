import { describe, expect, it } from 'vitest'
import { prepareItem } from '../../src/knowledge/prepare.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { anyone, bindings, call, exchange, freshProject, silentEmbedder, testServices } from './support.ts'

interface Tracked {
  interaction_id: string
}

describe('voters', () => {
  it('no single caller can outvote the others, however many interactions it reports on', async () => {
    const services = testServices()
    const project = freshProject()
    const scope = { project, collection: 'best-practices' as const }
    const given = { key: 'one', fields: { title: 't', description: 'd' }, provenance: 'human' as const }
    const item = await prepareItem(project, 'best-practices', given, silentEmbedder)
    await services.knowledge.upsert(scope, [item])
    const hostile = { ...anyone, id: 'hostile' }
    for (let i = 0; i < 25; i++) {
      const input = exchange(project, { query: `zebra ${i}`, context_ids: [`best-practices/${item.id}`] })
      const { interaction_id } = await call<Tracked>(trackInteraction, services, input)
      const honest = { ...anyone, id: `honest-${i % 5}` }
      await call(updateOutcome, services, { interaction_id, outcome: 'success' }, honest)
      for (const outcome of ['partial', 'failure'])
        await call(updateOutcome, services, { interaction_id, outcome }, hostile)
    }
    for (let round = 0; round < 5; round++) await call(processLearning, services, { project, limit: 60 })
    const [stored] = await services.knowledge.get(scope, [item.id])
    expect(stored?.credit).toEqual({ successes: 25, partials: 0, failures: 2 * 5 })
    const counted = await bindings.DB.prepare(
      'SELECT successes, partials, failures FROM context_credit WHERE item_id = ?',
    )
    expect(await counted.bind(item.id).first()).toEqual({ successes: 25, partials: 0, failures: 25 })
  })
})
