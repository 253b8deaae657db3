/** Data of a project, a conversation or a key is planted everywhere, deleted, and found nowhere. */
import { env } from 'cloudflare:workers'
import { afterEach, expect, test, vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import {
  DEPENDENT_TABLES,
  GLOBAL_TABLES,
  KEPT_TABLES,
  PROJECT_TABLES,
} from '../../src/database/queries/erasure-selection.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import { COLLECTION_NAMES } from '../../src/knowledge/collections.ts'
import { MIGRATION_START, migratePage } from '../../src/knowledge/stores/migrate.ts'
import { QdrantConnection } from '../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../src/knowledge/stores/qdrant/store.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { invoke } from '../../src/operations/invoke.ts'
import type { Caller } from '../../src/operations/operation.ts'
import type { Services } from '../../src/services.ts'
import { QdrantStub } from '../knowledge/stores/qdrant-stub.ts'

/** Occurs in all data to be deleted, and in nothing else. */
const MARK = 'zanzibarite'
const KEPT = 'keepsakeite'

const admin: Caller = { id: 'admin', scopes: ['admin'], project: null }
const agent: Caller = { id: '0190b6f0-0000-7000-8000-00000000000a', scopes: ['read', 'write', 'learn'], project: null }

interface Receipt {
  deletion_id: string
  status: string
  complete: boolean
  before: Record<string, number>
  deleted: Record<string, number>
  after: Record<string, number>
}

afterEach(() => {
  vi.restoreAllMocks()
})

function world(): { services: Services; run: typeof runAs } {
  const stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  const engine = new Engine('Qdrant', '', { deadlineMs: 20_000 })
  const options = { url: 'http://qdrant.test:6333', prefix: 'e-', engine, timeoutMs: 20_000 }
  const qdrant = new QdrantStore(new QdrantConnection(options))
  const built = buildServices({ ...env, QDRANT_URL: undefined, HOLD_OUT_SHARE: '0', RELEVANCE_THRESHOLD: '0' })
  const services = {
    ...built,
    stores: { ...built.stores, qdrant } as NonNullable<Services['stores']>,
    enqueueJobs: async () => undefined,
  }
  return { services, run: runAs }
}

async function runAs(
  services: Services,
  caller: Caller,
  name: string,
  input: object,
): Promise<Record<string, unknown>> {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return (await invoke(operation, services, input, caller)) as Record<string, unknown>
}

/** Adds data of every kind to a project, with a mark in every text. */
async function plant(services: Services, caller: Caller, project: string, mark: string, conversation: string) {
  const run = (name: string, input: object) => runAs(services, caller, name, { project, ...input })
  const asAdmin = (name: string, input: object) => runAs(services, admin, name, { project, ...input })
  const stored = await run('store_knowledge', {
    collection: 'best-practices',
    items: [{ key: mark, fields: { title: `Polishing ${mark}`, description: `Polish ${mark} with a soft cloth.` } }],
  })
  const [item] = stored.results as { context_id: string }[]
  const snippet = { code_snippet: `export const ${mark} = 1` }
  const document = { path: `${mark}.ts`, hash: mark, items: [{ key: '1', fields: snippet }] }
  await run('ingest_documents', { source: mark, documents: [document] })
  const query = `How do I configure and set up ${mark} for the release pipeline, step by step?`
  const augmented = await run('augment_query', { query, conversation_id: conversation })
  await run('route_query', { query })
  const ids: string[] = []
  for (let i = 0; i < 2; i++) {
    const tracked = await run('track_interaction', {
      query: `${query} Variant ${i}`,
      response: `1. Install ${mark}.\n2. Configure it:\n\`\`\`sh\n${mark} --setup ${i}\n\`\`\`\n3. Restart the service and look at its log.`,
      agent_type: 'local',
      model_used: 'm',
      context_ids: [item?.context_id],
      conversation_id: conversation,
      retrieval_id: augmented.retrieval_id,
    })
    ids.push(String(tracked.interaction_id))
    await runAs(services, admin, 'update_outcome', {
      interaction_id: tracked.interaction_id,
      outcome: 'success',
      user_feedback: 1,
    })
  }
  await run('learning_feedback', { query, correction: `Use ${mark} 2.`, interaction_id: ids[0] })
  for (let i = 0; i < 12; i++) if ((await asAdmin('process_learning', {})).ran === 0) break
  await asAdmin('train_router', {})
  for (let i = 0; i < 12; i++) if ((await asAdmin('process_learning', {})).ran === 0) break
  const { job_id } = await asAdmin('generate_training_data', { min_value_score: 0 })
  await runJob(services, String(job_id))
  const result = await env.DB.prepare('SELECT result FROM jobs WHERE id = ?').bind(job_id).first<string>('result')
  const dataset = JSON.parse(result ?? '{}') as Record<string, unknown>
  // The other store has a copy, as after a migration.
  const { embedded, qdrant } = services.stores ?? {}
  for (const collection of COLLECTION_NAMES) {
    let position = MIGRATION_START
    for (;;) {
      const { next } = await migratePage(embedded as never, qdrant as never, { project, collection }, position)
      if (!next) break
      position = next
    }
  }
  return { ids, dataset, item: item?.context_id ?? '' }
}

/** The places where a text occurs, as `table` or `file` or `store/collection`, except receipts and the audit log. */
async function findAll(services: Services, project: string, text: string, conversation: string): Promise<string[]> {
  const found: string[] = []
  const { results: tables } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>()
  for (const { name } of tables) {
    if (name === 'audit_log' || name === 'deletions') continue
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}"`).all()
    if (JSON.stringify(results).includes(text)) found.push(name)
  }
  const { objects } = await env.DATASETS.list()
  for (const { key } of objects) {
    const body = (await (await env.DATASETS.get(key))?.text()) ?? ''
    if (body.includes(text)) found.push(key.replace(/.*\./, 'file.'))
  }
  for (const [name, store] of Object.entries(services.stores ?? {})) {
    for (const collection of COLLECTION_NAMES) {
      const page = await store.exportItems({ project, collection }, { limit: 1000 })
      const documents = await store.exportDocuments({ project, collection }, { limit: 1000 })
      if (JSON.stringify([page.entries.map(({ fields, key }) => [fields, key]), documents]).includes(text))
        found.push(`${name}/${collection}`)
    }
  }
  if (JSON.stringify(await services.conversations.read(project, conversation)).includes(text))
    found.push('conversation')
  return found
}

