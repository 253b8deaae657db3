import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { planOf } from '../../cli/deploy/plan.ts'
import type { World } from '../../cli/deploy/steps.ts'
import { deploy, run } from '../../cli/deploy.ts'
import { account, CONFIG, MIGRATIONS, PLAN, TOML, URL_OF_WORKER } from './deploy-account.ts'

describe('deploy', () => {
  test('creates everything, sets a random key, checks the Worker and prints its MCP URL', async () => {
    const at = account()
    expect(await deploy(PLAN, TOML, at.world), at.printed()).toBe(0)
    expect([...at.made]).toEqual(['w', 'w-oauth-kv', 'w-jobs-dead', 'w-jobs', 'w-datasets'])
    const config = parse(at.configs['wrangler.deployed-w.toml'] ?? '')
    expect(config).toMatchObject({
      name: 'w',
      d1_databases: [
        { binding: 'OTHER', database_id: 'not-ours' },
        { binding: 'DB', database_id: 'id-of-w' },
      ],
      kv_namespaces: [{ binding: 'OAUTH_KV', id: 'id-of-w-oauth-kv' }],
    })
    expect(at.secret()).toMatch(/^[\w-]{43}$/)
    expect(at.printed()).toContain('Sign-in (account Mine)')
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

  test('a second run creates nothing, keeps the key, records the bookmark before the migrations and prints how to roll back', async () => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const key = at.secret()
    at.forget()
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    expect(at.commands.filter((command) => / create |secret put/.test(command))).toEqual([])
    const [info, migrations, upload] = ['d1 time-travel info', 'd1 migrations apply', 'deploy --config'].map((start) =>
      at.commands.findIndex((command) => command.startsWith(start)),
    ) as [number, number, number]
    expect(info).toBeGreaterThan(-1)
    expect(migrations).toBeGreaterThan(info)
    expect(upload).toBeGreaterThan(migrations)
    expect(at.printed()).toContain('npx wrangler rollback --config wrangler.deployed-w.toml')
    expect(at.printed()).toContain(
      'npx wrangler d1 time-travel restore DB --bookmark=b-17 --config wrangler.deployed-w.toml',
    )
    expect(at.secret()).toBe(key)
  })

  test('uses the key from the environment', async () => {
    const at = account({}, { HYBRID_API_KEY: 'chosen-by-its-owner' })
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    expect(at.secret()).toBe('chosen-by-its-owner')
    expect(at.printed()).not.toContain('chosen-by-its-owner')
  })

  test.each([
    ['fails', { 'secret list': 'fetch failed' }, {}],
    ['is limited', { 'secret list': 'Too many requests [code: 971]' }, {}],
    ['can not be read', {}, { 'secret list': 'Secret names: HYBRID_API_KEY' }],
    ['is empty', {}, { 'secret list': '' }],
    ['is an error in JSON', {}, { 'secret list': '{"error":"unavailable"}' }],
  ])('replaces no key when the list of secrets %s', async (_, failing, saying) => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const key = at.secret()
    const again = account(failing, {}, saying)
    // The same account, with a failing list.
    again.world.wrangler = wrap(again.world.wrangler, at.world.wrangler, (command) => command.startsWith('secret list'))
    expect(await deploy(PLAN, TOML, again.world)).toBe(1)
    expect(again.printed()).toContain('Secret HYBRID_API_KEY failed')
    expect(at.secret()).toBe(key)
    expect(at.commands.filter((command) => command.startsWith('secret put'))).toHaveLength(1)
  })

  test('reports a key in the environment that differs from the deployed one, and replaces nothing', async () => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const key = at.secret()
    at.forget()
    expect(await deploy(PLAN, TOML, { ...at.world, env: { HYBRID_API_KEY: 'another-key-entirely' } })).toBe(1)
    expect(at.printed()).toContain('refuses the HYBRID_API_KEY of your environment')
    expect(at.printed()).not.toContain('another-key-entirely')
    expect(at.secret()).toBe(key)
  })

  test('reports a missing sign-in, or the wrong account, before creating anything', async () => {
    for (const [failing, saying, env, message] of [
      [{ whoami: '{"loggedIn":false}' }, {}, {}, 'not signed in'],
      // wrangler once reported success here.
      [{}, { whoami: '{"loggedIn":false}' }, {}, 'not signed in'],
      [{ whoami: 'Unable to resolve Cloudflare’s API hostname' }, {}, {}, 'Check the network'],
      [
        {},
        { whoami: '{"loggedIn":true,"accounts":[{"id":"a1","name":"Mine"},{"id":"a2","name":"Work"}]}' },
        {},
        'a2  Work',
      ],
      [{}, {}, { CLOUDFLARE_ACCOUNT_ID: 'a9' }, "an account that you can't use"],
    ] as [Record<string, string>, Record<string, string>, Record<string, string>, string][]) {
      const at = account(failing, env, saying)
      expect(await deploy(PLAN, TOML, at.world)).toBe(1)
      expect(at.printed()).toContain(message)
      expect(at.printed()).not.toContain('✓')
      expect([...at.made]).toEqual([])
      expect(at.commands).toHaveLength(1)
    }
  })

  test.each([
    ['d1 create', 'limit reached', 'D1 database w failed'],
    ['d1 list', 'unavailable', 'D1 database w failed'],
    ['kv namespace list', 'unavailable', 'KV namespace w-oauth-kv failed'],
    ['queues create', 'Queues need a paid plan', 'Queue w-jobs-dead failed'],
    ['r2 bucket create', 'enable R2', 'R2 bucket w-datasets failed'],
    ['d1 migrations', 'syntax error', 'Migrations failed'],
    ['deploy', 'too large', 'Worker w failed'],
    ['secret put', 'forbidden', 'Secret HYBRID_API_KEY failed'],
  ])('a failure of %s stops it with the name of the step, and it can be run again', async (start, output, message) => {
    const failing: Record<string, string> = { [start]: output }
    const at = account(failing)
    expect(await deploy(PLAN, TOML, at.world)).toBe(1)
    expect(at.printed()).toContain(output)
    expect(at.printed()).toContain(message)
    expect(at.commands.at(-1)?.startsWith(start)).toBe(true)
    delete failing[start]
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
  })

  test('a failed migration leaves the old Worker in place and prints how to restore the database', async () => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const again = account({ 'd1 migrations': 'no such column' })
    again.world.wrangler = wrap(again.world.wrangler, at.world.wrangler, (command) =>
      command.startsWith('d1 migrations'),
    )
    at.forget()
    expect(await deploy(PLAN, TOML, again.world)).toBe(1)
    expect(again.printed()).toContain('The Worker was not changed.')
    expect(again.printed()).toContain('time-travel restore DB --bookmark=b-17')
    expect(at.commands.filter((command) => command.startsWith('deploy'))).toEqual([])
  })

  test('continues without a bookmark, with the time instead', async () => {
    const at = account()
    await deploy(PLAN, TOML, at.world)
    const again = account({ 'd1 time-travel': 'unavailable' })
    again.world.wrangler = wrap(again.world.wrangler, at.world.wrangler, (command) =>
      command.startsWith('d1 time-travel'),
    )
    again.world.fetch = at.world.fetch
    expect(await deploy(PLAN, TOML, again.world)).toBe(0)
    expect(again.printed()).toMatch(/can be taken back by time: 20\d\d-/)
  })

  test('keeps resources that exist although they were not listed', async () => {
    const at = account({ 'queues create': 'Queue name already taken', 'r2 bucket create': 'The bucket already exists' })
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
  })

  test('a Worker that is open or unhealthy is not reported as deployed', async () => {
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

  test('a Worker that is not reachable or healthy immediately is checked again', async () => {
    for (const first of [
      { status: 404, body: '<html>There is nothing here yet</html>' },
      { status: 200, body: '{"status":"down"}' },
      { status: 200, body: '<html>' },
    ]) {
      const at = account()
      const { fetch } = at.world
      let times = 0
      at.world.fetch = async (url, headers) => (url.endsWith('/health') && times++ < 5 ? first : fetch(url, headers))
      expect(await deploy(PLAN, TOML, at.world), at.printed()).toBe(0)
      expect(times).toBeGreaterThan(5)
    }
  })

  test('checks the address at which the Worker answers', async () => {
    const given = account({}, { HYBRID_URL: 'https://api.example.com/' })
    expect(await deploy(PLAN, TOML, given.world)).toBe(0)
    expect(new Set(given.asked.map((url) => new URL(url).origin))).toEqual(new Set(['https://api.example.com']))
    const domain = account({}, {}, {})
    const { wrangler } = domain.world
    domain.world.wrangler = async (args, input) => {
      const answer = await wrangler(args, input)
      return args[0] === 'deploy'
        ? { code: 0, output: `Deployed w triggers\n  ${URL_OF_WORKER}\n  hc.example.com (custom domain)\n` }
        : answer
    }
    expect(await deploy(PLAN, TOML, domain.world)).toBe(0)
    expect(domain.printed()).toContain('MCP URL: https://hc.example.com/mcp')
    const elsewhere = account()
    elsewhere.world.fetch = async () => ({ status: 403, body: '{}' })
    expect(await deploy(PLAN, TOML, elsewhere.world)).toBe(1)
    expect(elsewhere.printed()).toContain('ALLOWED_HOSTS may leave this address out: set HYBRID_URL')
  })

  test('uses the database named in wrangler.toml', async () => {
    const at = account()
    expect(await deploy({ ...PLAN, database: { ...PLAN.database, id: 'own' } }, TOML, at.world)).toBe(0)
    expect(at.configs['wrangler.deployed-w.toml']).toContain('database_id = "own"')
    expect(at.commands.some((command) => command.startsWith('d1 create'))).toBe(false)
  })

  test('two coordinators of one account share nothing', async () => {
    const at = account()
    expect(await deploy(PLAN, TOML, at.world)).toBe(0)
    const first = new Set(at.made)
    at.made.clear()
    const other = planOf(CONFIG, MIGRATIONS, 'team-b')
    const second = account()
    expect(await deploy(other, TOML, second.world)).toBe(0)
    expect([...second.made]).toEqual([
      'team-b',
      'team-b-oauth-kv',
      'team-b-jobs-dead',
      'team-b-jobs',
      'team-b-datasets',
    ])
    expect([...second.made].filter((name) => first.has(name))).toEqual([])
    const config = parse(second.configs['wrangler.deployed-team-b.toml'] ?? '') as typeof CONFIG & {
      ratelimits: { namespace_id: string }[]
    }
    expect(config).toMatchObject({
      name: 'team-b',
      queues: {
        producers: [{ queue: 'team-b-jobs' }],
        consumers: [{ queue: 'team-b-jobs', dead_letter_queue: 'team-b-jobs-dead' }],
      },
      r2_buckets: [{ bucket_name: 'team-b-datasets' }],
    })
    expect(config.ratelimits[0]?.namespace_id).not.toBe('8701')
    for (const name of ['Upper', '-a', 'a-', 'a'.repeat(50), 'a b', '']) expect(await run(['--name', name])).toBe(2)
  })
})

/** One wrangler for the commands matched by `takes`, another for the rest. */
function wrap(
  one: World['wrangler'],
  other: World['wrangler'],
  takes: (command: string) => boolean,
): World['wrangler'] {
  return (args, input) => (takes(args.join(' ')) ? one(args, input) : other(args, input))
}
