import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { deleteDocuments } from '../../src/operations/knowledge/delete-documents.ts'
import { deleteKnowledge } from '../../src/operations/knowledge/delete-knowledge.ts'
import { ingestDocuments } from '../../src/operations/knowledge/ingest-documents.ts'
import { listKnowledge } from '../../src/operations/knowledge/list-knowledge.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { call, exchange } from './support.ts'

const collection = 'best-practices'
const item = { key: 'reload', fields: { title: 'Reload the proxy', description: 'Check the configuration first.' } }
const services = { ...buildServices(env), enqueueJobs: async () => undefined }

/** Reports and counts one outcome of an interaction whose context is the only item of a project. */
async function vote(project: string, id: string, outcome: string): Promise<void> {
  const input = exchange(project, { context_ids: [`${collection}/${id}`] })
  const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, input)
  await call(updateOutcome, services, { interaction_id, outcome })
  await call(processLearning, services, { project })
}

async function creditOf(project: string, id: string): Promise<unknown> {
  const [stored] = await services.knowledge.get({ project, collection }, [id])
  return stored?.credit
}

it.each([
  {
    what: 'an item',
    store: (project: string) => call(storeKnowledge, services, { project, collection, items: [item, item] }),
    remove: (project: string, id: string) => call(deleteKnowledge, services, { project, collection, id }),
  },
  {
    what: "a document's item",
    store: (project: string) => {
      const documents = [{ path: 'proxy.md', hash: '1', items: [item] }]
      return call(ingestDocuments, services, { project, collection, source: 'handbook', documents })
    },
    remove: (project: string) =>
      call(deleteDocuments, services, { project, collection, source: 'handbook', paths: ['proxy.md'] }),
  },
])('$what that was deleted and is stored again has the credit of all its votes', async ({ what, store, remove }) => {
  const project = what.replaceAll(/\W/g, '-')
  await store(project)
  const { items } = await call<{ items: { id: string }[] }>(listKnowledge, services, { project, collection })
  const id = items[0]?.id ?? ''
  await vote(project, id, 'success')
  await vote(project, id, 'failure')
  expect(await creditOf(project, id)).toEqual({ successes: 1, partials: 0, failures: 1 })
  await remove(project, id)
  expect(await creditOf(project, id)).toBeUndefined()
  await vote(project, id, 'success')
  await store(project)
  expect(await creditOf(project, id)).toEqual({ successes: 2, partials: 0, failures: 1 })
  await vote(project, id, 'partial')
  expect(await creditOf(project, id)).toEqual({ successes: 2, partials: 1, failures: 1 })
})