const EVERYWHERE = [
  'interactions',
  'retrievals',
  'routing_decisions',
  'corrections',
  'patterns',
  'knowledge_writers',
  'file.jsonl',
  'conversation',
  ...['best-practices', 'codebase-context', 'interaction-history', 'learning-feedback', 'skills-patterns'].flatMap(
    (collection) => [`embedded/${collection}`, `qdrant/${collection}`],
  ),
]

test('every table of the database is handled by deletions', async () => {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT IN ('d1_migrations', 'sqlite_sequence')",
  ).all<{ name: string }>()
  const known = [...PROJECT_TABLES, ...DEPENDENT_TABLES, ...GLOBAL_TABLES, ...KEPT_TABLES]
  expect(results.map(({ name }) => name).sort()).toEqual([...known].sort())
})

test('a project: found nowhere afterwards, the other project intact, the receipt correct', async () => {
  const { services, run } = world()
  await plant(services, agent, 'gone', MARK, 'talk')
  await plant(services, agent, 'stays', KEPT, 'talk')
  expect(await findAll(services, 'gone', MARK, 'talk')).toEqual(expect.arrayContaining(EVERYWHERE))
  const kept = await findAll(services, 'stays', KEPT, 'talk')
  const receipt = (await run(services, admin, 'delete_data', {
    what: 'project',
    project: 'gone',
    confirm: 'gone',
  })) as unknown as Receipt
  expect(receipt).toMatchObject({ status: 'done', complete: true })
  expect(receipt.before).toMatchObject({
    interactions: 2,
    retrievals: expect.any(Number),
    exports: 1,
    routing_models: 1,
  })
  expect(receipt.before.knowledge_items).toBeGreaterThan(8)
  expect(receipt.deleted).toMatchObject({
    interactions: 2,
    knowledge_items: receipt.before.knowledge_items,
    conversations: 1,
    dataset_files: 3,
  })
  expect(Object.values(receipt.after).every((count) => count === 0)).toBe(true)
  expect(await findAll(services, 'gone', MARK, 'talk')).toEqual([])
  expect(await findAll(services, 'stays', KEPT, 'talk')).toEqual(kept)
  const read = await run(services, admin, 'get_deletion', { deletion_id: receipt.deletion_id })
  expect(read).toEqual(receipt)
  const again = (await run(services, admin, 'delete_data', {
    what: 'project',
    project: 'gone',
    confirm: 'gone',
  })) as unknown as Receipt
  expect(again).toMatchObject({ complete: true, deleted: {} })
  const { acts } = await run(services, admin, 'list_audit_log', {})
  expect(acts).toEqual(expect.arrayContaining([expect.objectContaining({ operation: 'delete_data', outcome: 'done' })]))
})

