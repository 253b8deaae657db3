/** The list of document sources, and limits of documents in one call. */
import { describe, expect, test } from 'vitest'
import { ADMIN_KEY, operationOf, requestOf, send } from '../security/keyed-worker.ts'

async function call(name: string, input: Record<string, unknown>) {
  const response = await send(requestOf(operationOf(name).http[0], input, { 'X-API-Key': ADMIN_KEY }))
  return (await response.json()) as { results: { status: string }[]; sources: { source: string }[] } & Record<
    string,
    unknown
  >
}

const document = (path: string, text = path) => ({
  path,
  hash: `hash of ${text}`,
  items: [{ key: 'a', fields: { code_snippet: text } }],
})

describe('list_sources', () => {
  test('groups documents by source and collection, with the time of the last write, page by page', async () => {
    const project = 'listed-sources'
    const before = Date.now()
    await call('ingest_documents', { project, source: 'acme/app', documents: [document('a.ts'), document('b.ts')] })
    await call('ingest_documents', { project, source: "o'brien/\u2603", documents: [document('a.ts')] })
    await call('ingest_documents', {
      project,
      collection: 'best-practices',
      source: 'acme/app',
      documents: [{ path: 'p.md', hash: 'h', items: [{ key: 'p', fields: { description: 'Index keys.' } }] }],
    })
    await call('ingest_documents', { project: 'another', source: 'elsewhere', documents: [document('a.ts')] })
    const { sources, next_cursor } = await call('list_sources', { project })
    expect(next_cursor).toBeNull()
    expect(sources).toEqual([
      { source: 'acme/app', collection: 'best-practices', documents: 1, written_at: expect.any(Number) },
      { source: 'acme/app', collection: 'codebase-context', documents: 2, written_at: expect.any(Number) },
      { source: "o'brien/\u2603", collection: 'codebase-context', documents: 1, written_at: expect.any(Number) },
    ])
    for (const { written_at } of sources as unknown as { written_at: number }[])
      expect(written_at).toBeGreaterThanOrEqual(before)
    const paged: unknown[] = []
    for (let cursor: unknown; cursor !== null; ) {
      const page = await call('list_sources', { project, limit: 1, ...(cursor !== undefined && { cursor }) })
      paged.push(...page.sources)
      cursor = page.next_cursor
    }
    expect(paged).toEqual(sources)
    await call('delete_documents', { project, source: 'acme/app', paths: ['a.ts', 'b.ts'] })
    expect((await call('list_sources', { project })).sources.length).toBe(2)
  })
})

describe('a document that occurs twice in a call', () => {
  test('is stored once, and the second is rejected by name', async () => {
    const project = 'twice'
    const answer = await call('ingest_documents', {
      project,
      source: 's',
      documents: [document('a.ts', 'first'), document('b.ts'), document('a.ts', 'second')],
    })
    expect(answer.results).toMatchObject([
      { path: 'a.ts', status: 'indexed', added: 1 },
      { path: 'b.ts', status: 'indexed', added: 1 },
      { path: 'a.ts', status: 'rejected', error: { field: 'documents[2].path' } },
    ])
    expect(answer.totals).toMatchObject({ documents: 2, added: 2, rejected: 1 })
    const { documents } = await call('list_documents', { project, source: 's' })
    expect(documents).toMatchObject([{ path: 'a.ts', hash: 'hash of first' }, { path: 'b.ts' }])
  })
})
