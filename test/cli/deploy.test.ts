import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { describePlan, planOf, withIds } from '../../cli/deploy/plan.ts'
import { deploy, dryRun, type Finished, type World } from '../../cli/deploy.ts'

const ROOT = join(import.meta.dirname, '../..')
const PLAN = planOf(
  {
    name: 'w',
    d1_databases: [{ binding: 'DB', database_name: 'd', database_id: '00000000-0000-0000-0000-000000000000' }],
    kv_namespaces: [{ binding: 'OAUTH_KV', id: '00000000000000000000000000000000' }],
    queues: { producers: [{ queue: 'q' }], consumers: [{ queue: 'q', dead_letter_queue: 'q-dead' }] },
    r2_buckets: [{ binding: 'DATASETS', bucket_name: 'b' }],
    triggers: { crons: ['* * * * *'] },
  },
  ['0001_b.sql', '0000_a.sql', 'meta'],
)
const TOML =
  'name = "w"\n[[d1_databases]]\ndatabase_id = "00000000-0000-0000-0000-000000000000"\n' +
  '[[kv_namespaces]]\nbinding = "OAUTH_KV"\nid = "00000000000000000000000000000000"\n'
const URL_OF_WORKER = 'https://w.someone.workers.dev'

/** An account in memory. `failing` maps the beginning of a wrangler command to what it prints. */
function account(failing: Record<string, string> = {}, env: Record<string, string> = {}) {
  const made = new Set<string>()
  const commands: string[] = []
  let printed = ''
  let config = ''
  let secret: string | null = null
  let deployed = false
  const ok = (output = ''): Finished => ({ code: 0, output })
  const missing: Finished = { code: 1, output: 'not found' }
  const world: World = {
    env,
    async wrangler(args, input) {
      const command = args.join(' ')
      commands.push(command)
      for (const [start, output] of Object.entries(failing)) if (command.startsWith(start)) return { code: 1, output }
      if (command.startsWith('d1 list'))
        return ok(JSON.stringify([...made].map((name) => ({ name, uuid: `id-of-${name}` }))))
      if (command.startsWith('kv namespace list'))
        return ok(JSON.stringify([...made].map((title) => ({ title, id: `id-of-${title}` }))))
      if (/ info /.test(command)) return made.has(args.at(-1) ?? '') ? ok() : missing
      if (/ create /.test(command)) {
        made.add(args.at(-1) ?? '')
        return ok()
      }
      if (command.startsWith('deploy --config')) {
        deployed = true
        return ok(`Deployed w triggers\n  ${URL_OF_WORKER}\n`)
      }
      if (command.startsWith('secret list'))
        return ok(JSON.stringify(secret === null ? [] : [{ name: 'HYBRID_API_KEY' }]))
      if (command.startsWith('secret put')) secret = input ?? ''
      return ok()
    },
    async fetch(url, headers = {}) {
      if (!deployed) throw new Error('no such host')
      if (url.endsWith('/health')) return { status: 200, body: '{"status":"ok"}' }
      return { status: headers['X-API-Key'] !== undefined && headers['X-API-Key'] === secret ? 200 : 401, body: '' }
    },
    writeConfig: async (toml) => {
      config = toml
    },
    pause: async () => undefined,
    print: (text) => {
      printed += text
    },
  }
  return { world, made, commands, printed: () => printed, config: () => config, secret: () => secret }
}