test('a conversation: its interactions, learnt patterns and datasets are deleted; the rest of the project stays', async () => {
  const { services, run } = world()
  const project = 'talks'
  const { dataset } = await plant(services, agent, project, MARK, 'first')
  const other = await plant(services, agent, project, KEPT, 'second')
  const credit = async () =>
    (await services.knowledge.get({ project, collection: 'best-practices' }, [other.item.split('/')[1] ?? '']))[0]
      ?.credit
  const before = await credit()
  const input = { what: 'conversation', project, conversation_id: 'first', confirm: 'first' }
  const receipt = (await run(services, admin, 'delete_data', input)) as unknown as Receipt
  expect(receipt).toMatchObject({ complete: true })
  expect(receipt.deleted).toMatchObject({
    interactions: 2,
    corrections: 1,
    conversations: 1,
    patterns: expect.any(Number),
  })
  expect(receipt.deleted.datasets_withdrawn).toBeGreaterThan(0)
  // Stored knowledge doesn't belong to the conversation, nor do queries routed without one.
  const left = await findAll(services, project, MARK, 'first')
  expect(left).toEqual(
    expect.not.arrayContaining(['interactions', 'retrievals', 'corrections', 'patterns', 'file.jsonl', 'conversation']),
  )
  expect(left.filter((place) => /interaction-history|learning-feedback|skills-patterns/.test(place))).toEqual([])
  expect(await findAll(services, project, KEPT, 'second')).toEqual(
    expect.arrayContaining([
      'interactions',
      'retrievals',
      'corrections',
      'patterns',
      'conversation',
      'embedded/interaction-history',
    ]),
  )
  expect(await credit()).toEqual(before)
  expect(await env.DATASETS.head(String(dataset.dataset_path))).toBeNull()
})

