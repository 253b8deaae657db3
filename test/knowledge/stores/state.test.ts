/** export_state and import_state: what a backup takes from Durable Objects and puts back. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { DurableConversations } from '../../../src/conversation/durable-client.ts'
import { fromBase64, toBase64 } from '../../../src/encoding.ts'
import { newId } from '../../../src/ids.ts'
import { embeddedStore } from '../../../src/knowledge/stores/embedded.ts'
import { exportState } from '../../../src/operations/administration/export-state.ts'
import { importState } from '../../../src/operations/administration/import-state.ts'
import { redact } from '../../../src/security/redact.ts'
import { callRest, callRoute } from '../../transports/worker-client.ts'
import { Bench, freshProject, SPACE } from './contract-samples.ts'

const store = embeddedStore(env.KNOWLEDGE)
const conversations = new DurableConversations(env.CONVERSATIONS, 7 * 86_400_000)

/** All pages of a subject. */
async function exported(input: Record<string, unknown>): Promise<string[][]> {
  const pages: string[][] = []
  for (let cursor: unknown; cursor !== null; ) {
    const answer = await callRest(exportState, { ...input, ...(cursor !== undefined && { cursor }) })
    if (answer.page) pages.push(answer.page as string[])
    cursor = answer.next_cursor
  }
  return pages
}

async function imported(input: Record<string, unknown>, pages: readonly string[][]): Promise<void> {
  for (const [at, page] of pages.entries()) await callRest(importState, { ...input, page, clear: at === 0 })
}

/** Rows of a collection's object, by item id where rows have numbers of their own. */
function rowsOf({ project, collection }: Bench['scope']): Promise<Record<string, unknown>> {
  return runInDurableObject(env.KNOWLEDGE.getByName(JSON.stringify([project, collection])), (_, { storage }) => {
    const rows = (sql: string) => JSON.stringify(storage.sql.exec(sql).toArray())
    return {
      items: rows(
        `SELECT id, key, source, path, fields, hash, passages, successes, partials, failures, credit_version, provenance,
          created_at, updated_at FROM items ORDER BY id`,
      ),
      vectors: rows('SELECT id, scale, hex(codes) AS codes FROM vectors JOIN items USING (row) ORDER BY id'),
      documents: rows('SELECT * FROM documents ORDER BY source, path'),
      facets: rows('SELECT field, value, id FROM facets JOIN items USING (row) ORDER BY 1, 2, 3'),
      space: rows("SELECT value FROM properties WHERE name = 'space'"),
    }
  })
}

