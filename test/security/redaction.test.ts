import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { COLLECTION_NAMES } from '../../src/knowledge/collections.ts'
import { REDACTION_KINDS } from '../../src/security/redact.ts'
import { contentOfQdrant } from '../qdrant-server.ts'
import {
  ADMIN_KEY,
  asAdmin,
  contentOfDatabase,
  ORIGIN,
  operationOf,
  requestOf,
  send,
  toolRequest,
} from './keyed-worker.ts'
import { PLANTED, trace } from './planted.ts'

const PROJECT = 'planted'
const HEADERS = { 'X-API-Key': ADMIN_KEY }

/** Fields of an item of each collection, with a text in every text field. */
const FIELDS: Record<string, (text: string, n: number) => Record<string, unknown>> = {
  'codebase-context': (text, n) => ({ file_path: `src/file-${n}.ts`, code_snippet: text, language: 'typescript' }),
  'skills-patterns': (text, n) => ({ skill_name: `Pattern ${n}`, description: text }),
  'error-solutions': (text, n) => ({ error_message: `Error ${n}: ${text}`, solution: text }),
  'best-practices': (text, n) => ({ title: `Practice ${n}`, category: 'security', description: text }),
  'interaction-history': (text, n) => ({
    query: `Question ${n} ${text}`,
    response: text,
    agent_type: 'remote',
    model_used: 'm',
  }),
  'learning-feedback': (text, n) => ({ query: `Question ${n}`, correction: text }),
}

let everything = ''
const logs: string[] = []
const refused: string[] = []

/**
 * Sends a request and ignores the answer: a collection that can't be written rejects it, which stores nothing either.
 */
async function attempt(name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  const response = await send(requestOf(operationOf(name).http[0], input, HEADERS))
  const body = (await response.json()) as Record<string, unknown>
  if (response.status !== 200) refused.push(`${name}: ${JSON.stringify(body).slice(0, 300)}`)
  return body
}

