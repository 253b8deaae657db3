import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chatTurns } from '../../cli/ingest/chats.ts'
import { importTurns } from '../../cli/ingest/import-turns.ts'
import { Reader } from '../../cli/ingest/read.ts'
import { createReport, formatReport, noteTruncated } from '../../cli/ingest/report.ts'
import type { HttpClient } from '../../cli/shared/http.ts'
import { makeFolder } from './folders.ts'

const empty = (kind: 'folder' | 'chats' = 'folder') =>
  createReport({ kind, input: 'in', project: 'default', collection: 'codebase-context', source: 'in', dry_run: false })

describe('the report names what was stored or is searched in part', () => {
  it('adds up what the coordinator answers to several requests', () => {
    const report = empty()
    const entry = {
      message: 'The vector represents the first 128 word pieces.',
      hint: 'Put it first.',
      search: 'semantic' as const,
    }
    noteTruncated(report, [{ ...entry, count: 2 }])
    noteTruncated(report, undefined)
    noteTruncated(report, [
      { ...entry, count: 3 },
      { message: 'Another limit.', hint: 'Split it.', count: 1 },
    ])
    expect(report.truncated.map(({ count }) => count)).toEqual([5, 1])
    expect(formatReport(report)).toMatch(/in part.* 1 text: Another limit\./)
    expect(formatReport(report)).not.toContain('128')
    expect(formatReport(report, true)).toMatch(
      /in part.* 5 texts: The vector represents the first 128 word pieces\. Put it first\./,
    )
  })

  it('cuts the texts of exported chats to the lengths of an interaction, and counts them', async () => {
    const turns = chatTurns(
      JSON.stringify([
        {
          uuid: 'c',
          chat_messages: [
            { uuid: 'q', sender: 'human', text: 'q'.repeat(100_001) },
            { uuid: 'a', sender: 'assistant', text: 'a'.repeat(200_000) },
          ],
        },
      ]),
    )
    const sent: { interactions: { query: string; response: string }[] }[] = []
    const http = {
      post: async (_: string, body: (typeof sent)[number]) => {
        sent.push(body)
        return { imported: 1, unchanged: 0 }
      },
    } as unknown as HttpClient
    const report = empty('chats')
    await importTurns(turns ?? [], { http, dryRun: false, report, stopped: () => false })
    expect(sent[0]?.interactions.map(({ query, response }) => [query.length, response.length])).toEqual([
      [100_000, 200_000],
    ])
    expect(report.truncated).toMatchObject([
      { count: 1, message: 'The first 100,000 characters of a query are stored.' },
    ])
  })
})

describe('a file is shortened', () => {
  const files: Record<string, [text: string, shortened: boolean]> = {
    'dump.sql': [`CREATE TABLE a (b int);\nINSERT INTO a VALUES\n${'(1),\n'.repeat(50_000)}(2);\n`, true],
    'short.sql': ['CREATE TABLE a (b int);\nINSERT INTO a VALUES (1);\n', false],
    'picture.ts': [`export const picture = 'data:image/png;base64,${'iVBORw0KGgo'.repeat(100)}'\n`, true],
    'plain.ts': ["export const name = 'picture'\n", false],
    'printed.ipynb': [
      JSON.stringify({ cells: [{ cell_type: 'code', source: 'run()', outputs: [{ text: 'x'.repeat(2_000) }] }] }),
      true,
    ],
    'quiet.ipynb': [JSON.stringify({ cells: [{ cell_type: 'markdown', source: '# Title …' }] }), false],
  }
  const folder = makeFolder(Object.fromEntries(Object.entries(files).map(([path, [text]]) => [path, text])))

  it.each(Object.entries(files))('%s', async (path, [text, shortened]) => {
    const file = { path, absolute: join(folder, path), bytes: text.length }
    const reader = new Reader()
    expect(await reader.content(file, Buffer.from(text))).toMatchObject({ shortened })
  })

  it('and listed', () => {
    const report = empty()
    report.shortened.push('a.sql', 'b.sql', 'c.sql', 'd.sql')
    expect(formatReport(report)).toMatch(/shortened.* a\.sql, b\.sql, c\.sql and 1 more: repetitive data/)
  })
})
