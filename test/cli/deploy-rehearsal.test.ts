/**
 * Rehearses deployments with the real wrangler against a stand-in for Cloudflare's HTTP API (cloudflare-api.ts), and
 * compares what is left each time with the table in docs/deploy.md.
 *
 * The stand-in is what wrangler can be led to: every request of the commands used here goes to CLOUDFLARE_API_BASE_URL.
 * Two things are not wrangler's and not rehearsed with it: the Worker's own answers, which follow from the uploaded
 * version and its secret, and the browser of `wrangler login`, in whose place a token is used.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { planOf, type WorkerConfig } from '../../cli/deploy/plan.ts'
import { deploy, realWorld } from '../../cli/deploy.ts'
import { ApiError } from './cloudflare-answers.ts'
import { CloudflareApi } from './cloudflare-api.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAME = 'hybrid-coordinator'
const CONFIG = 'wrangler.deployed.toml'
/** What a script of the project would run: this wrangler, with the printed command. */
const COMMAND = /npx wrangler ([^\n]+)/g

let api: CloudflareApi
let project: string
let printed = ''
/** Rows of the table: the rehearsal, and what it left. */
const rows: string[][] = []

/** A Worker with the classes of wrangler.toml that names its version. */
const source = (version: string) => `import { DurableObject } from 'cloudflare:workers'
export class KnowledgeIndex extends DurableObject {}
export class Conversation extends DurableObject {}
export class OAuthGrants extends DurableObject {}
export default { fetch: () => new Response('the ${version} version') }
`

beforeAll(async () => {
  api = await CloudflareApi.start()
  project = await mkdtemp(join(tmpdir(), 'rehearsal-'))
  await cp(join(ROOT, 'migrations'), join(project, 'migrations'), { recursive: true })
  // wrangler warns about a field that it does not know, beside its results.
  const toml = await readFile(join(ROOT, 'wrangler.toml'), 'utf8')
  await writeFile(join(project, 'wrangler.toml'), `unknown_field = "[x]"\n${toml}`)
  for (const folder of ['src', 'public']) await mkdir(join(project, folder))
  await writeFile(join(project, 'public/index.html'), 'A page.')
  await writeFile(join(project, 'src/worker.ts'), source('first'))
})

afterAll(async () => {
  await api.stop()
  await rm(project, { recursive: true, force: true })
})

/** Runs a deployment of the project. */
async function deployment(env: Record<string, string> = {}): Promise<number> {
  const { unstable_readConfig: readConfig } = await import('wrangler')
  const config = readConfig({ config: join(ROOT, 'wrangler.toml') }) as WorkerConfig
  const plan = planOf(config, await readdir(join(project, 'migrations')))
  printed = ''
  return deploy(plan, await readFile(join(project, 'wrangler.toml'), 'utf8'), {
    ...realWorld({ ...environment(), ...env }, project),
    async fetch(url, headers = {}) {
      if (!api.live(NAME) || !url.startsWith(`https://${NAME}.someone.workers.dev/`)) throw new Error('no such host')
      if (url.endsWith('/health')) return { status: 200, body: '{"status":"ok"}' }
      const key = api.live(NAME)?.secrets.get('HYBRID_API_KEY')
      return { status: key !== undefined && headers['X-API-Key'] === key ? 200 : 401, body: '' }
    },
    pause: async () => undefined,
    print: (text) => {
      printed += text
    },
  })
}

/** The variables of this process without those that name an account or a coordinator. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:CLOUDFLARE|HYBRID)_/.test(name))
  return { ...Object.fromEntries(own), ...api.environment }
}

/** Runs the printed command that begins with these words. */
async function printedCommand(start: string): Promise<number> {
  const command = [...printed.matchAll(COMMAND)].map(([, text = '']) => text).find((text) => text.startsWith(start))
  expect(command, printed).toBeDefined()
  const { code, output } = await realWorld(environment(), project).wrangler(command?.trim().split(' ') ?? [], 'y\n')
  expect(code, output).toBe(0)
  return code
}

/** Adds a row with what a rehearsal left in the account. */
async function leaves(rehearsal: string, work: () => Promise<number>): Promise<void> {
  const before = tableExists('model_usage')
  const written = `row ${rows.length}`
  if (before) database()?.exec(`INSERT INTO model_usage (day, calls, tokens) VALUES ('${written}', 0, 0)`)
  const code = await work()
  const kept = before && database()?.prepare('SELECT 1 FROM model_usage WHERE day = ?').get(written) !== undefined
  const applied = tableExists('d1_migrations') ? database()?.prepare('SELECT name FROM d1_migrations').all() : []
  const last = String(applied?.at(-1)?.name ?? 'none')
  rows.push([
    rehearsal,
    String(code),
    /the (\w+) version/.exec(api.live(NAME)?.content ?? '')?.[1] ?? 'none',
    /^01\d\d_(\w+)/.exec(last)?.[1] ?? (last === 'none' ? 'none' : 'first'),
    before ? (kept ? 'kept' : 'lost') : 'none',
    String(api.d1.size + api.namespaces.size + api.queues.size + api.buckets.size),
    api.live(NAME)?.secrets.has('HYBRID_API_KEY') ? 'set' : 'none',
  ])
}

