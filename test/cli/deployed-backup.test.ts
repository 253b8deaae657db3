/**
 * Backup and restore of a deployed coordinator. A coordinator in workerd plays the deployed one, and the real wrangler
 * works on its state with `--local --persist-to` in place of `--remote`. Only the sign-in and the list of databases are
 * made up. After the first backup and restore, statements run in the database's file without wrangler, whose every start
 * takes two seconds.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { restore as restoreLocal } from '../../cli/backup.ts'
import { backup, type Deployed, restore } from '../../cli/deploy/backup.ts'
import { saveDatabase } from '../../cli/deploy/database.ts'
import { saveObjects } from '../../cli/deploy/objects.ts'
import { planOf } from '../../cli/deploy/plan.ts'
import type { World } from '../../cli/deploy/steps.ts'
import { realWorld, run } from '../../cli/deploy.ts'
import { createHttpClient, type HttpClient, UnreachableError } from '../../cli/shared/http.ts'
import { buildWorker, type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'

const ROOT = join(import.meta.dirname, '../..')
const DATABASE_ID = '00000000-0000-0000-0000-000000000000'
/** A text that `wrangler d1 export` does not keep: a line break, and the two characters that stand for one. */
const CODE = 'console.log("a\\n;");\r\n-- it\'s “done” 🎉\n/* \u2028 */'
/** A text that is too long for one statement of D1, with characters of two UTF-16 units at every place. */
const LONG = `${'🎉x'.repeat(20_000)} the end`

let folder: string
let bundle: string
let archive: string
let source: Stage
let saved: Record<string, unknown>
const workers: LocalWorker[] = []

/** A coordinator that plays a deployed one. */
interface Stage {
  readonly state: string
  readonly worker: LocalWorker
  readonly http: HttpClient
  readonly deployed: Deployed
  readonly commands: string[]
  printed(): string
}

/** What `wrangler d1 execute` does with a local database, in this process. */
async function execute(state: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const folder = join(state, 'v3/d1/miniflare-D1DatabaseObject')
  const file = (await readdir(folder)).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)) ?? ''
  const database = new DatabaseSync(join(folder, file), { timeout: 30_000 })
  const optionOf = (option: string) => args[args.indexOf(option) + 1] ?? ''
  try {
    if (args.includes('--command')) {
      const results = optionOf('--command')
        .split(';\n')
        .map((sql) => ({ results: database.prepare(sql).all() }))
      return { code: 0, output: JSON.stringify(results) }
    }
    database.exec(`BEGIN;\n${await readFile(optionOf('--file'), 'utf8')}\nCOMMIT;`)
    return { code: 0, output: '' }
  } catch (error) {
    return { code: 1, output: String(error) }
  } finally {
    database.close()
  }
}

