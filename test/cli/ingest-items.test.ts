import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeFolder, writeFiles } from './folders.ts'
import { fake, ingest, writes } from './ingest-run.ts'

describe('knowledge as files', () => {
  const practice = '---\ncategory: sql\n---\n# Index foreign keys\n\nA join without an index scans.\n'

  it('is read from .hybrid into its collection, and removed with its file', async () => {
    const folder = makeFolder({
      'a.ts': 'export const a = 1\n',
      '.hybrid/best-practices/sql.md': practice,
      '.hybrid/error-solutions/port.md': '# EADDRINUSE\n\nStop the other one.\n',
      '.hybrid/best-practices/broken.md': '---\n[\n---\nText.\n',
      '.hybrid/README.md': '# What this folder is for\n\nKnowledge.\n',
    })
    const { code, report } = await ingest(folder, '--source', 's')
    expect(code).toBe(1)
    expect(report.rejected).toEqual([
      { at: '.hybrid/best-practices/broken.md', reason: expect.stringMatching(/^front matter: /) },
    ])
    expect([...fake.documents.keys()]).toEqual(['.hybrid/README.md', 'a.ts'])
    const stored = fake.documentsOf('best-practices').get('.hybrid/best-practices/sql.md')
    expect(stored?.items.get('file')?.fields).toEqual({
      title: 'Index foreign keys',
      description: 'A join without an index scans.',
      category: 'sql',
    })
    expect(fake.documentsOf('error-solutions').size).toBe(1)
    rmSync(join(folder, '.hybrid/best-practices/broken.md'))
    const again = await ingest(folder, '--source', 's')
    expect(again.code).toBe(0)
    expect(again.report.files).toMatchObject({ indexed: 0, unchanged: 4, removed: 0 })
    rmSync(join(folder, '.hybrid/error-solutions'), { recursive: true })
    expect((await ingest(folder, '--source', 's', '--replace')).report.files.removed).toBe(1)
    expect(fake.documentsOf('error-solutions').size).toBe(0)
  })

  it('with a key is the existing item, not a second one', async () => {
    fake.items.set('learnt-1', { key: 'learnt-1', fields: { title: 'Old words' } })
    const folder = makeFolder({
      '.hybrid/best-practices/sql.md': practice.replace('---\n', '---\nkey: learnt-1\n'),
      '.hybrid/best-practices/other.md': '# Other\n\nText.\n',
    })
    await ingest(folder, '--source', 's')
    expect([...fake.items.values()].map(({ fields }) => fields.title)).toEqual(['Index foreign keys'])
    expect(fake.documentsOf('best-practices').get('.hybrid/best-practices/sql.md')?.items.size).toBe(0)
    fake.requests.length = 0
    expect((await ingest(folder, '--source', 's')).report.files).toMatchObject({ indexed: 0, unchanged: 2 })
    expect(writes()).toEqual([])
    writeFiles(folder, { '.hybrid/best-practices/sql.md': practice.replace('---\n', '---\nkey: learnt-2\n') })
    await ingest(folder, '--source', 's')
    expect([...fake.items.keys()]).toEqual(['learnt-2'])
    rmSync(join(folder, '.hybrid/best-practices/sql.md'))
    await ingest(folder, '--source', 's')
    expect(fake.items.size).toBe(0)
  })

  it('a folder of notes can go to any collection', async () => {
    const folder = makeFolder({
      'sql.md': practice,
      'deep/port.md': '# Ports\n\nAsk first.\n',
      'a.png': 'x',
      'b.ts': 'b',
    })
    const { report } = await ingest(folder, '--source', 'notes', '--collection', 'best-practices')
    expect(report.files).toMatchObject({ indexed: 2, skipped: { 'no Markdown': 2 } })
    expect([...fake.documentsOf('best-practices').keys()]).toEqual(['deep/port.md', 'sql.md'])
  })
})

describe('JSON Lines', () => {
  it('stores valid lines and reports invalid ones by number', async () => {
    const folder = makeFolder({
      'practices.jsonl': [
        '{"key":"a","title":"A","description":"first"}',
        '',
        '{broken',
        '[1]',
        '{"title":"B","description":"second"}',
        '{"description":"no title"}',
        '{"key":7,"title":"C"}',
        '{"key":"d","title":"D"}',
      ].join('\r\n'),
    })
    const file = join(folder, 'practices.jsonl')
    const { code, report } = await ingest(file, '--collection', 'best-practices')
    expect(code).toBe(1)
    expect(report.chunks).toMatchObject({ total: 4, added: 3 })
    expect(report.rejected.map(({ at }) => at)).toEqual(['line 3', 'line 4', 'line 6', 'line 7'])
    expect(report.rejected[2]?.reason).toBe('title: is required')
    expect([...fake.items.values()].map(({ fields }) => fields.title)).toEqual(['A', 'B', 'D'])
    expect((await ingest(file, '--collection', 'best-practices')).report.chunks).toMatchObject({
      added: 0,
      unchanged: 3,
    })
  })

  it('sends more than one request if there are many lines', async () => {
    const lines = Array.from({ length: 1_000 }, (_, i) => JSON.stringify({ key: `k${i}`, title: `T${i}` })).join('\n')
    const file = join(makeFolder({ 'many.jsonl': lines }), 'many.jsonl')
    const { code, report } = await ingest(file, '--collection', 'best-practices')
    expect(code).toBe(0)
    expect(report.chunks.added).toBe(1_000)
    expect(writes().length).toBe(3)
  })

  it('needs a collection', async () => {
    const folder = makeFolder({ 'a.jsonl': '{}' })
    const { code, err } = await ingest(join(folder, 'a.jsonl'))
    expect(code).toBe(2)
    expect(err).toContain('--collection')
  })
})
