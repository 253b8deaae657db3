/**
 * The database and the files of a backup with the real wrangler and `--remote`, against the stand-in for Cloudflare's HTTP
 * API: D1's queries and imports, and R2's objects.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RemoteDatabase, removal, runFile, saveDatabase } from '../../cli/deploy/database.ts'
import { restoreFiles, saveFiles } from '../../cli/deploy/objects.ts'
import { findDatabaseId } from '../../cli/deploy/steps.ts'
import { realWorld } from '../../cli/deploy.ts'
import type { HttpClient } from '../../cli/shared/http.ts'
import { CloudflareApi } from './cloudflare-api.ts'

let api: CloudflareApi
let folder: string
let world: ReturnType<typeof realWorld>

beforeAll(async () => {
  api = await CloudflareApi.start()
  folder = await mkdtemp(join(tmpdir(), 'remote-'))
  world = { ...realWorld({ ...process.env, ...api.environment }, folder), pause: async () => undefined }
  for (const name of ['from', 'to']) {
    await world.wrangler(['d1', 'create', name])
    await world.wrangler(['r2', 'bucket', 'create', `${name}-files`])
  }
})

afterAll(async () => {
  await api.stop()
  await rm(folder, { recursive: true, force: true })
})

async function remote(name: string): Promise<RemoteDatabase> {
  const id = await findDatabaseId({ database: { binding: 'DB', name, id: null } } as never, world)
  const config = join(folder, `${name}.toml`)
  const database = `binding = "DB"\ndatabase_name = "${name}"\ndatabase_id = "${id}"\n`
  await writeFile(config, `name = "${name}"\n[[d1_databases]]\n${database}`)
  return { world, name: 'DB', options: ['--config', config, '--remote'] }
}

/** Every row and every definition of a database. */
function contentOf(name: string): unknown {
  const sqlite = api.d1.named(name)
  const schema = sqlite?.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all() ?? []
  const tables = schema.filter(({ type }) => type === 'table')
  return { schema, rows: tables.map((table) => sqlite?.prepare(`SELECT rowid, * FROM "${table.name}"`).all()) }
}

const SCHEMA = `
  CREATE TABLE texts (id TEXT PRIMARY KEY, project TEXT, conversation_id TEXT, body TEXT NOT NULL, share REAL);
  CREATE TABLE counts (n INTEGER);
  CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, "odd "" name" TEXT);
  CREATE TABLE no_rows (id TEXT);
  CREATE INDEX texts_of ON texts (project);
  CREATE TRIGGER counted AFTER INSERT ON texts BEGIN
    UPDATE counts SET n = n + 1;
  END;
  CREATE VIEW shares AS SELECT share FROM texts;
  INSERT INTO counts VALUES (0);
  INSERT INTO numbered VALUES (3, 'three'), (9, 'nine');
  DELETE FROM numbered WHERE id = 9;`

test('a database is the same in another one, which held something else', async () => {
  const from = api.d1.named('from')
  from?.exec(SCHEMA)
  const bodies = ['plain', `it's; -- "quoted"`, 'a\\n\nb\r\n', '\u2028 é 🎉 \u0000 end', '', '🎉é'.repeat(60_000)]
  const insert = from?.prepare('INSERT INTO texts VALUES (?, ?, ?, ?, ?)')
  for (const [i, body] of bodies.entries()) insert?.run(`id ${i}`, 'p', i % 2 ? null : 'talk', body, i / 3)
  // More than a page.
  for (let i = 0; i < 2_100; i++) insert?.run(`many ${i}`, 'q', null, 'x', 1)
  api.d1.named('to')?.exec('CREATE TABLE other (id TEXT); CREATE TABLE texts (id TEXT); INSERT INTO other VALUES (1);')

  const saved = join(folder, 'saved.sql')
  const content = await saveDatabase(await remote('from'), saved)
  expect(content).toEqual({
    rows: { texts: 2_106, counts: 1, numbered: 1, no_rows: 0 },
    projects: ['p', 'q'],
    conversations: [['p', 'talk']],
    changed: [],
  })
  const to = await remote('to')
  const script = join(folder, 'script.sql')
  await writeFile(script, (await removal(to)) + (await readFile(saved, 'utf8')))
  await runFile(to, script)
  expect(contentOf('to')).toEqual(contentOf('from'))

  // A failing statement at the end leaves the database as it was.
  await writeFile(script, `${await removal(to)}${await readFile(saved, 'utf8')}INSERT INTO unknown_table VALUES (1);\n`)
  await expect(runFile(to, script)).rejects.toThrow('no such table: unknown_table')
  expect(contentOf('to')).toEqual(contentOf('from'))
})

test('files are the same in another bucket', async () => {
  const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 256))
  const keys = ['datasets/p/a.jsonl', '_archive/p/b.jsonl.gz']
  for (const key of keys) api.buckets.get('from-files')?.set(key, bytes)
  const listed = (extra: object[] = []) => {
    const files = keys.map((key) => ({ key, bytes: bytes.length, etag: 'e', content_type: 'text/plain' }))
    return {
      post: async () => ({ files: [...files, ...extra], page: null, next_cursor: null }),
    } as unknown as HttpClient
  }
  const bucket = (name: string) => ({ world, name, options: ['--remote'] })
  const path = join(folder, 'files')
  expect(await saveFiles(listed(), bucket('from-files'), path)).toEqual({ files: 2, tooLarge: [] })
  expect(await restoreFiles(bucket('to-files'), path)).toEqual({ files: 2, tooLarge: [] })
  expect(api.buckets.get('to-files')).toEqual(api.buckets.get('from-files'))
  const missing = [{ key: 'gone', bytes: 1, etag: 'e', content_type: null }]
  await expect(saveFiles(listed(missing), bucket('from-files'), path)).rejects.toThrow('R2 file gone failed')
})