/** A conversation over the OpenAI surface, with the text in question and answer. */
async function chat(query: string, text: string, n: number): Promise<void> {
  const model = vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(async () => Response.json({ choices: [{ message: { content: `Like this: ${text}` } }] }))
  const body = {
    model: 'local',
    messages: [{ role: 'user', content: query }],
    metadata: { project: PROJECT, conversation_id: `chat${n % 5}` },
  }
  const headers = { ...HEADERS, 'Content-Type': 'application/json' }
  const request = new Request(`${ORIGIN}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(body) })
  const response = await send(request, { LLAMA_CPP_BASE_URL: 'http://llama.planted' })
  if (response.status !== 200) refused.push(`chat: ${(await response.text()).slice(0, 300)}`)
  model.mockRestore()
}

async function plant(text: string, n: number): Promise<void> {
  const query = `How do I use this (${n})? ${text}`
  const augmented = await attempt('augment_query', { project: PROJECT, query })
  const tracked = await attempt('track_interaction', {
    project: PROJECT,
    query,
    response: `Like this:\n${text}\nDone.`,
    agent_type: 'remote',
    model_used: 'm',
    ...(typeof augmented.retrieval_id === 'string' && { retrieval_id: augmented.retrieval_id }),
  })
  await attempt('update_outcome', { interaction_id: tracked.interaction_id, outcome: 'success', user_feedback: 1 })
  await attempt('learning_feedback', { project: PROJECT, query, correction: text, original_response: `No: ${text}` })
  await attempt('multi_turn_context', { project: PROJECT, session_id: `s${n % 5}`, query })
  await attempt('route_query', { project: PROJECT, query })
  await chat(query, text, n)
  for (const name of ['search_context', 'fail']) {
    // Errors are answered and logged, and must not contain the text either.
    await send(
      toolRequest(
        name,
        { project: PROJECT, query, collection: text },
        { ...HEADERS, 'X-Request-ID': text.slice(0, 100).replaceAll(/[^\x21-\x7e]/g, '-') },
      ),
    )
  }
}

async function contentOfStores(): Promise<string> {
  const parts: string[] = [await contentOfQdrant()]
  for (const namespace of [env.KNOWLEDGE, env.CONVERSATIONS] as unknown as DurableObjectNamespace[]) {
    for (const id of await listDurableObjectIds(namespace)) {
      parts.push(
        await runInDurableObject(namespace.get(id), (_, state) => {
          const tables = state.storage.sql
            .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
            .toArray()
          return tables
            .flatMap(({ name }) => state.storage.sql.exec(`SELECT * FROM "${String(name)}"`).toArray())
            .flatMap((row) => Object.values(row))
            .map((value) => (value instanceof ArrayBuffer ? new TextDecoder('latin1').decode(value) : String(value)))
            .join('\n')
        }),
      )
    }
  }
  return parts.join('\n')
}

async function contentOfBucket(): Promise<string> {
  const parts: string[] = []
  for (const { key } of (await env.DATASETS.list()).objects)
    parts.push(key, (await (await env.DATASETS.get(key))?.text()) ?? '')
  return parts.join('\n')
}

beforeAll(async () => {
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...parts) => void logs.push(parts.map(String).join(' ')))
  }
  for (const collection of COLLECTION_NAMES) {
    const fields = FIELDS[collection]
    if (!fields) throw new Error(`There are no fields for ${collection}.`)
    const items = PLANTED.map(({ text }, n) => ({ key: `k${n} ${text}`.slice(0, 400), fields: fields(text, n) }))
    for (let from = 0; from < items.length; from += 50) {
      const stored = await attempt('store_knowledge', {
        project: PROJECT,
        collection,
        items: items.slice(from, from + 50),
      })
      expect(stored.totals, collection).toMatchObject({ rejected: 0 })
    }
  }
  const documents = PLANTED.map(({ text }, n) => ({
    path: `planted-${n}.ts`,
    hash: `h${n}`,
    items: [{ key: '1', fields: { file_path: `planted-${n}.ts`, code_snippet: text, language: 'typescript' } }],
  }))
  for (let from = 0; from < documents.length; from += 100) {
    await attempt('ingest_documents', {
      project: PROJECT,
      source: 'repository',
      documents: documents.slice(from, from + 100),
    })
  }
  for (const [n, { text }] of PLANTED.entries()) await plant(text, n)
  for (let round = 0; round < 40; round++) {
    if ((await attempt('process_learning', { project: PROJECT, limit: 60 })).ran === 0) break
  }
  for (const format of ['chatml', 'kto', 'dpo'])
    await attempt('generate_training_data', { project: PROJECT, format, min_value_score: 0 })
  for (let round = 0; round < 10; round++) {
    if ((await attempt('process_learning', { project: PROJECT, limit: 60 })).ran === 0) break
  }
  everything = [await contentOfDatabase(), await contentOfStores(), await contentOfBucket(), logs.join('\n')]
    .join('\n')
    .toLowerCase()
})

afterAll(() => {
  vi.restoreAllMocks()
})

describe('planted secrets', () => {
  test('were accepted by every operation', () => {
    expect(refused.filter((line) => !line.startsWith('generate_training_data'))).toEqual([])
    for (const landmark of [
      'src/file-3.ts',
      'planted-7.ts',
      'pattern 5',
      'practice 9',
      'how do i use this (11)?',
      '[redacted github_token]',
    ]) {
      expect(everything).toContain(landmark)
    }
  })

  test.each(PLANTED.map((planted) => [planted.kind, planted] as const))('%s is stored nowhere', (_, { secret }) => {
    const at = everything.indexOf(trace(secret).toLowerCase())
    expect(at < 0 ? '' : everything.slice(Math.max(0, at - 200), at + 60)).toBe('')
  })

  test('were counted by kind', async () => {
    const { results } = await env.DB.prepare(
      'SELECT kind, sum(count) AS n FROM redactions WHERE project = ? GROUP BY kind',
    )
      .bind(PROJECT)
      .all<{ kind: string; n: number }>()
    expect(results.map(({ kind }) => kind).sort()).toEqual([...REDACTION_KINDS].sort())
    const text = await (await send(new Request(`${ORIGIN}/metrics`, { headers: HEADERS }))).text()
    expect(text).toMatch(/hybrid_coordinator_redactions\{kind="github_token"\} \d+/)
  })

  test('are not counted if their request was rejected', async () => {
    const counted = () => env.DB.prepare('SELECT sum(count) AS n FROM redactions').first<number>('n')
    const before = await counted()
    const path = `/session/${encodeURIComponent('<private>an unknown session</private>')}`
    const refused = await send(new Request(ORIGIN + path, { method: 'DELETE', headers: HEADERS }))
    expect(refused.status).toBe(404)
    await refused.text()
    expect(await counted()).toBe(before)
  })

  test('are in no answer to the sender either', async () => {
    const token = `ghp_${'a1B2'.repeat(9)}`
    const augmented = await asAdmin('augment_query', { project: PROJECT, query: `push with ${token}` })
    expect(JSON.stringify(augmented)).not.toContain(token)
    expect(augmented.original_query).toBe('push with [redacted github_token]')
  })
})
