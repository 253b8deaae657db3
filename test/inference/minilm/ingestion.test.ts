import { beforeAll, describe, expect, test } from 'vitest'
import { buildServices } from '../../../src/build-services.ts'
import { listJobs } from '../../../src/database/queries/jobs.ts'
import { toBase64 } from '../../../src/encoding.ts'
import type { Env } from '../../../src/env.ts'
import type { MiniLm } from '../../../src/inference/embedding/minilm/model.ts'
import { embeddingSubject } from '../../../src/jobs/embed-collection.ts'
import { runDueJobs } from '../../../src/jobs/run-job.ts'
import { loadModel, weights } from './support.ts'
import { bindings, call } from './worker.ts'

let model: MiniLm
beforeAll(async () => {
  model = await loadModel(await weights())
})

let projects = 0
const freshProject = () => `minilm-${Date.now().toString(36)}-${projects++}`

const PRACTICES = {
  folders: 'Use rm -rf to delete folders recursively.',
  backups: 'Copy the database to another disk each night.',
  logs: 'Write one line to the log for each request.',
}

async function stored(project: string): Promise<void> {
  const items = Object.entries(PRACTICES).map(([key, description]) => ({
    key,
    fields: { title: key, description },
  }))
  const { status } = await call('POST', '/knowledge/items', { project, collection: 'best-practices', items })
  expect(status).toBe(200)
}

async function semantic(project: string, query: string): Promise<string[]> {
  const { body } = await call('POST', '/hybrid_search', { project, query, mode: 'semantic', score_threshold: 0 })
  return (body.combined_results as { fields: { title: string } }[]).map(({ fields }) => fields.title)
}

interface Pending {
  id: string
  hash: string
  text: string
}

async function pending(project: string): Promise<Pending[]> {
  const { body } = await call('POST', '/knowledge/vectors/pending', { project, collection: 'best-practices' })
  expect(body).toMatchObject({ space: 'minilm-l6-256-v1', dimensions: 256, by: 'client' })
  return body.items as Pending[]
}

function encoded(text: string): string {
  const vector = model.embed(text, 128) ?? new Float32Array(256)
  const peak = Math.max(...vector.map(Math.abs))
  return toBase64(new Uint8Array(Int8Array.from(vector, (value) => Math.round((value / peak) * 127)).buffer))
}

const send = (project: string, vectors: unknown[], space = 'minilm-l6-256-v1') =>
  call('POST', '/knowledge/vectors', { project, collection: 'best-practices', space, vectors })

describe('items without vectors', () => {
  test('are found by keyword immediately, and by meaning after the job', async () => {
    const project = freshProject()
    await stored(project)
    const { body } = await call('POST', '/hybrid_search', { project, query: 'delete folders', score_threshold: 0 })
    expect((body.combined_results as { fields: { title: string } }[])[0]?.fields.title).toBe('folders')
    expect(await semantic(project, 'remove a directory and all its files')).toEqual([])
    const services = buildServices(bindings)
    const { kinds } = await runDueJobs(services, project, 10)
    expect(kinds.get('embed_collection')).toMatchObject({ done: 1 })
    expect((await semantic(project, 'remove a directory and all its files'))[0]).toBe('folders')
    expect((await semantic(project, 'what if the disk breaks?'))[0]).toBe('backups')
  })

  test('wait for a client that has listed them, and are embedded by the job if it disappears', async () => {
    const project = freshProject()
    await pending(project)
    await stored(project)
    expect(await pending(project)).toHaveLength(3)
    let now = Date.now()
    const services = { ...buildServices(bindings), now: () => now }
    expect((await runDueJobs(services, project, 10)).kinds.get('embed_collection')).toBeUndefined()
    const [job] = await listJobs(services.database, { project }, null, 10)
    expect(job).toMatchObject({
      status: 'pending',
      subject: embeddingSubject({ project, collection: 'best-practices' }),
    })
    now += 61_000
    expect((await runDueJobs(services, project, 10)).kinds.get('embed_collection')).toMatchObject({ done: 1 })
    expect(await pending(project)).toEqual([])
  })
})

