import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { augmentQuery } from '../../src/operations/context/augment-query.ts'
import { getContextItems } from '../../src/operations/context/get-context-items.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { routeQuery } from '../../src/operations/routing/route-query.ts'
import { call } from '../outcomes/support.ts'

it('a failed log write does not fail the answer, and is reported', async () => {
  const services = { ...buildServices({ ...env, RELEVANCE_THRESHOLD: '0' }), enqueueJobs: async () => undefined }
  const project = 'failed-log'
  const fields = { title: 'Reload the proxy', description: 'Check the configuration of the proxy, then reload it.' }
  await call(storeKnowledge, services, { project, collection: 'best-practices', items: [{ key: 'a', fields }] })
  for (const table of ['retrievals', 'routing_decisions'])
    await env.DB.prepare(
      `CREATE TRIGGER fail_${table} BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
    ).run()
  const query = 'How do I reload the proxy?'
  const augmented = await call<{ context_ids: string[]; degraded: string[] }>(augmentQuery, services, {
    project,
    query,
  })
  expect(augmented.context_ids).toHaveLength(1)
  expect(augmented.degraded).toEqual(['log'])
  const items = { project, context_ids: augmented.context_ids }
  const got = await call<{ items: unknown[]; degraded: string[] }>(getContextItems, services, items)
  expect(got.items).toHaveLength(1)
  expect(got.degraded).toEqual(['log'])
  const routed = await call<{ results: unknown[]; degraded: string[] }>(routeQuery, services, { project, query })
  expect(routed.results).toHaveLength(1)
  expect(routed.degraded).toEqual(['log'])
})