test('a key: everything it wrote and asked, including in the stores; data of others stays', async () => {
  const { services, run } = world()
  const project = 'keys'
  const writer = { ...agent, id: '0190b6f0-0000-7000-8000-00000000000b' }
  await plant(services, writer, project, 'carnallite', 'of-the-agent')
  const other = await plant(services, admin, project, 'halitestone', 'of-the-admin')
  // The key also reported on the other key's interaction.
  await run(services, writer, 'update_outcome', { interaction_id: other.ids[0], outcome: 'failure' })
  for (let i = 0; i < 8; i++) if ((await run(services, admin, 'process_learning', { project })).ran === 0) break
  const receipt = (await run(services, admin, 'delete_data', {
    what: 'key',
    key_id: writer.id,
    confirm: writer.id,
  })) as unknown as Receipt
  expect(receipt).toMatchObject({ complete: true })
  expect(receipt.deleted).toMatchObject({
    interactions: 2,
    corrections: 1,
    routing_decisions: 1,
    votes: expect.any(Number),
  })
  expect(receipt.deleted.knowledge_documents).toBe(2)
  expect(await findAll(services, project, 'carnallite', 'of-the-agent')).toEqual([])
  const left = await findAll(services, project, 'halitestone', 'of-the-admin')
  expect(left).toEqual(
    expect.arrayContaining([
      'interactions',
      'retrievals',
      'routing_decisions',
      'embedded/best-practices',
      'embedded/codebase-context',
      'conversation',
    ]),
  )
  const { results } = await env.DB.prepare('SELECT 1 FROM outcome_votes WHERE caller = ?').bind(writer.id).all()
  expect(results).toEqual([])
})

test('killed after any step it continues, and a repeated step changes nothing more', async () => {
  const { services, run } = world()
  await plant(services, agent, 'killed', 'sylvinite', 'talk')
  let calls = 0
  const dying = (limit: number): Services => {
    calls = 0
    const conversations = Object.create(services.conversations)
    conversations.delete = (...parameters: [string, string]) => {
      if (++calls > limit) throw new Error('killed')
      return services.conversations.delete(...parameters)
    }
    const datasets = new Proxy(services.datasets, {
      get(target, name) {
        if (++calls > limit) throw new Error('killed')
        const value = target[name as keyof R2Bucket]
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })
    return { ...services, conversations, datasets }
  }
  const input = { what: 'project', project: 'killed', confirm: 'killed' }
  let receipt = (await run(dying(0), admin, 'delete_data', input)) as unknown as Receipt
  expect(receipt.status).toBe('running')
  const { results } = await env.DB.prepare("SELECT id FROM jobs WHERE kind = 'delete_data' AND subject = ?")
    .bind(receipt.deletion_id)
    .all<{ id: string }>()
  for (let limit = 1; limit < 30 && receipt.status === 'running'; limit++) {
    await env.DB.prepare("UPDATE jobs SET run_after = 0, attempts = 0, status = 'pending' WHERE id = ?")
      .bind(results[0]?.id)
      .run()
    await runJob(dying(limit), String(results[0]?.id))
    receipt = (await run(services, admin, 'get_deletion', { deletion_id: receipt.deletion_id })) as unknown as Receipt
  }
  expect(receipt).toMatchObject({ complete: true })
  expect(await findAll(services, 'killed', 'sylvinite', 'talk')).toEqual([])
})

test('refused without repeating the name, and for keys of other projects', async () => {
  const { services, run } = world()
  const bound: Caller = { id: 'b', scopes: ['admin'], project: 'own' }
  const refusals: [Caller, object, object][] = [
    [admin, { what: 'project', project: 'p', confirm: 'q' }, { code: 'invalid_input', field: 'confirm' }],
    [admin, { what: 'project', confirm: 'q' }, { code: 'invalid_input', field: 'project' }],
    [admin, { what: 'conversation', conversation_id: 'c', confirm: 'c' }, { code: 'invalid_input', field: 'project' }],
    [admin, { what: 'key', confirm: 'c' }, { code: 'invalid_input', field: 'key_id' }],
    [bound, { what: 'project', project: 'p', confirm: 'p' }, { code: 'forbidden' }],
    [agent, { what: 'project', project: 'p', confirm: 'p' }, { code: 'forbidden' }],
  ]
  for (const [caller, input, error] of refusals) {
    await expect(run(services, caller, 'delete_data', input)).rejects.toMatchObject(error)
  }
  const other = await run(services, admin, 'delete_data', { what: 'project', project: 'theirs', confirm: 'theirs' })
  await expect(run(services, bound, 'get_deletion', { deletion_id: other.deletion_id })).rejects.toMatchObject({
    code: 'not_found',
  })
})
