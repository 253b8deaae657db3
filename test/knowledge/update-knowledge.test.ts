import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { listKnowledge } from '../../src/operations/knowledge/list-knowledge.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { updateKnowledge } from '../../src/operations/knowledge/update-knowledge.ts'
import { call } from '../outcomes/support.ts'

const collection = 'best-practices'

it('keeps the fields of all concurrent changes', async () => {
  const services = { ...buildServices(env), enqueueJobs: async () => undefined }
  const project = 'concurrent-updates'
  const fields = { title: 'Reload the proxy', description: 'Check the configuration first.' }
  await call(storeKnowledge, services, { project, collection, items: [{ key: 'reload', fields }] })
  const read = async () => {
    const { items } = await call<{ items: { id: string; fields: Record<string, unknown> }[] }>(
      listKnowledge,
      services,
      {
        project,
        collection,
      },
    )
    return items[0]
  }
  const id = (await read())?.id
  const changes = [{ category: 'operations' }, { examples: ['nginx -s reload'] }, { description: 'Check it.' }]
  await Promise.all(
    changes.map((change) => call(updateKnowledge, services, { project, collection, id, fields: change })),
  )
  expect((await read())?.fields).toMatchObject(Object.assign({}, ...changes))
})
