import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { augmentQuery } from '../../src/operations/context/augment-query.ts'
import { searchContext } from '../../src/operations/context/search-context.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { call, exchange } from './support.ts'

it('learns on the embedded store: novelty, credit, history and corrections', async () => {
  const services = { ...buildServices(env), enqueueJobs: async () => undefined }
  const project = 'embedded'
  await call(storeKnowledge, services, {
    project,
    collection: 'best-practices',
    items: [
      {
        fields: {
          title: 'Reload the reverse proxy',
          description: 'Check the configuration, then reload the reverse proxy.',
        },
      },
    ],
  })
  const query = 'How do I reload the reverse proxy?'
  const augmented = await call<{ context_ids: string[] }>(augmentQuery, services, { project, query })
  expect(augmented.context_ids).toHaveLength(1)
  const ids: string[] = []
  for (let i = 0; i < 2; i++) {
    const input = exchange(project, { query, context_ids: augmented.context_ids })
    ids.push((await call<{ interaction_id: string }>(trackInteraction, services, input)).interaction_id)
  }
  for (const interaction_id of ids) await call(updateOutcome, services, { interaction_id, outcome: 'success' })
  // A call ends with its budget: a slow engine needs several.
  for (let ran = 1; ran > 0; ) ran = (await call<{ ran: number }>(processLearning, services, { project })).ran
  const read = await Promise.all(
    ids.map((interaction_id) =>
      call<{ value_parts: { novelty: number } }>(getInteraction, services, {
        interaction_id,
      }),
    ),
  )
  expect(read.map(({ value_parts }) => value_parts.novelty)).toEqual([0.1, 0])
  const { results } = await env.DB.prepare('SELECT successes FROM context_credit WHERE project = ?').bind(project).all()
  expect(results).toEqual(augmented.context_ids.map(() => ({ successes: 2 })))
  const [stored] = await services.knowledge.get({ project, collection: 'best-practices' }, [
    augmented.context_ids[0]?.split('/')[1] ?? '',
  ])
  expect(stored?.credit).toEqual({ successes: 2, partials: 0, failures: 0 })
  const history = await call<{ items: { payload: object }[] }>(searchContext, services, {
    project,
    collection: 'interaction-history',
    query: 'reverse proxy',
  })
  expect(JSON.stringify(history)).toContain('"outcome":"success"')
  const skills = await call(searchContext, services, { project, collection: 'skills-patterns', query })
  expect(JSON.stringify(skills)).toContain('"extracted_by":"rules"')
  const corrected = await call<{ index: string; context_id: string }>(learningFeedback, services, {
    project,
    query,
    correction: 'Test the configuration of the reverse proxy first.',
    interaction_id: ids[0],
  })
  expect(corrected.index).toBe('indexed')
  const found = await call(searchContext, services, {
    project,
    collection: 'learning-feedback',
    query: 'reload reverse proxy',
  })
  expect(JSON.stringify(found)).toContain(corrected.context_id)
})
