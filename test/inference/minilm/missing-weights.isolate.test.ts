/**
 * The whole Worker with the sentence embedder, but without its weights file, like a deployment without public/models.
 */
import { expect, test } from 'vitest'
import { buildServices } from '../../../src/build-services.ts'
import { toBase64 } from '../../../src/encoding.ts'
import type { Env } from '../../../src/env.ts'
import { runDueJobs } from '../../../src/jobs/run-job.ts'
import { bindings as embedding, call as send } from './worker.ts'

const bindings = {
  ...embedding,
  ASSETS: { fetch: async () => new Response('Not found', { status: 404 }) },
} as unknown as Env

const call = (method: string, path: string, body?: unknown) => send(method, path, body, bindings)

test("keyword search answers; the job waits; vectors that can't be checked are rejected; /ready states the reason", async () => {
  const project = `bare-${Date.now().toString(36)}`
  const collection = 'best-practices'
  const items = [{ key: 'folders', fields: { title: 'folders', description: 'Use rm -rf to delete folders.' } }]
  expect((await call('POST', '/knowledge/items', { project, collection, items })).status).toBe(200)

  const found = await call('POST', '/hybrid_search', { project, query: 'delete folders' })
  expect((found.body.combined_results as { fields: { title: string } }[])[0]?.fields.title).toBe('folders')

  const services = buildServices(bindings)
  expect((await runDueJobs(services, project, 10)).kinds.get('embed_collection')).toMatchObject({ waiting: 1 })

  const work = await call('POST', '/knowledge/vectors/pending', { project, collection })
  const [item] = work.body.items as { id: string; hash: string }[]
  const vectors = [{ ...item, vector: toBase64(new Uint8Array(256).fill(1)) }].map(({ id, hash, vector }) => ({
    id,
    hash,
    vector,
  }))
  const sent = await call('POST', '/knowledge/vectors', { project, collection, space: 'minilm-l6-256-v1', vectors })
  expect(sent.status).toBe(503)
  expect(sent.body).toMatchObject({ code: 'engine_unavailable', hint: expect.stringContaining('public/') })

  const ready = await call('GET', '/ready')
  expect(ready.body.dependencies).toContainEqual(
    expect.objectContaining({ name: 'embedder', state: 'down', error: expect.stringContaining('missing') }),
  )
})