async function stage(name: string, answer: boolean | null = true): Promise<Stage> {
  const state = join(folder, name)
  const variables = { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' }
  const worker = await startLocalWorker({ stateFolder: join(state, 'v3'), bundle, variables })
  workers.push(worker)
  const http = createHttpClient({ url: worker.url, attempts: 1 })
  const real = realWorld()
  const commands: string[] = []
  let printed = ''
  const world: World = {
    ...real,
    async wrangler(args, input) {
      commands.push(args.join(' '))
      if (args[0] === 'whoami') return { code: 0, output: '{"loggedIn":true,"accounts":[{"id":"a1","name":"Mine"}]}' }
      if (args[0] === 'd1' && args[1] === 'list')
        return { code: 0, output: JSON.stringify([{ name: 'hybrid-coordinator', uuid: DATABASE_ID }]) }
      if (args[1] === 'time-travel') return { code: 0, output: '{"bookmark":"b-1"}' }
      if (args[0] === 'd1' && args[1] === 'execute' && !['source', 'empty'].includes(name)) return execute(state, args)
      // Two processes share the database's file here, and D1's never does: a lock is waited for.
      for (let attempt = 1; ; attempt++) {
        const finished = await real.wrangler(args, input)
        if (attempt === 5 || !finished.output.includes('SQLITE_BUSY')) return finished
      }
    },
    pause: async () => undefined,
    print: (text) => {
      printed += text
    },
  }
  const plan = planOf(
    {
      name: 'hybrid-coordinator',
      d1_databases: [{ binding: 'DB', database_name: 'hybrid-coordinator' }],
      r2_buckets: [{ binding: 'DATASETS', bucket_name: 'hybrid-coordinator-datasets' }],
    },
    await readdir(join(ROOT, 'migrations')),
  )
  const where = ['--local', '--persist-to', state]
  const deployed = { plan, world, where, client: http, confirm: async () => answer }
  return { state, worker, http, deployed, commands, printed: () => printed }
}

/** Every row of every table, in order. */
async function rowsOf({ worker }: Stage): Promise<Record<string, string>> {
  const tables = await worker.query(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
  )
  const rows: Record<string, string> = {}
  for (const { name } of tables) rows[String(name)] = JSON.stringify(await worker.query(`SELECT * FROM "${name}"`))
  const schema = await worker.query('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name')
  return { ...rows, schema: JSON.stringify(schema) }
}

/** SHA-256 of what the objects of the local R2 contain, without their names. */
async function blobsOf({ state }: Stage): Promise<string[]> {
  const entries = await readdir(join(state, 'v3/r2'), { recursive: true, withFileTypes: true })
  const blobs = entries.filter((entry) => entry.isFile() && entry.parentPath.endsWith('blobs'))
  const sums = blobs.map(async (entry) => sha256(await readFile(join(entry.parentPath, entry.name))))
  return (await Promise.all(sums)).sort()
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

/** Everything that a coordinator holds: rows, files, and every collection and conversation as its API exports them. */
async function contentOf(at: Stage): Promise<Record<string, unknown>> {
  const file = join(folder, 'objects')
  const counts = await saveObjects(at.http, ['old', 'p', 'q'], [['p', 'talk']], file)
  return { rows: await rowsOf(at), files: await blobsOf(at), counts, objects: sha256(await readFile(file)) }
}

/** Fills a coordinator: items in several collections, documents, a conversation, outcomes, a dataset, a key. */
async function fill({ http }: Stage): Promise<void> {
  for (const project of ['p', 'q']) {
    await http.post('/knowledge/items', {
      project,
      collection: 'error-solutions',
      items: [{ fields: { error_message: `ECONNRESET in ${project}`, solution: CODE } }],
    })
    const practices = Array.from({ length: 120 }, (_, i) => ({
      fields: { title: `Practice ${i} of ${project}`, category: 'security', description: `Rotate the keys: ${i}.` },
    }))
    await http.post('/knowledge/items', { project, collection: 'best-practices', items: practices })
  }
  await http.post('/knowledge/documents', {
    project: 'p',
    collection: 'codebase-context',
    source: 'repository',
    documents: [
      { path: 'a.ts', hash: 'h1', items: [{ fields: { file_path: 'a.ts', code_snippet: 'export const a = 1' } }] },
    ],
  })
  for (let i = 0; i < 3; i++) {
    const query = `How do I rotate the keys, time ${i}?`
    const { retrieval_id } = await http.post<{ retrieval_id: string }>('/context/multi_turn', {
      project: 'p',
      session_id: 'talk',
      query,
    })
    const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', {
      project: 'p',
      query,
      response: [CODE, LONG, 'Like this.'][i],
      agent_type: 'remote',
      model_used: 'm',
      retrieval_id,
      conversation_id: 'talk',
    })
    await http.post('/update_outcome', { interaction_id, outcome: 'success', user_feedback: 1 })
  }
  await http.post('/learning_feedback', { project: 'p', query: 'keys', correction: CODE, original_response: 'No.' })
  await http.post('/keys', { name: 'agent', scopes: ['read'] })
  await http.post('/learning/process', { project: 'p' })
  await http.post('/learning/export', { project: 'p', min_value_score: 0 })
}

/** Waits until a coordinator has no work left that would change rows. */
async function settle({ http, worker }: Stage): Promise<void> {
  for (;;) {
    await http.post('/learning/process', { project: 'p' })
    const [row] = await worker.query("SELECT count(*) AS n FROM jobs WHERE status IN ('pending', 'running')")
    if (row?.n === 0) return
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deployed-'))
  bundle = await buildWorker(join(folder, 'bundle'))
  source = await stage('source')
  await fill(source)
  await settle(source)
  archive = join(folder, 'b.tar.gz')
  await backup(archive, source.deployed)
  saved = await contentOf(source)
})