describe('deploy', () => {
  test('makes everything, sets a random key, checks the Worker and prints its MCP URL', async () => {
    const at = account()
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    expect([...at.made]).toEqual(['d', 'w-oauth-kv', 'q-dead', 'q', 'b'])
    expect(at.config()).toContain('database_id = "id-of-d"')
    expect(at.config()).toContain('id = "id-of-w-oauth-kv"')
    expect(at.secret()).toMatch(/^[\w-]{43}$/)
    expect(at.printed()).toContain(`MCP URL: ${URL_OF_WORKER}/mcp`)
    expect(at.printed()).toContain(`shown only now: ${at.secret()}`)
    expect(at.commands.join('\n'), 'the key is no argument').not.toContain(at.secret())
    const order = [
      'whoami',
      'd1 create',
      'kv namespace create',
      'queues create',
      'r2 bucket create',
      'd1 migrations apply',
      'deploy',
      'secret put',
    ]
    const places = order.map((start) => at.commands.findIndex((command) => command.startsWith(start)))
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  test('a second time creates nothing and keeps the key', async () => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const key = at.secret()
    const before = at.commands.length
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    const second = at.commands.slice(before)
    expect(second.filter((command) => / create |secret put/.test(command))).toEqual([])
    expect(second.some((command) => command.startsWith('deploy'))).toBe(true)
    expect(at.secret()).toBe(key)
  })

  test('takes the key of the environment', async () => {
    const at = account({}, { HYBRID_API_KEY: 'chosen-by-its-owner' })
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    expect(at.secret()).toBe('chosen-by-its-owner')
    expect(at.printed()).not.toContain('chosen-by-its-owner')
  })

  test.each([
    ['whoami', 'You are not authenticated.', 'wrangler login'],
    ['d1 create', 'limit reached', 'D1 database d failed'],
    ['d1 list', 'unavailable', 'D1 database d failed'],
    ['queues create', 'Queues need a paid plan', 'Queue q-dead failed'],
    ['r2 bucket create', 'enable R2', 'R2 bucket b failed'],
    ['d1 migrations', 'syntax error', 'Migrations failed'],
    ['deploy', 'too large', 'Worker w failed'],
    ['secret put', 'forbidden', 'Secret HYBRID_API_KEY failed'],
  ])('a failure of %s ends it, named, and it can be run again', async (start, output, message) => {
    const failing: Record<string, string> = { [start]: output }
    const at = account(failing)
    expect(await deploy(PLAN, TOML, at.world)).toBe(1)
    expect(at.printed()).toContain(output)
    expect(at.printed()).toContain(message)
    expect(at.commands.at(-1)?.startsWith(start)).toBe(true)
    delete failing[start]
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
  })

  test('what exists although it was not found is kept', async () => {
    const at = account({ 'queues create': 'Queue name already taken', 'r2 bucket create': 'The bucket already exists' })
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
  })

  test('a Worker that is open, or ill, is not reported as deployed', async () => {
    const open = account()
    open.world.fetch = async () => ({ status: 200, body: '{"status":"ok"}' })
    expect(await deploy(PLAN, TOML, open.world)).toBe(1)
    expect(open.printed()).toContain('without a key 200')
    const ill = account()
    const { fetch } = ill.world
    ill.world.fetch = async (url, headers) =>
      url.endsWith('/health') ? { status: 200, body: '{"status":"degraded"}' } : fetch(url, headers)
    expect(await deploy(PLAN, TOML, ill.world)).toBe(1)
    expect(ill.printed()).toContain('degraded')
  })

  test('a database that wrangler.toml names is used', async () => {
    const at = account()
    expect(await deploy({ ...PLAN, database: { ...PLAN.database, id: 'own' } }, TOML, at.world)).toBe(0)
    expect(at.config()).toContain('database_id = "own"')
    expect(at.commands.some((command) => command.startsWith('d1 create'))).toBe(false)
  })
})

describe('the plan', () => {
  test('names everything in order', () => {
    expect(PLAN.migrations).toEqual(['0000_a.sql', '0001_b.sql'])
    expect(PLAN.queues).toEqual(['q-dead', 'q'])
    expect(PLAN.database.id).toBeNull()
    for (const name of [
      'D1 database d',
      'Queue q-dead',
      'R2 bucket b',
      '0001_b.sql',
      'Secret HYBRID_API_KEY',
      'Health check',
    ]) {
      expect(describePlan(PLAN)).toContain(name)
    }
    expect(() => planOf({ name: 'w' }, [])).toThrow('no D1 database')
    expect(() => planOf({}, [])).toThrow('names no Worker')
    expect(() => withIds('name = "w"', { database: 'x', kv: null })).toThrow('database_id')
    expect(() => withIds('database_id = "x"', { database: 'x', kv: 'y' })).toThrow('KV namespace')
  })

  test('a Worker that does not build fails the dry run', async () => {
    const at = account({ 'deploy --dry-run': 'Could not resolve "./nothing"' })
    expect(await dryRun(PLAN, at.world)).toBe(1)
    expect(at.commands).toEqual(['deploy --dry-run'])
  })

  test('of this project is printed by the command, which builds the Worker with every binding and changes nothing', async () => {
    // Scratch folders of the tools, which git ignores, may come and go while other tests run.
    const listed = async () =>
      (await readdir(ROOT)).filter((name) => !['.wrangler', 'test-results.json'].includes(name))
    const before = await listed()
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'cli/main.ts'), 'deploy', '--dry-run'], {
      cwd: ROOT,
    })
    for (const { name } of (await readdir(join(ROOT, 'migrations'), { withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .slice(-1)) {
      expect(stdout).toContain(name)
    }
    const toml = await readFile(join(ROOT, 'wrangler.toml'), 'utf8')
    for (const [, , name] of toml.matchAll(/^(binding|name) = "([A-Z][A-Z_]+)"$/gm))
      expect(stdout).toContain(`env.${name}`)
    for (const [, name] of toml.matchAll(/^(?:database_name|queue|dead_letter_queue|bucket_name) = "([\w-]+)"$/gm))
      expect(stdout).toContain(name)
    expect(stdout).toContain('Nothing was changed')
    expect(await listed()).toEqual(before)
  })
})