describe('vectors of a client', () => {
  test('are stored, and only changed items have to be embedded again', async () => {
    const project = freshProject()
    await stored(project)
    const work = await pending(project)
    expect(work.map(({ text }) => text)).toContain('folders Use rm -rf to delete folders recursively.')
    const { status, body } = await send(
      project,
      work.map(({ id, hash, text }) => ({ id, hash, vector: encoded(text) })),
    )
    expect([status, body]).toEqual([200, { stored: 3, complete: true }])
    expect((await semantic(project, 'remove a directory and all its files'))[0]).toBe('folders')
    expect(await pending(project)).toEqual([])
    await call('POST', '/knowledge/items', {
      project,
      collection: 'best-practices',
      items: [{ key: 'logs', fields: { title: 'logs', description: 'Write nothing at all.' } }],
    })
    expect((await pending(project)).map(({ text }) => text)).toEqual(['logs Write nothing at all.'])
  })

  test('of another text are rejected as a whole', async () => {
    const project = freshProject()
    await stored(project)
    const work = await pending(project)
    const lies = work.map(({ id, hash }) => ({ id, hash, vector: encoded('Everything about passwords and money.') }))
    const { status, body } = await send(project, lies)
    expect(status).toBe(400)
    expect(body).toMatchObject({ code: 'invalid_input', field: expect.stringMatching(/^vectors\[\d\]\.vector$/) })
    expect(body.hint).toContain('list_pending_vectors')
    expect(await pending(project)).toHaveLength(3)
  })

  test('that claim that a text has no words are rejected', async () => {
    const project = freshProject()
    await stored(project)
    const work = await pending(project)
    const { status } = await send(
      project,
      work.map(({ id, hash }) => ({ id, hash, vector: null })),
    )
    expect(status).toBe(400)
  })

  test.each([
    ['of another size', toBase64(new Uint8Array(128).fill(1)), 'has 128 bytes; the space has 256 dimensions'],
    ['without length', toBase64(new Uint8Array(256)), 'has no length'],
    ['in no base64', '*'.repeat(300), 'is not base64'],
  ])('%s are rejected', async (_, vector, message) => {
    const project = freshProject()
    await stored(project)
    const [first] = await pending(project)
    const { status, body } = await send(project, [{ id: first?.id, hash: first?.hash, vector }])
    expect(status).toBe(400)
    expect(body).toMatchObject({ field: 'vectors[0].vector', detail: expect.stringContaining(message) })
  })

  test('of another space are rejected with the name of the current one', async () => {
    const project = freshProject()
    await stored(project)
    const [first] = await pending(project)
    const { status, body } = await send(
      project,
      [{ id: first?.id, hash: first?.hash, vector: encoded('folders') }],
      'llama.cpp/bge-small-en-v1.5',
    )
    expect(status).toBe(400)
    expect(body).toMatchObject({ field: 'space', hint: expect.stringContaining('minilm-l6-256-v1') })
  })

  test('of an item that has changed since are ignored', async () => {
    const project = freshProject()
    await stored(project)
    const [first, ...others] = await pending(project)
    const { status, body } = await send(project, [
      { id: first?.id, hash: 'of before', vector: encoded('anything else') },
      ...others.map(({ id, hash, text }) => ({ id, hash, vector: encoded(text) })),
    ])
    expect([status, body]).toEqual([200, { stored: 3, complete: false }])
    expect((await pending(project)).map(({ id }) => id)).toEqual([first?.id])
  })
})

describe('a collection of the word table', () => {
  test('is searched with it until its items are embedded, then with the sentence embedder', async () => {
    const project = freshProject()
    const before = { ...bindings, EMBEDDER: 'static' } as unknown as Env
    const items = [{ key: 'folders', fields: { title: 'folders', description: PRACTICES.folders } }]
    await call('POST', '/knowledge/items', { project, collection: 'best-practices', items }, before)
    const query = { project, query: 'delete folders', mode: 'semantic', score_threshold: 0 }
    const { body } = await call('POST', '/hybrid_search', query)
    expect((body.combined_results as { fields: { title: string } }[])[0]?.fields.title).toBe('folders')
    expect(body.degraded).toEqual([])
    const services = buildServices(bindings)
    await runDueJobs(services, project, 10)
    expect(await services.knowledge.statistics({ project, collection: 'best-practices' })).toMatchObject({
      space: { name: 'minilm-l6-256-v1' },
      withVector: 1,
    })
    expect((await semantic(project, 'remove a directory and all its files'))[0]).toBe('folders')
  })
})