const database = () => api.d1.named(NAME)
const tableExists = (name: string) =>
  database()?.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(name) !== undefined
const migration = (name: string, sql: string) => writeFile(join(project, 'migrations', `${name}.sql`), sql)

test('without network, signed out or with the wrong account nothing is made', async () => {
  await leaves('no network', () => deployment({ CLOUDFLARE_API_BASE_URL: 'http://127.0.0.1:9/client/v4' }))
  expect(printed).toContain('Check the network')
  await leaves('signed out', () => deployment({ CLOUDFLARE_API_TOKEN: 'another-token' }))
  expect(printed).toMatch(/not signed in|Sign-in failed/)
  await leaves('wrong account', () => deployment({ CLOUDFLARE_ACCOUNT_ID: 'b0000000000000000000000000000002' }))
  expect(printed).toContain("an account that you can't use")
  expect(await readdir(project)).not.toContain(CONFIG)
  // Nothing was asked but who is signed in.
  expect(
    api.requests.filter((line) => !/^GET \/(?:user|accounts|memberships|user\/tokens\/verify)$/.test(line)),
  ).toEqual([])
})

test('what was made before the network was lost is used by the next deployment', async () => {
  api.failing.set(`POST /accounts/${api.account.id}/queues`, 'connection lost')
  await leaves('network lost half-way', () => deployment())
  expect(printed).toContain(`Queue ${NAME}-jobs-dead failed`)
  api.failing.clear()
  await leaves('first deployment', () => deployment())
  expect(printed).toContain(`MCP URL: https://${NAME}.someone.workers.dev/mcp`)
  expect(printed).toContain(`shown only now: ${api.live(NAME)?.secrets.get('HYBRID_API_KEY')}`)
  expect(api.live(NAME)?.bindings).toContainEqual(expect.objectContaining({ type: 'd1', name: 'DB' }))
  const consumers = [...api.queues].map(([name, queue]) => [name, queue.consumers.size])
  expect(consumers).toEqual([
    [`${NAME}-jobs-dead`, 1],
    [`${NAME}-jobs`, 1],
  ])
})

test('a migration that fails changes neither the Worker nor, after the printed command, the database', async () => {
  await writeFile(join(project, 'src/worker.ts'), source('second'))
  await migration('0100_second', 'CREATE TABLE second (id TEXT);')
  await migration(
    '0101_third',
    'CREATE TABLE third (id TEXT);\n--> statement-breakpoint\nALTER TABLE unknown_table ADD x TEXT;',
  )
  await leaves('upgrade, a migration fails', () => deployment())
  expect(printed).toContain('no such table: unknown_table')
  expect(printed).toContain('The Worker was not changed.')
  expect([tableExists('second'), tableExists('third')], 'a failed migration is undone').toEqual([true, false])
  await leaves('then the database is taken back', () => printedCommand('d1 time-travel restore'))
  expect(tableExists('second')).toBe(false)
})

test('an upload that fails leaves the earlier Worker; the next deployment completes the upgrade', async () => {
  const key = api.live(NAME)?.secrets.get('HYBRID_API_KEY')
  await migration('0101_third', 'CREATE TABLE third (id TEXT);')
  api.failing.set(
    `POST /accounts/${api.account.id}/workers/scripts/${NAME}/versions`,
    new ApiError(413, 10_027, 'Script is too large'),
  )
  await leaves('upgrade, the upload fails', () => deployment())
  expect(printed).toContain('Script is too large')
  expect(printed).toContain('time-travel restore DB --bookmark=')
  api.failing.clear()
  await leaves('upgrade', () => deployment())
  expect(printed).not.toContain('shown only now')
  expect(api.live(NAME)?.secrets.get('HYBRID_API_KEY')).toBe(key)
  expect(api.live(NAME)?.bindings).not.toContainEqual(
    expect.objectContaining({ name: 'HYBRID_API_KEY', type: 'plain_text' }),
  )
})

test('the printed commands take the Worker back, and then the database', async () => {
  await leaves('rollback of the Worker', () => printedCommand('rollback'))
  await leaves('then of the database', () => printedCommand('d1 time-travel restore'))
})

test('docs/deploy.md says what is left each time', async () => {
  const page = await readFile(join(ROOT, 'docs/deploy.md'), 'utf8')
  const lines = page.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  const head = lines.findIndex(([first]) => first === 'rehearsal')
  expect(lines.slice(head + 2, head + 2 + rows.length + 1), JSON.stringify(rows)).toEqual([...rows, []])
})