// With a Qdrant server, export_state reads collections from there.
describe.skipIf('QDRANT_URL' in env)('a collection', () => {
  it('is the same after it was exported, emptied and imported: items, vectors, credit, times and documents', async () => {
    const bench = new Bench(store)
    const { scope } = bench
    await bench.put(
      Object.fromEntries(Array.from({ length: 230 }, (_, i) => [`k${i}`, `Item "${i}"\nwith a \\n in it.`])),
    )
    const document = await bench.document('repository', 'a.md', 'h', { one: 'First part.', two: 'Second part.' })
    await store.replaceDocuments(scope, 'repository', [document], SPACE)
    const [item] = await bench.items({ k7: 'Item' })
    await store.setCredit(scope, [{ id: item?.id ?? '', version: 3, successes: 2, partials: 1, failures: 4 }])
    const before = await rowsOf(scope)
    expect(before.vectors).toContain('"codes"')
    expect(before.items).toContain('"credit_version":3')

    const items = await exported({ what: 'items', ...scope })
    const documents = await exported({ what: 'documents', ...scope })
    expect(items).toHaveLength(3)
    await new Bench(store, scope).put({ surplus: 'Written after the export.' })
    await imported({ what: 'items', ...scope }, items)
    for (const page of documents) await callRest(importState, { what: 'documents', ...scope, page })
    expect(await rowsOf(scope)).toEqual(before)

    // A page that is sent twice changes nothing.
    for (const page of items) await callRest(importState, { what: 'items', ...scope, page })
    expect(await rowsOf(scope)).toEqual(before)
  })

  it('keeps its content if a page is damaged', async () => {
    const bench = new Bench(store)
    await bench.put({ a: 'One.' })
    const before = await rowsOf(bench.scope)
    const [page = []] = await exported({ what: 'items', ...bench.scope })
    for (const damaged of [['AAAA'], [...page, 'AAAA'], [`${page[0]?.slice(0, -8)}`], ['no base64!']]) {
      const input = { what: 'items', ...bench.scope, page: damaged, clear: true }
      const answer = await callRoute(importState.http[0], input)
      expect(answer.status, JSON.stringify(damaged).slice(0, 80)).toBe(400)
    }
    expect(await rowsOf(bench.scope)).toEqual(before)
  })

  it('is exported without the items that can not be read, and they are named', async () => {
    const bench = new Bench(store)
    const { project, collection } = bench.scope
    const [good, bad] = await bench.put({ a: 'One.', b: 'Two.' })
    await runInDurableObject(env.KNOWLEDGE.getByName(JSON.stringify([project, collection])), (_, { storage }) => {
      storage.sql.exec("UPDATE items SET fields = '{' WHERE id = ?", bad?.id)
    })
    const answer = await callRest(exportState, { what: 'items', ...bench.scope })
    expect(answer).toMatchObject({ entries: 1, damaged: [bad?.id] })
    await callRest(importState, { what: 'items', ...bench.scope, page: answer.page, clear: true })
    expect((await store.list(bench.scope, { limit: 10 })).entries.map(({ id }) => id)).toEqual([good?.id])
  })

  it('a page is stored as it is, even if it looks like a credential by chance', async () => {
    const bench = new Bench(store)
    await bench.put({ a: 'One.' })
    const [page] = await exported({ what: 'items', ...bench.scope })
    // The header of a gzip file can contain any bytes.
    const look = '////AKIAQ2W3E4R5T6Y7U3K2////'
    expect(redact(look)).not.toBe(look)
    const bytes = [...(fromBase64(page?.[0] ?? '') ?? [])]
    bytes[3] = 4
    bytes.splice(10, 0, 21, 0, ...(fromBase64(look) ?? []))
    const text = toBase64(Uint8Array.from(bytes))
    expect(text).toContain(look)
    expect(await callRest(importState, { what: 'items', ...bench.scope, page: [text] })).toEqual({ entries: 1 })
  })
})

describe('a conversation', () => {
  it('is the same after it was exported, deleted and imported, and continues with the next numbers', async () => {
    const project = freshProject()
    const shown = (id: string) => ({
      contextId: `best-practices/${id}`,
      version: 1,
      title: id,
      stretches: [],
      tokens: 9,
    })
    const say = (query: string, ids: string[]) =>
      conversations.addTurn(project, 'c', { key: newId(), query, queryTokens: 1, tokens: 9, shown: ids.map(shown) })
    await say('one', ['a', 'b'])
    await say('two', ['b', 'c'])
    await conversations.addAnswer(project, 'c', { query: 'two', response: 'An answer.', tokens: 3 })
    await conversations.saveSummary(project, 'c', { text: 'A summary.', method: 'model', throughTurn: 2 })
    const before = await conversations.dump(project, 'c')
    expect(before?.tables.shown).toHaveLength(4)
    expect(before?.expiresAt).toBeGreaterThan(Date.now())

    const subject = { what: 'conversation', project, conversation_id: 'c' }
    const pages = await exported(subject)
    await conversations.delete(project, 'c')
    expect(await exported(subject)).toEqual([])
    await imported(subject, pages)
    expect(await conversations.dump(project, 'c')).toEqual(before)
    // In place of a conversation that went on.
    await say('three', ['d'])
    await imported(subject, pages)
    expect(await conversations.dump(project, 'c')).toEqual(before)
    expect(await say('four', ['d', 'a'])).toEqual({ turnNumber: 3, numbers: [4, 1] })
  })
})

it('lists the files of the bucket page by page', async () => {
  const keys = Array.from({ length: 501 }, (_, i) => `state-test/${String(i).padStart(3, '0')} ü.txt`)
  for (const key of keys) await env.DATASETS.put(key, 'x', { httpMetadata: { contentType: 'text/plain' } })
  const files: { key: string; bytes: number; content_type: string }[] = []
  for (let cursor: unknown; cursor !== null; ) {
    const answer = await callRest(exportState, { what: 'files', ...(cursor !== undefined && { cursor }) })
    files.push(...(answer.files as typeof files))
    cursor = answer.next_cursor
  }
  expect(files.map(({ key }) => key).filter((key) => key.startsWith('state-test/'))).toEqual(keys)
  expect(files.find(({ key }) => key === keys[0])).toMatchObject({ bytes: 1, content_type: 'text/plain' })
})
