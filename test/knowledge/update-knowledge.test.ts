import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { listKnowledge } from '../../src/operations/knowledge/list-knowledge.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { updateKnowledge } from '../../src/operations/knowledge/update-knowledge.ts'
import { anyone, call } from '../outcomes/support.ts'

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
  const answers = await Promise.all(
    changes.map((change) =>
      call<{ status: string }>(updateKnowledge, services, { project, collection, id, fields: change }),
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual(['updated', 'updated', 'updated'])
  expect((await read())?.fields).toMatchObject(Object.assign({}, ...changes))
})

it('counts as written if another change follows before the write is confirmed', async () => {
  const built = buildServices(env)
  const project = 'followed-update'
  const services = { ...built, enqueueJobs: async () => undefined }
  const fields = { title: 'Reload the proxy', description: 'Check the configuration first.' }
  const item = { key: 'reload', fields }
  const stored = await call<{ results: { context_id: string }[] }>(storeKnowledge, services, {
    project,
    collection,
    items: [item],
  })
  const id = stored.results[0]?.context_id.split('/')[1]
  let unconfirmed = true
  const knowledge = new Proxy(built.knowledge, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'upsert') return typeof value === 'function' ? value.bind(target) : value
      return async (...given: Parameters<typeof target.upsert>) => {
        const statuses = await target.upsert(...given)
        if (!unconfirmed) return statuses
        unconfirmed = false
        return statuses.map(() => 'conflict' as const)
      }
    },
  })
  const change = { project, collection, id, fields: { category: 'operations' } }
  const second = { ...anyone, id: 'second' }
  const answer = await call<{ status: string }>(updateKnowledge, { ...services, knowledge }, change, second)
  expect(answer.status).toBe('updated')
  const writers = await env.DB.prepare(
    "SELECT count(*) AS n FROM knowledge_writers WHERE project = ? AND caller = 'second'",
  )
    .bind(project)
    .first<number>('n')
  expect(writers).toBe(1)
})