afterAll(async () => {
  for (const worker of workers) await worker.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('the backup', () => {
  test('contains everything, and overwrites no file', async () => {
    expect(source.printed()).toMatch(/Database: 3\d\d rows in 3\d tables/)
    expect(source.printed()).toMatch(/Knowledge: 2\d\d items, 1 document; 1 conversation/)
    expect(source.printed()).toMatch(/Bucket: 3 files/)
    expect(source.printed()).not.toContain('Written during the backup')
    expect(saved.files).toHaveLength(3)
    const rows = JSON.stringify(saved.rows)
    for (const text of [CODE, LONG]) expect(rows).toContain(JSON.stringify(JSON.stringify(text)).slice(1, -1))
    await expect(backup(archive, source.deployed)).rejects.toThrow('exists; choose another name')
  })
})

describe('a restore', () => {
  test('gives an empty coordinator the same rows, items, vectors, conversations and files', async () => {
    const target = await stage('empty', null)
    await restore(archive, target.deployed, false)
    expect(await contentOf(target)).toEqual(saved)
    // It works, too: it finds the knowledge, and counts the next interaction.
    const ask = { project: 'p', query: 'ECONNRESET in p' }
    const { context_ids: ids } = await target.http.post<{ context_ids: string[] }>('/augment_query', ask)
    expect(ids.length).toBeGreaterThan(0)
    const track = { project: 'p', query: 'x', response: 'y', agent_type: 'remote', model_used: 'm' }
    await target.http.post('/track_interaction', track)
    const { projects } = await target.http.get<{ projects: { project: string; interactions: number }[] }>('/projects')
    expect(projects.find(({ project }) => project === 'p')?.interactions).toBe(4)
  })

  test('asks before it replaces data, and then leaves nothing of it', async () => {
    const target = await stage('full', null)
    const item = { fields: { title: 'Old', category: 'x', description: 'Old knowledge.' } }
    for (const project of ['p', 'old'])
      await target.http.post('/knowledge/items', { project, collection: 'best-practices', items: [item] })
    await target.http.post('/context/multi_turn', { project: 'old', session_id: 's', query: 'Old knowledge?' })
    const before = await contentOf(target)
    await expect(restore(archive, target.deployed, false)).rejects.toThrow(/2 projects, .*Add --yes/)
    const declined = { ...target.deployed, confirm: async () => false }
    await expect(restore(archive, declined, false)).rejects.toThrow('Nothing was changed')
    expect(await contentOf(target)).toEqual(before)

    await restore(archive, target.deployed, true)
    expect(target.printed()).toContain('time-travel restore DB --bookmark=b-1')
    expect(await contentOf(target)).toEqual(saved)
    await expect(target.http.get('/session/s?project=old')).rejects.toThrow('No session with this session_id')
  })

  test('that is interrupted is completed by repeating it', async () => {
    const target = await stage('interrupted')
    for (const [start, nth] of [
      ['POST /state/import', 3],
      ['d1 execute DB --yes --file', 1],
    ] as const) {
      let left = nth
      const dies = (what: string) => what.startsWith(start) && --left === 0
      const { world } = target.deployed
      const client: HttpClient = {
        ...target.http,
        post: (path, body) =>
          dies(`POST ${path}`) ? Promise.reject(new UnreachableError('fetch failed')) : target.http.post(path, body),
      }
      const dying: World = {
        ...world,
        wrangler: async (args, input) =>
          dies(args.join(' ')) ? { code: 1, output: 'fetch failed' } : world.wrangler(args, input),
      }
      const deployed = { ...target.deployed, world: dying, client }
      await expect(restore(archive, deployed, false), start).rejects.toThrow('fetch failed')
      // The database is replaced last: it is still empty.
      expect(await target.worker.query('SELECT id FROM interactions')).toEqual([])
    }
    await restore(archive, target.deployed, false)
    expect(await contentOf(target)).toEqual(saved)
  })

  test('changes nothing with a damaged file, and asks nobody', async () => {
    const target = await stage('untouched', null)
    const before = await contentOf(target)
    const whole = await readFile(archive)
    const flipped = Buffer.from(whole)
    flipped[Math.floor(whole.length / 2)] = (flipped[Math.floor(whole.length / 2)] ?? 0) ^ 0xff
    const bad = join(folder, 'bad.tar.gz')
    for (const bytes of [flipped, whole.subarray(0, whole.length / 2), Buffer.from('no archive')]) {
      await writeFile(bad, bytes)
      await expect(restore(bad, target.deployed, true)).rejects.toThrow('nothing was changed')
    }
    await expect(restore(join(folder, 'none.tar.gz'), target.deployed, true)).rejects.toThrow('does not exist')
    expect(target.commands).toEqual([])
    expect(await contentOf(target)).toEqual(before)
    // Not a backup of the other kind.
    await mkdir(join(folder, 'local'))
    await expect(restoreLocal(archive, join(folder, 'local/state'))).rejects.toThrow('no backup of a local coordinator')
    expect(await readdir(join(folder, 'local'))).toEqual([])
  })

  test('refuses a database that is not that of the coordinator', async () => {
    const other = await stage('other', null)
    const crossed = { ...other.deployed, client: source.http }
    await expect(restore(archive, crossed, true)).rejects.toThrow('HYBRID_URL is not the coordinator of the database')
    const reversed = { ...source.deployed, client: other.http }
    await expect(backup(join(folder, 'crossed.tar.gz'), reversed)).rejects.toThrow('HYBRID_URL is not the coordinator')
    expect(await contentOf(source)).toEqual(saved)
  })
})

test('tables that were written while they were read are named', async () => {
  const { world } = source.deployed
  const track = { project: 'q', query: 'x', response: 'y', agent_type: 'remote', model_used: 'm' }
  const busy: World = {
    ...world,
    async wrangler(args) {
      const finished = await execute(source.state, args)
      if (args.some((text) => text.includes('_before'))) await source.http.post('/track_interaction', track)
      return finished
    },
  }
  const options = ['--config', join(ROOT, 'wrangler.toml'), ...source.deployed.where]
  const { changed } = await saveDatabase({ world: busy, name: 'DB', options }, join(folder, 'busy.sql'))
  expect(changed).toContain('interactions')
  expect(changed).not.toContain('keys')
})

test('needs the address and the key', async () => {
  expect(await run(['restore'])).toBe(2)
  expect(await run(['backup', 'a', 'b'])).toBe(2)
})
